"""What is said when something is wrong: one sentence with key, value, what is allowed and the remedy."""

from __future__ import annotations

import argparse
import difflib
import errno
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ctypes import CDLL
from inspect import signature
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

PR_SET_PDEATHSIG = 1  # of prctl(2): the signal that this process gets when its parent ends


class Complaint(Exception):
    """Something the user can mend; its text is one sentence that says how."""


class ParamsError(Complaint, ValueError):
    """A setting is unknown, missing, of the wrong type or out of range."""


@contextmanager
def one_sentence(who: str) -> Iterator[None]:
    """Ends the program with one line instead of a traceback.

    It does so at a Complaint, at Ctrl-C, SIGTERM and SIGHUP, and where the disk is full.
    """
    try:
        with heard((signal.SIGTERM, signal.SIGHUP), interrupt):
            yield
            gc.freeze()  # at its exit Python looks for garbage in all that is left: half a second after torch or MLflow
    except Complaint as complaint:
        raise SystemExit(f"{who}: {complaint}") from None
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
    mine = {number: one for number, one in before.items() if one not in (signal.SIG_IGN, None)}
    if threading.current_thread() is not threading.main_thread():
        mine = {}  # Python lets no other thread set a handler
    for number in mine:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, one in mine.items():
            signal.signal(number, one)


def run_stage(main: Callable[..., None]) -> None:
    """Run a stage's `main` as the command line of its script asks.

    A `main` that takes a task is given it: mante, or train@mante, as DVC names the stage. Ends with one line as
    `one_sentence` does. A stage that DVC runs ends with DVC.
    """
    stage = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    if signature(main).parameters:
        parser.add_argument("task", help=f"a task of params.yaml: mante, or {stage}@mante")
    given = [one.rpartition("@")[2] for one in vars(parser.parse_args()).values()]
    if "DVC_STAGE" in os.environ and sys.platform == "linux":
        CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    told = [task if task.isidentifier() else ascii(task) for task in given]
    with one_sentence("@".join([stage, *told])):
        main(*given)


def nearest(key: str, known: Iterable[str]) -> str:
    """The remedy for an unknown key: "did you mean ...?", or the keys that there are."""
    known = list(known)
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"


def first_complaint(error: ValidationError, section: type[BaseModel], where: str) -> str:
    """The first of pydantic's errors as one sentence; `where` is the dotted key of the section."""
    errors = error.errors(include_url=False)
    # A misspelled key is also a missing one: the misspelling says more.
    first = min(errors, key=lambda one: one["type"] != "extra_forbidden")
    # What stands in brackets is the tag of a choice.
    inside = [str(part) for part in first["loc"] if not str(part).startswith("(")]
    key = ".".join(filter(None, [where, *inside]))
    value = first["input"]
    if first["type"] == "extra_forbidden":
        siblings = _keys(section, inside[:-1])
        parent = key.rpartition(".")[0]
        known = [f"{parent}.{name}" if parent else name for name in siblings]
        return f"{key} is not a setting; {nearest(key, known)}"
    if first["type"] == "missing":
        return f"{key} is missing; give {_allowed(section, inside)}"
    if first["type"] == "value_error":
        parent, rule = key, str(first["ctx"]["error"])
        dot = f"{parent}." if parent else ""
        return dot + rule.replace("{section}.", dot)
    return f"{key} = {value!r} is not allowed; give {_allowed(section, inside)}"


def _keys(section: type[BaseModel], path: list[str]) -> list[str]:
    at = _schema(section, path)
    root = section.model_json_schema()
    choices = [_follow(choice, root) for choice in at.get("oneOf", [at])]
    return [key for choice in choices for key in choice.get("properties", {})]


def _allowed(section: type[BaseModel], path: list[str]) -> str:
    return _words(_schema(section, path))


def _schema(section: type[BaseModel], path: list[str]) -> dict[str, Any]:
    """The JSON schema of the setting at `path` below a section."""
    root = section.model_json_schema()
    at = root
    for part in path:
        at = _follow(at, root)
        choices = [_follow(choice, root) for choice in at.get("oneOf", [at])]
        found = (
            choice.get("properties", {}).get(part) or choice.get("items") for choice in choices
        )
        at = next(filter(None, found), {})
    return _follow(at, root)


def _follow(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _words(schema: dict[str, Any]) -> str:
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(_words(one) for one in schema[choice])
    if "$ref" in schema:  # one choice of several
        return "a section of its own"
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    kind = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "null": "null",
        "string": "a text that is not empty",
        "object": "a section of its own",
        "array": "a list that is not empty",
    }.get(schema.get("type", ""), "a value")
    bounds = [
        f"{word} {schema[bound]:g}"
        for bound, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if bound in schema
    ]
    return " ".join([kind, " and ".join(bounds)]).strip()
