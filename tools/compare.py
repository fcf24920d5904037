"""How far two versions of a result are apart, and where they differ first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ctrnn.core import artifacts


def first_difference(mine: Path, other: Path) -> str:
    """The first file, array and element that differ between two versions of a file or folder."""
    if not mine.exists():
        return "the expected files are not here; run dvc checkout to see which element"
    files = sorted(mine.rglob("*")) if mine.is_dir() else [mine]
    for file in files:
        if (
            not file.is_file() or file.name == artifacts.SUMS
        ):  # where each file's digest differs with the file
            continue
        theirs = other / file.relative_to(mine)
        if not theirs.exists():
            return f"{file.name} is missing"
        if file.read_bytes() != theirs.read_bytes():
            for name, array in _arrays(file).items():
                array_there = _arrays(theirs).get(name)
                if array_there is None or array_there.shape != array.shape:
                    return f"{file.name}, the shape of {name}"
                if (differ := _differ(array, array_there)).any():
                    return f"{file.name}, {name}{np.argwhere(differ)[0].tolist()}"
            return file.name
    return "a file more"


def distance(first: Path, other: Path) -> float:
    """Largest difference between two npz or JSON files, relative to the largest element of its array.

    Infinite where texts, shapes or keys differ, or a number and one that is not finite.
    """
    mine, theirs = _numbers(first), _numbers(other)
    if mine.keys() != theirs.keys():
        return float("inf")
    return max((_apart(array, theirs[name]) for name, array in mine.items()), default=0.0)


def _apart(mine: np.ndarray, theirs: np.ndarray) -> float:
    if mine.shape != theirs.shape:
        return float("inf")
    if not (differ := _differ(mine, theirs)).any():
        return 0.0
    if not {mine.dtype.kind, theirs.dtype.kind} <= set("fci"):
        return float("inf")
    off = np.abs(mine[differ] - theirs[differ]).max()  # not finite where one of the two is not
    scale = np.abs(mine[np.isfinite(mine)]).max(initial=0.0)
    return float(off / scale) if scale and np.isfinite(off) else float("inf")


def _differ(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Where two arrays of one shape differ; NaN is the same as NaN."""
    differ = np.asarray(mine != theirs)
    if {mine.dtype.kind, theirs.dtype.kind} <= set("fc"):
        differ &= ~(np.isnan(mine) & np.isnan(theirs))
    return differ


def _numbers(file: Path) -> dict[str, np.ndarray]:
    if file.suffix == ".json":
        return _leaves(artifacts.read_json(file), "")
    return artifacts.read_arrays(file)


def _leaves(value: Any, name: str) -> dict[str, np.ndarray]:
    """Numbers and texts of a JSON file by their place; a list of numbers is one array."""
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        return {
            k: v for key, item in value.items() for k, v in _leaves(item, f"{name}/{key}").items()
        }
    return {name: np.array(value)}


def _arrays(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name; columns of a table; none of another file."""
    if file.suffix == ".npz":
        return artifacts.read_arrays(file)
    if file.suffix == ".safetensors":
        return artifacts.read_weights(file)[0]
    if file.suffix == ".csv":
        table = artifacts.read_table(file)
        return {str(column): table[column].to_numpy() for column in table}
    return {}
