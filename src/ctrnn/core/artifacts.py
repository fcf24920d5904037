"""Typed read and write of every file that crosses a stage.

artifacts/<stage>/<task>/ holds arrays, weights and tables, reports/<stage>/<task>.json the metrics. The same content
gives the same bytes on every machine: no dates, no machine, floats written to their shortest exact form. Settings stand
in what was made with them (of training beside the weights, of evaluate and analyze in settings.json), so that a stage
that reads it need not name them among its params.

SHA256SUMS in such a folder has the digest and the path in the checkout of every file in it; a weights file has a digest
of its own, which it takes along wherever it is copied to. Reading compares them, and raises ArtifactError where a file
is missing, damaged or of another task, or where a stage's folder has no SHA256SUMS. Weights from before there were
digests, and copies elsewhere, are read without.

`mean_sd` and `rounded` word the numbers of a population as the metrics hold them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar
from zipfile import ZipFile, ZipInfo

import numpy as np
import pandas as pd
import safetensors.numpy

from ctrnn.errors import UserError, shown

SPLITS = ("train", "validation", "test")
SUMS = "SHA256SUMS"
WITH_SUMS = ("generate", "train", "evaluate", "analyze")  # stages, whose folders have it

T = TypeVar("T")


class ArtifactError(UserError, ValueError):
    """A file of a stage is missing, damaged or another's. fault: what is wrong with it, without its path and remedy."""

    fault: str


def error(path: Path, fault: str) -> ArtifactError:
    """The error that says what is wrong with a file, and the command that makes the file again."""
    remedy = "take a copy of it that is whole, or train the network again"
    if {"artifacts", "reports"} & set(path.absolute().parts):
        remedy = "make repro makes it again"
    made = ArtifactError(f"{path} {fault}; {remedy}")
    made.fault = fault
    return made


def folder(stage: str, task: str, root: str | Path = ".") -> Path:
    """artifacts/<stage>/<task>, made where it is missing. Raises ArtifactError where it is a link or a file."""
    path = _made(Path(root) / "artifacts" / stage / _plain(task))
    if (
        path.is_symlink()
    ):  # DVC's report does not look into it, and its stages write to wherever it leads
        raise error(path, "is a symbolic link")
    return path


def metrics_path(stage: str, task: str, root: str | Path = ".") -> Path:
    """reports/<stage>/<task>.json; its folder is made where it is missing."""
    file = f"{_plain(task)}.json"
    return _made(Path(root) / "reports" / stage) / file


def curve_path(task: str, root: str | Path = ".") -> Path:
    """reports/train/<task>.csv, the learning curve that `dvc plots` shows; its folder is made where it is missing."""
    return metrics_path("train", task, root).with_suffix(".csv")


# In place of a task's figures where none are wanted: DVC keeps no empty folder.
NO_FIGURES = "none.txt"


def figures_folder(task: str, root: str | Path = ".") -> Path:
    """reports/figures/<task>, made where it is missing."""
    return _made(Path(root) / "reports" / "figures" / _plain(task))


