"""The checkout that a sweep belongs to: its commit, its experiments, and where a sweep keeps its own files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from ctrnn import lock, params
from ctrnn.errors import UserError
from ctrnn.params import Params

CODE = ("src", "stages", "dvc.yaml")  # of an experiment; with its settings, they decide its results
FILES = ("params.yaml", "dvc.lock")


class SweepError(UserError, RuntimeError):
    """A sweep cannot be run, or some of its points have failed."""


@dataclass(frozen=True)
class Experiment:
    """A finished DVC experiment.

    ref: its git reference; settings: of its own params.yaml; keys: task of these -> content key of its MLflow run.
    """

    name: str
    ref: str
    settings: Params
    keys: dict[str, str]


@dataclass(frozen=True)
class Checkout:
    """A main checkout. Its `.dvc/tmp/exps` is where DVC itself keeps the folders of temporary experiments.

    root: the folder of dvc.yaml, which may be one of several in a git repository.
    """

    root: Path

    @property
    def folder(self) -> Path:
        """Clones, logs and records of sweeps; on a cluster every node sees it."""
        return self.root / ".dvc" / "tmp" / "exps" / "sweep"

    def log(self, name: str) -> Path:
        """What a point printed."""
        return self.folder / "logs" / f"{name}.log"

    def events(self, name: str) -> Path:
        """The events of a point's stages, a line of JSON each: see `ctrnn.errors.log_event`."""
        return self.folder / "logs" / f"{name}.jsonl"

    def record(self, name: str) -> Path:
        """What a point took: seconds by stage, bytes."""
        return self.folder / "records" / f"{name}.json"

    def lock(self, name: str, timeout: float = -1) -> FileLock:
        """The lock of a sweep or a point while it runs, or of reports while one is written."""
        path = self.folder / "locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path, timeout)

    @cached_property
    def prefix(self) -> str:
        """Path of the root in its git repository: empty, or one that ends with a slash."""
        return self.git("rev-parse", "--show-prefix").removesuffix("\n")

    @cached_property
    def repository(self) -> Path:
        """The git repository, which another may clone or push to; a checkout may be one of several of it."""
        git_folder = self.git("rev-parse", "--git-common-dir").removesuffix("\n")
        return (self.root / git_folder).resolve()

    @cached_property
    def commit(self) -> str:
        """The last commit, which a sweep runs. Raises SweepError where files that decide results are not committed."""
        changes = self.git("status", "--porcelain", "-z", "--", *CODE, "params.yaml")
        if changes:
            first = changes.partition("\0")[0][3:].removeprefix(self.prefix)
            raise SweepError(
                f"{first} is not committed; a sweep runs the last commit, so commit it first"
            )
        return self.git("rev-parse", "HEAD").strip()

    def experiments(self, names: Collection[str] | None = None) -> dict[str, Experiment]:
        """Finished experiments of the code of this commit, all or those of these names, by name.

        Of several of one name it is that of this commit.
        """
        listed = self.git("for-each-ref", "--format=%(refname)", "refs/exps/").split()
        parts = [ref.split("/") for ref in listed]  # refs/exps/ab/cdef.../name
        refs = [
            "/".join(part)
            for part in parts
            if len(part) == 5 and (names is None or part[-1] in names)
        ]
        now = self._trees(["HEAD"])
        same = [ref for ref, trees in self._trees(refs).items() if trees == now["HEAD"]]
        head = self.git("rev-parse", "HEAD").strip()
        same.sort(key=lambda ref: ref.startswith(f"refs/exps/{head[:2]}/{head[2:]}/"))
        contents = self._files(f"{ref}:{self.prefix}{name}" for ref in same for name in FILES)
        finished = {}
        for ref, settings, locked in zip(same, contents[::2], contents[1::2], strict=True):
            with suppress(ValueError, yaml.YAMLError):  # not what a point leaves
                name, own = ref.rpartition("/")[2], params.parse(settings.decode(), ref)
                finished[name] = Experiment(name, ref, own, keys_of(locked.decode(), own.tasks))
        return finished

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
        asked = "".join(f"{ref}:{self.prefix}{part}\n" for ref in refs for part in CODE)
        hashes = self.git("cat-file", "--batch-check", stdin=asked).splitlines()
        n = len(CODE)
        return {ref: tuple(hashes[i * n : (i + 1) * n]) for i, ref in enumerate(refs)}

    def _files(self, names: Iterable[str]) -> list[bytes]:
        """What files of commits hold; nothing where there is no such file."""
        asked = "".join(f"{name}\n" for name in names).encode()
        output = subprocess.run(
            ["git", "cat-file", "--batch"],
            cwd=self.root,
            input=asked,
            capture_output=True,
            check=True,
        ).stdout
        texts, at = [], 0
        while at < len(output):
            begin = output.index(b"\n", at) + 1
            first = output[at:begin].split()
            size = int(first[2]) if first[-1] != b"missing" else -1
            texts.append(output[begin : begin + max(size, 0)])
            at = begin + size + 1
        return texts


def keys_of(text: str, tasks: Iterable[str]) -> dict[str, str]:
    """Task -> content key of its run, from what a dvc.lock holds.

    tasks: of the params.yaml beside it. A lock also keeps the entries of tasks that an experiment has left out, which
    are those of the commit that it began from. A task that lacks an entry has no key.
    """
    stages = (yaml.load(text, Loader=lock.FAST) or {}).get("stages", {})
    keys = {}
    for task in tasks:
        with suppress(KeyError):
            keys[task] = lock.content_key(lock.chain_of(stages, task))
    return keys


def read_record(path: Path) -> dict[str, Any] | None:
    """A record, None where there is none or it is torn."""
    try:
        read: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return read
