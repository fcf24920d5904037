"""Errors that a user can mend: one sentence each, with key, value, what is allowed and the remedy.

Nothing here changes a result: a program ends with a sentence or goes on. So no stage depends on this file.
"""

from __future__ import annotations

import argparse
import difflib
import errno
import gc
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ctypes import CDLL
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

PR_SET_PDEATHSIG = 1  # of prctl(2): the signal that this process gets when its parent ends
LONG = 100  # characters of a value that a sentence shows
EVENTS = (
    "CTRNN_STAGE_EVENTS"  # in the environment: a file for the events of stages, see `log_event`
)
UNKNOWN = ("extra_forbidden", "invalid_key")  # pydantic's words for a key that is not a setting


class UserError(Exception):
    """Something the user can mend; its text is one sentence that says how."""


class ParamsError(UserError, ValueError):
    """A setting is unknown, missing, of the wrong type or out of range."""


@contextmanager
def exit_on_user_error(who: str) -> Iterator[None]:
    """Ends the program with one line instead of a traceback.

    It does so at a UserError, at Ctrl-C, SIGTERM and SIGHUP, and where the disk is full.
    """
    try:
        with heard((signal.SIGTERM, signal.SIGHUP), interrupt):
            yield
            gc.freeze()  # at its exit Python looks for garbage in all that is left: half a second after torch or MLflow
    except UserError as user_error:
        raise SystemExit(f"{who}: {user_error}") from None
    except BrokenPipeError:  # as `| head` leaves it
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python writes what is left there
        raise SystemExit(f"{who}: nobody reads its output; the same command goes on") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SystemExit(f"{who}: {error}; make room, then the same command goes on") from None
    except KeyboardInterrupt as stop:
        how = " by ".join(["interrupted", *stop.args])
        raise SystemExit(f"{who}: {how}; the same command starts it again") from None


def interrupt(number: int, frame: Any = None) -> None:
    """As a handler of signals: end what runs as Ctrl-C does, and name the signal if it is another."""
    names = [] if number == signal.SIGINT else [signal.Signals(number).name]
    raise KeyboardInterrupt(*names)


