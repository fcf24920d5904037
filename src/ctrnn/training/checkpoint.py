"""Checkpoints: where a network's training stands, so that it goes on from there with the bits of an undisturbed run.

They lie outside the outputs of the stage, which DVC deletes before it runs, under a key of everything that decides the
network's training: settings, trials, code. A file holds its own hash and name, is replaced in one step, and the one
before it is kept, so that a torn file costs one interval. Finished networks stay, so that more networks or more
iterations train only what is missing.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from ctrnn.errors import UserError

STORE = Path(".checkpoints")
LIMIT = 2 * 1024**3  # bytes; the oldest go first
LEFT = 3600  # seconds after which nobody writes a half-written file any more
# Something else has the name of the store or of a file, or nobody may write there.
IN_THE_WAY = (
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ENOTEMPTY,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
)
DIGEST = 32  # bytes of SHA-256 before the arrays

PACKAGE = Path(__file__).parents[1]
# What decides how a network is trained; a test holds it against the imports of this folder.
CODE = ("core", "dynamics", "kernel", "network", "tasks", "training")


class CheckpointError(UserError):
    """Checkpoints cannot be kept."""


@dataclass(frozen=True)
class Checkpoint:
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


def write(name: str, state: Checkpoint, store: Path = STORE) -> None:
    """Put a state in place of the one of this name; that one is kept as the one before.

    Raises CheckpointError where something else has the name of the store or of the file.
    """
    stream = io.BytesIO()
    header = np.frombuffer(json.dumps({"name": name, "rest": state.rest}).encode(), np.uint8)
    np.savez(stream, allow_pickle=False, told=header, **state.arrays)
    content = stream.getvalue()
    current, before = _files(name, store)
    # A name of its own: points of a sweep may train the same network at once.
    new = store / f"{name}.{uuid4().hex}.part"
    try:
        store.mkdir(parents=True, exist_ok=True)
        with new.open("wb") as file:
            file.write(hashlib.sha256(content).digest() + content)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            current.replace(before)
        new.replace(current)
    except OSError as refused:
        if refused.errno not in IN_THE_WAY:
            raise
        with suppress(OSError):
            new.unlink()
        raise _cannot_keep(refused.filename2 or refused.filename, refused.strerror) from None


def read(name: str, store: Path = STORE) -> Checkpoint | None:
    """The state of this name, or the one before where it is torn or another's; None where there is neither.

    Raises CheckpointError where the store is no folder, before anything has been trained that could not be kept.
    """
    if os.path.lexists(store) and not store.is_dir():
        raise _cannot_keep(store, "it is not a folder")
    for path in filter(Path.is_file, _files(name, store)):
        # Another training renames it, the disk fails, or it is not one of ours.
        with suppress(OSError, ValueError, LookupError):
            content = path.read_bytes()
            if hashlib.sha256(content[DIGEST:]).digest() == content[:DIGEST]:
                with np.load(io.BytesIO(content[DIGEST:]), allow_pickle=False) as stored:
                    arrays = {array: stored[array] for array in stored.files}
                header = json.loads(arrays.pop("told").tobytes())
                if header["name"] == name:
                    return Checkpoint(arrays, header["rest"])
                print(f"train: {path} is a copy of {header['name']} and is not used", flush=True)
    return None


def prune(store: Path = STORE, limit: int = LIMIT) -> None:
    """Delete the oldest files until the store takes no more than `limit` bytes, and what killed writers left.

    Another training may rename or delete any of the files meanwhile.
    """
    files = []
    for file in store.iterdir():
        with suppress(FileNotFoundError):
            files.append((file.stat(), file))
    files.sort(key=lambda entry: entry[0].st_mtime, reverse=True)
    total, now = 0, time.time()
    for status, file in files:
        total += status.st_size
        if total > limit or (file.suffix == ".part" and now - status.st_mtime > LEFT):
            file.unlink(missing_ok=True)


def _cannot_keep(path: object, why: object) -> CheckpointError:
    return CheckpointError(
        f"checkpoints cannot be kept in {path} ({why}); move it away, then the same command goes on"
    )


def _files(name: str, store: Path) -> tuple[Path, Path]:
    return store / f"{name}.state", store / f"{name}.state-before"
