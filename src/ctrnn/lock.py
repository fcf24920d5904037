"""Reads dvc.lock: what a task's results were computed from, and the hash that stands for all of it.

While `dvc repro` runs a stage, dvc.lock already holds the entries of the stages before it, also of
those that were restored from the run-cache.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from ctrnn.errors import UserError

STAGES = ("generate", "train", "evaluate", "analyze")
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML has it

Entry = dict[str, Any]


class LockError(UserError, ValueError):
    """dvc.lock is missing or damaged, or it does not hold the results of a task, or not such as fit together."""


def chain(task: str, root: str | Path = ".") -> dict[str, Entry]:
    """Entries `<stage>@<task>` of every stage of STAGES: cmd, deps, params and outs with hashes.

    Raises LockError where the file or an entry is missing or damaged.
    """
    return _entries(Path(root) / "dvc.lock", [f"{stage}@{task}" for stage in STAGES])


def chain_of(stages: dict[str, Entry], task: str) -> dict[str, Entry]:
    """The same, from `stages` of a dvc.lock that has been read. Raises KeyError where an entry is missing."""
    return {name: stages[name] for name in (f"{stage}@{task}" for stage in STAGES)}


def report(root: str | Path = ".") -> dict[str, Entry]:
    """The entry of the stage report. Raises LockError as `chain` does."""
    return _entries(Path(root) / "dvc.lock", ["report"])


def n_figures(task: str, root: str | Path = ".") -> int:
    """Number of figures of a task that were published. Raises LockError as `chain` does."""
    name = f"publish@{task}"
    deps = _entries(Path(root) / "dvc.lock", [name])[name]["deps"]
    return sum(dep["nfiles"] for dep in deps if dep["path"] == f"reports/figures/{task}")


def content_key(entries: dict[str, Entry]) -> str:
    """Hash (32 hexadecimal digits) of entries of dvc.lock, whatever the order of their keys."""
    canonical = json.dumps(entries, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def out_hashes(entries: dict[str, Entry]) -> dict[str, str]:
    """Path of every out of the entries -> its hash in the DVC cache."""
    return {
        path: digest for entry in entries.values() for path, digest in files(entry, "outs").items()
    }


def files(entry: Entry, which: str) -> dict[str, str]:
    """Path -> hash of the `outs`, or of the `deps`, of an entry."""
    return {
        file["path"]: str(file.get(file.get("hash", "md5"), "")) for file in entry.get(which, [])
    }


def as_text(entries: dict[str, Entry]) -> str:
    """The entries as a dvc.lock of their own, without those of other tasks."""
    return yaml.safe_dump({"schema": "2.0", "stages": entries}, sort_keys=False)


def settings(entries: dict[str, Entry]) -> dict[str, Any]:
    """Settings that stages of one chain used, by the keys of dvc.yaml: `network` a section, `train.n_networks` a value.

    Raises LockError where two stages used different values.
    """
    values: dict[str, Any] = {}
    users: dict[str, str] = {}
    for name, entry in entries.items():
        for key, value in entry.get("params", {}).get("params.yaml", {}).items():
            value = numbers(value)
            if values.setdefault(key, value) != value:
                raise LockError(
                    f"dvc.lock holds results of different settings: {users[key]} used {key} = {values[key]!r}, {name} "
                    f"{value!r}; {remedy(name)}"
                )
            users[key] = name
    return values


def remedy(name: str) -> str:
    """The command that makes an entry anew where it, or what it was computed from, has changed."""
    stage, _, task = name.partition("@")
    return f"run dvc repro {f'publish@{task}' if task else stage}"


def numbers(value: Any) -> Any:
    """The value with its numbers: DVC writes 1e-08, which PyYAML reads as a text."""
    if isinstance(value, dict):
        return {key: numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [numbers(inner) for inner in value]
    like_one = isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value)
    return float(value) if like_one else value


def _entries(path: Path, names: list[str]) -> dict[str, Entry]:
    if not path.exists():
        raise LockError(f"{path} does not exist; run dvc repro first")
    try:
        if not path.is_file():
            raise OSError  # a pipe would be waited for
        stages = (yaml.load(path.read_bytes(), Loader=FAST) or {}).get("stages") or {}
        entries = {name: stages[name] for name in names if name in stages}
        TypeAdapter(dict[str, _Entry]).validate_python(entries)
    except (
        OSError,
        yaml.YAMLError,
        ValueError,
        TypeError,
        AttributeError,
    ):  # pydantic's are ValueErrors
        raise LockError(
            f"{path} is damaged; take it from git (git checkout dvc.lock), or remove it, and run make repro"
        ) from None
    for name in names:
        if name not in entries:
            raise LockError(f"{path} has no entry {name}; run dvc repro {name} first")
    return entries


class _File(BaseModel):
    """A dep or an out, with what else DVC writes."""

    model_config = ConfigDict(strict=True)
    path: str
    hash: str = "md5"


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True)
    deps: list[_File] = []
    params: dict[str, dict[str, Any]] = {}
    outs: list[_File] = []
