"""The schema of params.yaml in words: what is wrong with a setting, what is allowed, what an unknown key meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from ctrnn.complaints import LONG, nearest, shown, shown_key

UNKNOWN = ("extra_forbidden", "invalid_key")  # pydantic's words for a key that is not a setting


def first_complaint(
    error: ValidationError, section: type[BaseModel], where: str, every_key: Sequence[str]
) -> str:
    """The first of pydantic's errors as one sentence; `where` is the dotted key of the section.

    every_key: all settings that there are, by dotted key, of which the one is told that an unknown one may mean.
    """
    errors = error.errors(include_url=False)
    # A misspelled key is also a missing one: the misspelling says more.
    first = min(errors, key=lambda one: one["type"] not in UNKNOWN)
    # What stands in brackets is the tag of a choice.
    inside = [part for part in first["loc"] if not str(part).startswith("(")]
    key = ".".join([*filter(None, [where]), *map(shown_key, inside)])
    if first["type"] in UNKNOWN:
        parent = ".".join([*filter(None, [where]), *map(str, inside[:-1])])
        siblings = [f"{parent}.{name}" if parent else name for name in _keys(section, inside[:-1])]
        return f"{key} is not a setting; {_meant(str(inside[-1]), parent, siblings, every_key)}"
    if first["type"] == "missing":
        return f"{key} is missing; give {_allowed(section, inside)}"
    if first["type"] == "string_unicode":
        return f"{shown(first['input'])} is not a text in Unicode; give other characters"
    if first["type"] == "value_error":
        dot = f"{key}." if key else ""
        return dot + str(first["ctx"]["error"]).replace("{section}.", dot)
    return f"{key} = {shown(first['input'])} is not allowed; give {_allowed(section, inside)}"


def keys_of(section: type[BaseModel], where: str = "") -> list[str]:
    """Dotted keys of every setting and section below a section, whose own dotted key is `where`."""
    root = _schema_of(section)

    def below(schema: dict[str, Any], at: str) -> list[str]:
        found = []
        for choice in _choices(schema, root):
            for name, one in choice.get("properties", {}).items():
                key = f"{at}.{name}" if at else name
                found += [key, *below(one, key)]
        return found

    return below(root, where)


def _meant(name: str, parent: str, siblings: Sequence[str], every_key: Sequence[str]) -> str:
    """What an unknown key of a section may have meant."""
    for dotted in (name, f"{parent}.{name}"):
        if "." in name and dotted in every_key:
            section, _, last = dotted.rpartition(".")
            return f"write {last} in the section {section}"
    remedy = nearest(f"{parent}.{name}" if parent else name, siblings)
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


def _allowed(section: type[BaseModel], path: Sequence[Any]) -> str:
    return _words(_schema(section, path))


def _schema(section: type[BaseModel], path: Sequence[Any]) -> dict[str, Any]:
    """The JSON schema of the setting at `path` below a section."""
    at = root = _schema_of(section)
    for part in path:
        choices = _choices(at, root)
        found = (
            choice.get("properties", {}).get(part) or choice.get("items") for choice in choices
        )
        at = next(filter(None, found), {})
    return _follow(at, root)


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
            return " or ".join(_words(one) for one in schema[choice])
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


def _words_of_list(schema: dict[str, Any]) -> str:
    kind, *bounds = re.split(r"(?<=number)", _words(schema["items"]).removeprefix("a "), maxsplit=1)
    elements = f"{kind}s{''.join(bounds)}" if bounds else "sections of their own"
    most = f"at most {schema['maxItems']} " if "maxItems" in schema else ""
    return (
        f"a list, {'not empty' if schema.get('minItems') else '[] for none'}, of {most}{elements}"
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:g}"