def replace(path: Path, content: bytes | str) -> None:
    """Write a file in one step, in place of the old one, which may be a link into DVC's cache. A text is UTF-8."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(part, path)
    except (IsADirectoryError, PermissionError) as refused:
        raise error(path, f"cannot be written ({refused.strerror})") from None


def write_sums(folder: Path) -> None:
    """SHA256SUMS of artifacts/<stage>/<task>, when all else is written: `sha256sum --check` reads it at the root."""
    place = "/".join(("artifacts", *folder.absolute().parts[-2:]))
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name != SUMS)
    lines = [f"{_sha256(file.read_bytes())}  {place}/{file.name}\n" for file in files]
    replace(folder / SUMS, "".join(lines))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """A table as CSV without its index."""
    replace(path, table.to_csv(index=False, lineterminator="\n"))


def read_table(path: Path) -> pd.DataFrame:
    """A table that `write_table` wrote. Floats come back exactly, by pandas 3.1 or later."""
    return _read(path, "table", lambda content: pd.read_csv(BytesIO(content)))


def write_json(path: Path, content: Any) -> None:
    """Metrics or a summary as indented JSON. Raises ValueError on a number that is not finite."""
    replace(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return _read(path, "JSON", json.loads)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Named arrays as an npz. Compressed, its bytes would depend on zlib; from np.savez, on the release of Python."""
    whole = BytesIO()
    with ZipFile(whole, "w") as archive:
        for name, array in arrays.items():
            content = BytesIO()
            np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
            member = ZipInfo(f"{name}.npy")  # dated 1980
            member.create_system = 3  # Unix, on whatever system
            archive.writestr(member, content.getvalue())
    replace(path, whole.getvalue())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz, all in memory, read-only."""

    def parse(content: bytes) -> dict[str, np.ndarray]:
        with np.load(BytesIO(content), allow_pickle=False) as stored:
            return {name: locked(stored[name]) for name in stored.files}

    return _read(path, "npz", parse)


def write_weights(
    path: Path, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> None:
    """Arrays of a network as safetensors, with the settings that made it as JSON under metadata key `settings`.

    `digest` in this JSON is that of the arrays and of all else in it.
    """
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    header = json.dumps({**settings, "digest": _digest(contiguous, settings)}, sort_keys=True)
    # One metadata key only: safetensors writes several in an order that changes from run to run.
    replace(path, safetensors.numpy.save(contiguous, {"settings": header}))


def read_weights(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays, read-only, and settings that `write_weights` wrote."""

    def parse(content: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        arrays = {name: locked(array) for name, array in safetensors.numpy.load(content).items()}
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return arrays, dict(json.loads(header["__metadata__"]["settings"]))

    arrays, settings = _read(path, "safetensors file with settings", parse)
    digest = settings.pop("digest", None)
    from_before = digest is None and "kind" not in settings
    if not from_before and digest != _digest(arrays, settings):
        raise error(path, "is damaged: the digest in it is not that of its arrays and settings")
    return arrays, settings


def locked(array: np.ndarray) -> np.ndarray:
    """The array, which from now on cannot be written to."""
    array.flags.writeable = False
    return array


def _digest(arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> str:
    """SHA-256 over settings, and over name, kind, shape and bytes of every array."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.data)
    return digest.hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _plain(task: str) -> str:
    """The name of a task. Raises UserError where it would lead to another folder than one of this name."""
    if re.fullmatch(r"\w[\w.-]*", task):
        return task
    raise UserError(
        f"{shown(task)} is not the name of a task; give letters, digits and _ alone, as in params.yaml"
    )


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        wrong = next(path for path in (*reversed(folder.parents), folder) if not path.is_dir())
        raise error(wrong, "is not a folder") from None
    return folder


def _read(path: Path, kind: str, parse: Callable[[bytes], T]) -> T:
    """What a parser makes of a file, whose digest is first compared."""
    try:
        if not path.is_file():
            raise error(path, "is not a file" if os.path.lexists(path) else "does not exist")
        content = path.read_bytes()
        _compare(path, content)
    except OSError as refused:
        raise error(path, f"cannot be read ({refused.strerror})") from None
    try:
        return parse(content)
    except Exception:  # a parser of another project says many things of a damaged file
        raise error(path, f"is damaged: it is not a {kind}") from None


def _compare(path: Path, content: bytes) -> None:
    """Raises ArtifactError where SHA256SUMS beside a file is missing, or names another digest, stage or task."""
    sums, here = path.with_name(SUMS), path.absolute().parts[-4:]
    if not sums.is_file():
        if path.suffix != ".safetensors" and here[0] == "artifacts" and here[1] in WITH_SUMS:
            raise error(path, f"may be damaged: there is no {SUMS} beside it")
        return
    lines = (line.split("  ", 1) for line in sums.read_text(errors="replace").splitlines())
    entries = {
        Path(name).name: (digest, Path(name).parts) for digest, *rest in lines for name in rest
    }
    digest, place = entries.get(path.name, ("", ()))
    if digest != _sha256(content):
        raise error(path, f"is damaged: its digest is not the one in {SUMS} beside it")
    if here[0] == "artifacts" and here != place:
        raise error(path, f"is a copy of {'/'.join(place)}")


DIGITS = 6  # of a reported number: more than that, LAPACK does not give alike on two machines


def mean_sd(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean and standard deviation (n - 1; null below two values) over networks, and the values themselves."""
    numbers = [value for value in values if value is not None]
    return {
        "mean": float(np.mean(numbers)) if numbers else None,
        "sd": float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None,
        "per_network": list(values),
    }


def rounded(content: Any, digits: int = DIGITS) -> Any:
    """The same, each float rounded to so many significant digits; one that is not finite becomes None."""
    if isinstance(content, dict):
        return {name: rounded(value, digits) for name, value in content.items()}
    if isinstance(content, list):
        return [rounded(value, digits) for value in content]
    if isinstance(content, float):
        return float(f"{content:.{digits}g}") if np.isfinite(content) else None
    return content
