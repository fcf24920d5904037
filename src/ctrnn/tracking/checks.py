"""Whether what lies on disk belongs together: dvc.lock describes a run, so its files have to be those of dvc.lock.

DVC notes the settings of a stage when it has ended: of a params.yaml that was edited meanwhile, dvc.lock holds what
did not make the results. The results hold what did.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pathspec import GitIgnoreSpec

from ctrnn import lock
from ctrnn.lock import Entry, LockError

DATA = ("artifacts/", "reports/")


def fit(entries: Mapping[str, Entry], root: Path, outs: tuple[str, ...] = DATA) -> None:
    """Whether files are those that entries of dvc.lock name, each computed from the others.

    outs: which of their outs, by how the paths begin. Raises LockError where they do not fit.
    """
    made: dict[str, str] = {}
    for name, entry in entries.items():
        for path, digest in lock.files(entry, "outs").items():
            if path.startswith(outs) and hash_of(root / path, root) != digest:
                raise LockError(
                    f"{root / path} is not what dvc.lock says that {name} made; {lock.remedy(name)}"
                )
            made[path] = digest
    for name, entry in entries.items():
        for path, digest in lock.files(entry, "deps").items():
            if path.startswith(DATA) and digest != (made.get(path) or hash_of(root / path, root)):
                raise LockError(
                    f"dvc.lock's {name} was computed from another {path} than there is now; {lock.remedy(name)}"
                )


def made_with(where: Path, kept: Any, noted: Any, stage: str, key: str = "") -> None:
    """Raises LockError where settings that a stage kept with its results are not those of its entry in dvc.lock.

    kept, noted: sections or values; what only one of them has is of other code, and does not count.
    """
    if isinstance(kept, Mapping) and isinstance(noted, Mapping):
        for name in kept.keys() & noted.keys():
            made_with(where, kept[name], noted[name], stage, f"{key}.{name}".strip("."))
    elif kept != noted:
        raise LockError(
            f"{where} was made with {key} = {kept!r}, and dvc.lock says {noted!r}: params.yaml was edited while "
            f"{stage} ran; run dvc repro --force --single-item {stage}, then make repro"
        )


def same_code(entries: Mapping[str, Entry], root: Path) -> bool:
    """Whether the code of the checkout is still that which made the results."""
    digests = {
        path: digest
        for entry in entries.values()
        for path, digest in lock.files(entry, "deps").items()
    }
    code = {path: digest for path, digest in digests.items() if not path.startswith(DATA)}
    try:
        return all(hash_of(root / path, root) == digest for path, digest in code.items())
    except LockError:
        return False


def hash_of(path: Path, root: Path) -> str:
    """DVC's hash of a file or a folder of the checkout. Raises LockError where a file is none of its own."""
    if path.is_symlink() or not path.is_dir():
        regular(path, root)
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "md5").hexdigest()
        except OSError as error:
            raise LockError(f"{path} cannot be read ({error.strerror}); make it readable") from None
    listed = [
        {"md5": hash_of(file, root), "relpath": file.relative_to(path).as_posix()}
        for file in _files(path, root)
    ]
    listed.sort(key=lambda entry: entry["relpath"])
    return hashlib.md5(json.dumps(listed).encode(), usedforsecurity=False).hexdigest() + ".dir"


def regular(path: Path, root: Path) -> None:
    """Raises LockError where a path is no regular file of the checkout, nor a link to one in DVC's cache."""
    try:
        sound, link = stat.S_ISREG(path.stat().st_mode), path.is_symlink()
        target = path.resolve()
    except (FileNotFoundError, NotADirectoryError):
        raise LockError(f"{path} does not exist; run dvc repro, or dvc checkout, first") from None
    except OSError as error:  # of links in a circle, for one
        raise LockError(
            f"{path} cannot be read ({error.strerror}); remove it, then run dvc repro, or dvc checkout"
        ) from None
    own = target == root.resolve() / path.relative_to(root)
    if not sound or not (own or (link and target.is_relative_to(_cache(root)))):
        raise LockError(
            f"{path} is no regular file of the checkout; remove it, then run dvc repro, or dvc checkout"
        )


def _files(folder: Path, root: Path) -> Iterator[Path]:
    """Files below a folder, but for those that DVC ignores."""
    patterns = root / ".dvcignore"
    ignored = GitIgnoreSpec.from_lines(
        patterns.read_text(errors="replace").splitlines() if patterns.exists() else []
    )
    for inner, _, names in os.walk(folder):
        for path in (Path(inner, name) for name in names):
            if not ignored.match_file(path.relative_to(root).as_posix()):
                yield path


@cache
def _cache(root: Path) -> Path:
    """DVC's cache, to which artifacts are links where cache.type says so. It takes DVC a second to tell."""
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    folder = done.stdout.strip()
    return Path(folder).resolve() if folder and not done.returncode else root / ".dvc" / "cache"
