"""Reads dvc.lock: what a task's results were computed from, and the hash that stands for all of it.

While `dvc repro` runs a stage, dvc.lock already holds the entries of the stages before it, also of
those that were restored from the run-cache.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from ctrnn.complaints import Complaint

STAGES = ("generate", "train", "evaluate", "analyze")
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML has it


class LockError(Complaint, ValueError):
    """dvc.lock is missing or does not hold the results of a task."""


def chain(task: str, root: str | Path = ".") -> dict[str, dict[str, Any]]:
    """Entries `<stage>@<task>` of every stage of STAGES: cmd, deps, params and outs with hashes.

    Raises LockError where the file or an entry is missing.
    """
    return _entries(Path(root) / "dvc.lock", [f"{stage}@{task}" for stage in STAGES])


def chain_of(stages: dict[str, dict[str, Any]], task: str) -> dict[str, dict[str, Any]]:
    """The same, from `stages` of a dvc.lock that has been read. Raises KeyError where an entry is missing."""
    return {name: stages[name] for name in (f"{stage}@{task}" for stage in STAGES)}


def n_figures(task: str, root: str | Path = ".") -> int:
    """Number of figures of a task that were published. Raises LockError as `chain` does."""
    name = f"publish@{task}"
    deps = _entries(Path(root) / "dvc.lock", [name])[name]["deps"]
    return sum(dep["nfiles"] for dep in deps if dep["path"] == f"reports/figures/{task}")


def content_key(entries: dict[str, dict[str, Any]]) -> str:
    """Hash (32 hexadecimal digits) of entries of dvc.lock, whatever the order of their keys."""
    canonical = json.dumps(entries, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def out_hashes(entries: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Path of every out of the entries -> its hash in the DVC cache."""
    outs = [out for entry in entries.values() for out in entry.get("outs", [])]
    return {out["path"]: str(out[out.get("hash", "md5")]) for out in outs}


def as_text(entries: dict[str, dict[str, Any]]) -> str:
    """The entries as a dvc.lock of their own, without those of other tasks."""
    return yaml.safe_dump({"schema": "2.0", "stages": entries}, sort_keys=False)


def _entries(path: Path, names: list[str]) -> dict[str, dict[str, Any]]:
    try:
        stages = (yaml.load(path.read_text(), Loader=FAST) or {}).get("stages", {})
    except FileNotFoundError:
        raise LockError(f"{path} does not exist; run dvc repro first") from None
    for name in names:
        if name not in stages:
            raise LockError(f"{path} has no entry {name}; run dvc repro {name} first")
    return {name: stages[name] for name in names}
