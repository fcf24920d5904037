"""The checkout that a sweep belongs to: its commit, its experiments, and where a sweep keeps its own files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ctrnn import lock
from ctrnn.sweep.points import SweepError

CODE = ("src", "stages", "dvc.yaml")  # of an experiment; with its settings, they decide its results


@dataclass(frozen=True)
class Experiment:
    """A finished DVC experiment. ref: its git reference; keys: task -> content key of its MLflow run."""

    name: str
    ref: str
    keys: dict[str, str]


@dataclass(frozen=True)
class Checkout:
    """A main checkout. Its `.dvc/tmp/exps` is where DVC itself keeps the folders of temporary experiments."""

    root: Path

    @property
    def folder(self) -> Path:
        """Clones, logs and records of sweeps; on a cluster every node sees it."""
        return self.root / ".dvc" / "tmp" / "exps" / "sweep"

    def log(self, name: str) -> Path:
        """What a point said."""
        return self.folder / "logs" / f"{name}.log"

    def record(self, name: str) -> Path:
        """What a point took: seconds by stage, bytes."""
        return self.folder / "records" / f"{name}.json"

    @cached_property
    def commit(self) -> str:
        """The last commit, which a sweep runs. Raises SweepError where files that decide results are not committed."""
        changes = self.git("status", "--porcelain", "--", *CODE, "params.yaml")
        if changes:
            raise SweepError(
                f"{changes.split()[1]} is not committed; a sweep runs the last commit, so commit it first"
            )
        return self.git("rev-parse", "HEAD").strip()

    def experiments(self, names: Collection[str] | None = None) -> dict[str, Experiment]:
        """Finished experiments of the code of this commit, all or those of these names, by name."""
        listed = self.git("for-each-ref", "--format=%(refname)", "refs/exps/").split()
        parts = [ref.split("/") for ref in listed]  # refs/exps/ab/cdef.../name
        refs = [
            "/".join(part)
            for part in parts
            if len(part) == 5 and (names is None or part[-1] in names)
        ]
        now = self._trees(["HEAD"])
        same = {ref: trees for ref, trees in self._trees(refs).items() if trees == now["HEAD"]}
        locks = self._files([f"{ref}:dvc.lock" for ref in same])
        return {
            ref.rpartition("/")[2]: Experiment(ref.rpartition("/")[2], ref, keys_of(text))
            for ref, text in zip(same, locks, strict=True)
        }

    def git(self, *command: str, stdin: str | None = None) -> str:
        """Output of a git command. Raises SweepError with its last line where it fails."""
        done = subprocess.run(
            ["git", *command],
            cwd=self.root,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SweepError(
                f"git {command[0]} failed in {self.root} "
                f"({(done.stderr.strip().splitlines() or ['no message'])[-1]}); a sweep needs a git checkout"
            )
        return done.stdout

    def _trees(self, refs: list[str]) -> dict[str, tuple[str, ...]]:
        """Hashes of CODE in commits."""
        asked = "".join(f"{ref}:{part}\n" for ref in refs for part in CODE)
        told = self.git("cat-file", "--batch-check", stdin=asked).splitlines()
        n = len(CODE)
        return {ref: tuple(told[i * n : (i + 1) * n]) for i, ref in enumerate(refs)}

    def _files(self, names: list[str]) -> list[str]:
        """What files of commits hold."""
        told = self.git("cat-file", "--batch", stdin="".join(f"{name}\n" for name in names))
        texts, at = [], 0
        for _ in names:
            begin = told.index("\n", at) + 1
            end = begin + int(told[at:begin].split()[2])  # bytes; dvc.lock is ASCII
            texts.append(told[begin:end])
            at = end + 1
        return texts


def keys_of(text: str) -> dict[str, str]:
    """Task -> content key of its run, from what a dvc.lock holds."""
    stages = yaml.load(text, Loader=lock.FAST)["stages"]
    tasks = [name.partition("@")[2] for name in stages if name.startswith("publish@")]
    return {task: lock.content_key(lock.chain_of(stages, task)) for task in tasks}


def read_record(path: Path) -> dict[str, Any] | None:
    """A record, None where there is none or it is torn."""
    try:
        read: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return read
