"""The YAML of params.yaml: read as DVC reads it, and refused where it reads otherwise than it looks.

DVC reads params.yaml by ruamel.yaml, and so does this module, so that the two agree. What DVC takes for something else
than YAML 1.2's core schema does (0b11, 1_000, dates), what differs between YAML 1.1 and 1.2 (017), and what makes a
text mean something else than stands there (anchors, tags, merge keys, a key given twice) is refused.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.resolver import VersionedResolver

from ctrnn.errors import ParamsError, shown, shown_key

MOST_BYTES = 2**18  # of a file: twenty times what settings need
MOST_LEVELS = 20  # of sections and lists within each other
MOST_DIGITS = 60  # and other characters, of a number

# Plain scalars by YAML 1.2.2, section 10.3.2. All others are texts.
CORE = {
    "null": re.compile(r"null|Null|NULL|~|"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"),
    "float": re.compile(
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
    ),
}
OCTAL_OR_NOT = re.compile(r"[-+]?0[0-9]+")  # YAML 1.1 takes 017 for 15, YAML 1.2 for 17
RESOLVER = VersionedResolver()  # says what DVC takes a plain scalar for


@dataclass
class Level:
    """A section or list that is open.

    key: what is now being given in it; lines: of the keys that it has had; given: how many these were.
    """

    section: bool
    key: str | int | None = None
    lines: dict[str, int] = field(default_factory=dict)
    given: int = 0


def read(path: str | Path) -> Any:
    """What a YAML file of settings holds. Raises ParamsError as `parse` does, and where there is no such file."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):  # a pipe would be waited for
            raise ParamsError(f"{path} is not a file; put a file of settings in its place")
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise ParamsError(f"{path} does not exist; run from the folder that holds it") from None
    except (OSError, ValueError) as error:
        raise ParamsError(f"{path} cannot be read ({error}); make it readable") from None
    try:
        return parse(content.decode(), path)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ParamsError(
            f"{path} is not UTF-8 in line {line} (byte {content[error.start]:#04x}); save it as UTF-8"
        ) from None


def parse(text: str, path: str | Path) -> Any:
    """What a text of settings holds; `path` is its name in a sentence.

    Raises ParamsError with one sentence where it is not YAML, or not of the dialect above.
    """
    if len(text) > MOST_BYTES:
        raise ParamsError(
            f"{path} has {len(text)} characters; give settings of at most {MOST_BYTES}"
        )
    try:
        for sentence in _faults(text, path):
            raise ParamsError(sentence)
        return YAML(typ="safe").load(text)
    except YAMLError as error:
        raise ParamsError(f"{path} is not YAML: {_problem(error)}; correct it there") from None


def _faults(text: str, path: str | Path) -> Iterator[str]:
    """What is refused in a text, one sentence after the other. Raises YAMLError where it is not YAML."""
    levels: list[Level] = []
    documents = 0
    for event in YAML(typ="safe").parse(text):
        line = event.start_mark.line + 1
        if isinstance(event, DocumentStartEvent):
            documents += 1
            if event.version or event.tags:
                yield f"line {line} of {path} has a directive (%); take it out"
            if documents > 1:
                yield f"line {line} of {path} begins a second document; take its --- out"
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            levels.pop()
            _given(levels)
        elif isinstance(event, NodeEvent):
            is_key = bool(levels) and levels[-1].section and levels[-1].key is None
            fault = _fault_of(event, is_key, len(levels))
            if fault:
                at = f"line {line} of {path}"
                yield f"{at if is_key or not levels else f'{_dotted(levels)} ({at})'} {fault}"
            if isinstance(event, MappingStartEvent | SequenceStartEvent):
                section = isinstance(event, MappingStartEvent)
                levels.append(Level(section, None if section else 0))
            elif is_key and isinstance(event, ScalarEvent):
                first = levels[-1].lines.setdefault(event.value, line)
                levels[-1].key = event.value
                if len(levels[-1].lines) == levels[-1].given:
                    yield f"{_dotted(levels)} is given twice, in lines {first} and {line}; keep one of them"
                levels[-1].given += 1
            else:
                _given(levels)


def _given(levels: list[Level]) -> None:
    """A value has been given: the next key, or element, of the innermost level follows."""
    if levels:
        level = levels[-1]
        level.key = None if level.section else int(level.key or 0) + 1


def _dotted(levels: list[Level]) -> str:
    return ".".join(shown_key(level.key) for level in levels if level.key is not None)


def _fault_of(event: NodeEvent, is_key: bool, depth: int) -> str | None:
    """Why a value or key is refused, as the rest of a sentence; None where it is not."""
    if isinstance(event, AliasEvent):
        return f"refers to an anchor (*{event.anchor}); write the value out"
    if event.anchor is not None:
        return f"has an anchor (&{event.anchor}); take it out"
    if (tag := getattr(event, "tag", None)) is not None:
        return f"has a tag ({tag}); take it out"
    if isinstance(event, ScalarEvent):
        return _fault_of_word(event.value, is_key) if event.implicit[0] else None  # else in quotes
    if is_key:
        return "has a section or a list for a key; give a name"
    if depth >= MOST_LEVELS:
        return f"is more than {MOST_LEVELS} levels deep; settings need fewer"
    return None


def _fault_of_word(text: str, is_key: bool) -> str | None:
    """The same of a scalar that is not in quotes."""
    dvc = str(RESOLVER.resolve(ScalarNode, text, (True, False))).rpartition(":")[2]
    core = next((kind for kind, words in CORE.items() if words.fullmatch(text)), "str")
    if is_key:
        if dvc == "merge":
            return "merges another section (<<); write its settings out"
        return None if dvc == core == "str" else f"has the key {shown(text)}; give a name"
    if dvc in ("int", "float") and len(text) > MOST_DIGITS:
        return f"is a number of {len(text)} digits; give one of at most {MOST_DIGITS}"
    if dvc == core and not (core == "int" and OCTAL_OR_NOT.fullmatch(text)):
        return None
    if dvc in ("int", "float"):
        with suppress(ValueError):  # at -_, which DVC stumbles over
            number = repr(YAML(typ="safe").load(text))
            return f"= {text} is {number} to DVC and not to every reader of YAML; write {number}"
    kinds = {"timestamp": "a date", "value": "a key", "merge": "a merge of sections"}
    return f"= {shown(text)} is {kinds.get(dvc, 'no text')} to DVC; write it in quotes"


def _problem(error: YAMLError) -> str:
    """What the parser says, in one line, and where."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem is None or mark is None:
        return " ".join(str(error).split())[:200]
    return f"{problem} in line {mark.line + 1}"
