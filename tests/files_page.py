"""docs/reference/files.md as data: what it says of every file of a stage, and what of a file it does not say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "files.md"
OPTIONAL = "only where"  # in the meaning of a row: not in the files of every task
MEAN_SD = {"mean", "sd", "per_network"}
TYPES = {"str": str, "int": int, "float": float, "bool": bool, "list": list}
# Axes that have one length in all files of a task; of the others one in each file, where names are spelled out.
SHARED = (
    {"network", "unit", "post", "pre", "time", "trial", "channel", "output", "condition"}
    | {"component", "dose", "input", "measure"}
)  # fmt: skip
SAME = {"post": "unit", "pre": "unit"}


@dataclass
class File:
    """A section of the page: who reads the file, and its rows as (name, shape or "", type, meaning)."""

    readers: set[str]
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)


@cache
def page() -> dict[str, File]:
    """Every file of the page by its path, with `<task>` and the like in it."""
    files: dict[str, File] = {}
    for section in PAGE.read_text().split("\n## ")[1:]:
        if not (path := re.match(r"`(.+)`\n", section)):
            continue
        (readers,) = re.findall(r"^Read by: ([^.]+)\.", section, re.MULTILINE)
        rows = re.findall(r"^\| `(.+?)` \| (?:\[(.*?)\] \| )?(\w+) \| (.+) \|$", section, re.MULTILINE)  # fmt: skip
        files[path[1]] = File(set(readers.split(", ")) - {"nobody"}, rows)
    return files


def matches(pattern: str, name: str) -> bool:
    """Whether a name of the page, in which `<...>` stands for any word, is that of a file, array, column or key."""
    return bool(re.fullmatch(re.sub(r"<\w+>", "[^/]+?", re.sub(r"[.*+]", r"\\\g<0>", pattern)), name))  # fmt: skip


def file_of(path: str) -> File | None:
    """What the page says of a file of a checkout; None where it does not name it."""
    return next((file for pattern, file in page().items() if matches(pattern, path)), None)


def names_in(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys of JSON and their values; numbers of networks are one value."""
    for key, value in content.items():
        if isinstance(value, dict) and not set(value) >= MEAN_SD:
            yield from names_in(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def read(path: Path) -> dict[str, Any]:
    """Arrays of a file, columns of a table, or values of JSON, by their names; nothing of a picture or a page."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return dict(arrays)
    if path.suffix == ".safetensors":
        return dict(load_file(path))
    if path.suffix == ".csv":
        return {str(name): column.to_numpy() for name, column in pd.read_csv(path).items()}
    return dict(names_in(json.loads(path.read_text()))) if path.suffix == ".json" else {}


def wrong_in(where: str, contents: Mapping[str, Any], lengths: dict[str, int]) -> Iterator[str]:
    """What the page lacks or says otherwise of a file. lengths: of shared axes, which grow from file to file."""
    file = file_of(where)
    own: dict[str, int] = {}
    for name, value in contents.items():
        rows = [row for row in file.rows if matches(row[0], name)] if file else []
        if not rows:
            yield f"{where}: the page has no line for {name}"
            continue
        pattern, shape, kind, _ = rows[0]
        if not is_of(kind, value):
            yield f"{where}: {name} is not {kind}"
        if not shape:
            continue
        axes = [SAME.get(axis, axis) for axis in shape.split(", ")]
        if len(axes) != np.ndim(value):
            yield f"{where}: {name} has not the axes {axes}"
            continue
        for axis, length in zip(axes, np.shape(value), strict=True):
            known = lengths if axis in SHARED else own if "<" not in pattern else {}
            expected = int(axis) if axis.isdigit() else known.setdefault(axis, length)
            if length != expected:
                yield f"{where}: {name} has {length} along {axis}, which is {expected} elsewhere"


def is_of(kind: str, value: Any) -> bool:
    """Whether a value is of the type that the page gives it."""
    if kind == "any":
        return True
    if kind == "mean_sd":
        return isinstance(value, dict) and set(value) == MEAN_SD
    if isinstance(value, np.ndarray):
        if kind == "str":
            return value.dtype.kind in "UOT" or not value.size  # numpy makes floats of no names
        return bool(value.dtype == np.dtype(kind))
    return type(value) is TYPES[kind]


def missing_in(where: str, names: Iterable[str]) -> list[str]:
    """Lines of the page for names that a file does not have, though it is not said to lack them at times."""
    file, names = file_of(where), list(names)
    return [
        f"{where}: there is no {row[0]}"
        for row in (file.rows if file else [])
        if OPTIONAL not in row[3] and not any(matches(row[0], name) for name in names)
    ]
