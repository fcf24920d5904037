"""Checkpoints: where a network's training stands, so that it goes on from there with the bits of an undisturbed run.

They lie outside the outputs of the stage, which DVC deletes before it runs, under a key of everything that decides the
network's training: settings, trials, code. A file holds its own hash, is replaced in one step, and the one before it is
kept, so that a torn file costs one interval. Finished networks stay, so that more networks or more iterations train
only what is missing.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

STORE = Path(".checkpoints")
LIMIT = 2 * 1024**3  # bytes; the oldest go first
DIGEST = 32  # bytes of SHA-256 before the arrays

PACKAGE = Path(__file__).parents[1]
# What decides how a network is trained; a test holds it against the imports of this folder.
CODE = (
    "artifacts.py",
    "complaints.py",
    "kernel",
    "network",
    "params.py",
    "streams.py",
    "tasks",
    "training",
)


@dataclass(frozen=True)
class State:
    """Arrays by name, and whatever else JSON can hold."""

    arrays: dict[str, np.ndarray]
    rest: dict[str, Any]


def key(settings: dict[str, Any], trials: Iterable[bytes]) -> str:
    """Hash of settings, trial tables and the code that trains."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for table in trials:
        digest.update(hashlib.sha256(table).digest())
    for part in CODE:
        path = PACKAGE / part
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.suffix in {".py", ".c", ".h"}:
                digest.update(file.relative_to(PACKAGE).as_posix().encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def write(name: str, state: State, store: Path = STORE) -> None:
    """Put a state in place of the one of this name; that one is kept as the one before."""
    store.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    rest = np.frombuffer(json.dumps(state.rest).encode(), np.uint8)
    np.savez(stream, allow_pickle=False, rest=rest, **state.arrays)
    content = stream.getvalue()
    new, current, before = _files(name, store)
    with new.open("wb") as file:
        file.write(hashlib.sha256(content).digest() + content)
        file.flush()
        os.fsync(file.fileno())
    if current.exists():
        current.replace(before)
    new.replace(current)


def read(name: str, store: Path = STORE) -> State | None:
    """The state of this name, or the one before where it is torn; None where there is neither."""
    _, *candidates = _files(name, store)
    for path in candidates:
        if path.exists():
            content = path.read_bytes()
            if hashlib.sha256(content[DIGEST:]).digest() == content[:DIGEST]:
                with np.load(io.BytesIO(content[DIGEST:]), allow_pickle=False) as stored:
                    arrays = {array: stored[array] for array in stored.files}
                return State(arrays, json.loads(arrays.pop("rest").tobytes()))
    return None


def prune(store: Path = STORE, limit: int = LIMIT) -> None:
    """Delete the oldest files until the store takes no more than `limit` bytes."""
    files = sorted(store.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
    total = 0
    for file in files:
        total += file.stat().st_size
        if total > limit:
            file.unlink(missing_ok=True)


def _files(name: str, store: Path) -> tuple[Path, Path, Path]:
    return store / f"{name}.part", store / f"{name}.state", store / f"{name}.state-before"