@contextmanager
def heard(signals: Iterable[int], handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Handle these signals meanwhile, except those that this process ignores, as SIGHUP under nohup."""
    before = {number: signal.getsignal(number) for number in signals}
    mine = {
        number: former for number, former in before.items() if former not in (signal.SIG_IGN, None)
    }
    if threading.current_thread() is not threading.main_thread():
        mine = {}  # Python lets no other thread set a handler
    for number in mine:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in mine.items():
            signal.signal(number, former)


def run_stage(main: Callable[..., None]) -> None:
    """Run a stage's `main` as the command line of its script asks.

    A `main` that takes a task is given it: mante, or train@mante, as DVC names the stage. Ends with one line as
    `exit_on_user_error` does. A stage that DVC runs ends with DVC. Its start and end are events: see `log_event`.
    """
    stage = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    if signature(main).parameters:
        parser.add_argument("task", help=f"a task of params.yaml: mante, or {stage}@mante")
    given = [argument.rpartition("@")[2] for argument in vars(parser.parse_args()).values()]
    if "DVC_STAGE" in os.environ and sys.platform == "linux":
        CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    names = [task if task.isidentifier() else ascii(task) for task in given]
    name, began = "@".join([stage, *names]), time.monotonic()
    log_event(name, "started")
    try:
        with exit_on_user_error(name):
            main(*given)
    except BaseException as error:
        kind = "" if isinstance(error, SystemExit) else f"{type(error).__name__}: "
        log_event(name, "failed", error=f"{kind}{error}")
        raise
    log_event(name, "ended", seconds=time.monotonic() - began)


def log_event(stage: str, event: str, **fields: Any) -> None:
    """Tell whoever runs the stages of an event: a line of JSON in the file that CTRNN_STAGE_EVENTS names.

    Args:
        stage: As DVC names it: train@mante.
        event: started; ended, with `seconds`; failed, with `error`; trained, with `network` and `seconds`.
        fields: What else the line holds.
    """
    if file := os.environ.get(EVENTS):
        with suppress(OSError), Path(file).open("a") as events:
            events.write(json.dumps({"stage": stage, "event": event, **fields}) + "\n")


def nearest(key: str, keys: Iterable[str]) -> str:
    """The remedy for an unknown key: "did you mean ...?", or the keys that there are.

    Keys of one section are compared without the section's name, which all have in common.
    """
    keys, section = list(keys), f"{key.rpartition('.')[0]}."
    same = all(name.startswith(section) for name in keys)
    ends = {name.removeprefix(section) if same else name: name for name in keys}
    wanted = key.removeprefix(section) if same else key
    close = difflib.get_close_matches(wanted[:LONG], ends, n=1, cutoff=0.5)
    return f"did you mean {ends[close[0]]}?" if close else f"there are {', '.join(keys)}"


def shown(value: Any) -> str:
    """A value as it stands in a sentence: on one line, and cut where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, a list of itself
        text = f"a {type(value).__name__} too long to show"
    return text if len(text) <= LONG else f"{text[: LONG - 20]} ... ({len(text)} characters)"


def shown_key(part: Any) -> str:
    """A part of a dotted key as it stands in a sentence: as it is where it is a word, else in quotes."""
    return str(part) if re.fullmatch(r"[\w-]{1,60}", str(part)) else shown(part)


def format_validation_error(
    error: ValidationError, section: type[BaseModel], where: str, every_key: Sequence[str]
) -> str:
    """The first of pydantic's errors as one sentence; `where` is the dotted key of the section.

    every_key: all settings that there are, by dotted key, of which the one is told that an unknown one may mean.
    """
    errors = error.errors()
    # A misspelled key is also a missing one: the misspelling says more.
    first = min(errors, key=lambda problem: problem["type"] not in UNKNOWN)
    # What stands in brackets is the tag of a choice.
    inside = [part for part in first["loc"] if not str(part).startswith("(")]
    key = ".".join([*filter(None, [where]), *map(shown_key, inside)])
    if first["type"] in UNKNOWN:
        parent = ".".join([*filter(None, [where]), *map(str, inside[:-1])])
        siblings = [f"{parent}.{name}" if parent else name for name in _keys(section, inside[:-1])]
        return f"{key} is not a setting; {_meant(str(inside[-1]), parent, siblings, every_key)}"
    if first["type"] == "missing":
        return f"{key} is missing; give {allowed(section, inside)}"
    if first["type"] == "string_unicode":
        return f"{shown(first['input'])} is not a text in Unicode; give other characters"
    if first["type"] == "value_error":
        dot = f"{key}." if key else ""
        return dot + str(first["ctx"]["error"]).replace("{section}.", dot)
    return f"{key} = {shown(first['input'])} is not allowed; give {allowed(section, inside)}"


def keys_of(section: type[BaseModel], where: str = "") -> list[str]:
    """Dotted keys of every setting and section below a section, whose own dotted key is `where`."""
    root = _schema_of(section)

    def below(schema: dict[str, Any], at: str) -> list[str]:
        keys = []
        for choice in _choices(schema, root):
            for name, inner in choice.get("properties", {}).items():
                key = f"{at}.{name}" if at else name
                keys += [key, *below(inner, key)]
        return keys

    return below(root, where)


def _meant(name: str, parent: str, siblings: Sequence[str], every_key: Sequence[str]) -> str:
    """What an unknown key of a section may have meant."""
    for dotted in (name, f"{parent}.{name}"):
        if "." in name and dotted in every_key:
            section, _, last = dotted.rpartition(".")
            return f"write {last} in the section {section}"
    dotted = f"{parent}.{name}" if parent else name
    remedy = nearest(dotted, [key for key in siblings if key != dotted])  # a key of another form
    if remedy.startswith("did you mean") or parent.startswith("tasks"):
        return remedy
    elsewhere = [key for key in every_key if key.rpartition(".")[2] == name]
    close = difflib.get_close_matches(name[:LONG], every_key, n=1, cutoff=0.8)
    if 0 < len(elsewhere) <= 3 or close:
        return f"did you mean {' or '.join(elsewhere[:3] or close)}?"
    return remedy


@cache
def _schema_of(section: type[BaseModel]) -> dict[str, Any]:
    return section.model_json_schema()


def _keys(section: type[BaseModel], path: Sequence[Any]) -> list[str]:
    choices = _choices(_schema(section, path), _schema_of(section))
    return [key for choice in choices for key in choice.get("properties", {})]


def allowed(section: type[BaseModel], path: Sequence[Any]) -> str:
    """What the setting at `path` below a section may be, in words."""
    return _words(_schema(section, path))


def _schema(section: type[BaseModel], path: Sequence[Any]) -> dict[str, Any]:
    """The JSON schema of the setting at `path` below a section."""
    at = root = _schema_of(section)
    for part in path:
        choices = _choices(at, root)
        schemas = (
            choice.get("properties", {}).get(part)
            or choice.get("items")
            or choice.get("additionalProperties")
            for choice in choices
        )
        at = next((schema for schema in schemas if isinstance(schema, dict)), {})
    forms = {form: _choices(at, root) for form in ("anyOf", "oneOf") if form in _follow(at, root)}
    return _follow(at, root) | forms


def _choices(schema: dict[str, Any], root: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas that a setting may have, of which it has one."""
    schema = _follow(schema, root)
    several = schema.get("oneOf") or schema.get("anyOf") or [schema]
    return [_follow(choice, root) for choice in several]


def _follow(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _words(schema: dict[str, Any]) -> str:
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            forms = sum("properties" in inner for inner in schema[choice])
            return " or ".join(
                _form(inner) if forms > 1 and "properties" in inner else _words(inner)
                for inner in schema[choice]
            )
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return _words_of_list(schema)
    kind = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "null": "null",
        "string": "a text that is not empty",
    }.get(schema.get("type", ""), "a section of its own")
    bounds = [
        f"{word} {_number(schema[bound])}"
        for bound, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if bound in schema
    ]
    return " ".join([kind, " and ".join(bounds)]).strip()


def _form(schema: dict[str, Any]) -> str:
    """A section by the keys that it must have, where a setting may be one of several."""
    return f"{{{', '.join(f'{key}: ...' for key in schema['required'])}}}"


def _words_of_list(schema: dict[str, Any]) -> str:
    kind, number, bounds = _words(schema["items"]).removeprefix("a ").partition("number")
    others = "names" if schema["items"].get("type") == "string" else "sections of their own"
    elements = f"{kind}numbers{bounds}" if number else others
    most = f"at most {schema['maxItems']} " if "maxItems" in schema else ""
    if schema.get("minItems") == schema.get("maxItems") is not None:
        return f"a list of {schema['maxItems']} {elements}"
    return (
        f"a list, {'not empty' if schema.get('minItems') else '[] for none'}, of {most}{elements}"
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:g}"
