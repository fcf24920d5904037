"""Kills the pipeline at random moments; one more `dvc repro` has to end as if nothing had happened.

`python -m tests.pipeline.kills --count 50` does it fifty times, the stages in turn, and counts what was lost.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ctrnn.core.rng import generator
from ctrnn.training import checkpoint
from tests.pipeline.checkout import Checkout

TASK = "go_nogo"
STAGES = ("generate", "train", "evaluate", "analyze", "publish")
# Checkpoints at every iteration, and many iterations: a kill falls into the writing of one often.
LONG = {
    "train.checkpoint_every": 0,
    "train.max_iterations": 100,
    "train.stop_criterion": "loss",
    "train.loss_criterion": 1e-20,  # is never undercut
    "train.coarse_dt": None,
    "report.figures": False,  # no stage that is killed draws; test_publish.py is killed between figures
}


@dataclass(frozen=True)
class Moment:
    """The checkout just before a stage runs, and how long DVC took from its start to its end, in seconds."""

    snapshot: Path
    seconds: float


class Rehearsal:
    """An undisturbed run of the small pipeline, with a copy of the checkout before every stage."""

    def __init__(self, folder: Path) -> None:
        place = folder / "checkout"
        self.checkout = Checkout(place, (TASK,))
        for key, value in LONG.items():
            self.checkout.change(key, value)
        self.checkout.commit("settings")
        self.moments: dict[str, Moment] = {}
        self.tidied = 0  # kills after which DVC alone would not have gone on
        for stage in (*STAGES[:-1], "report", STAGES[-1]):
            snapshot = folder / f"before {stage}"
            shutil.copytree(place, snapshot, symlinks=True)
            name = stage if stage == "report" else f"{stage}@{TASK}"
            running = self._start(name)
            _wait_for(running, name)
            begun = time.monotonic()
            _, said = running.communicate()
            assert running.returncode == 0, said
            self.moments[stage] = Moment(snapshot, time.monotonic() - begun)
        self.lock = (place / "dvc.lock").read_text()
        self.files = set(_files(place))

    def kill(self, stage: str, share: float) -> list[str]:
        """Kill DVC and all that it started after this share of the stage's time, and repeat as `make repro` does.

        Returns what is wrong then.
        """
        folder, moment = self.checkout.folder, self.moments[stage]
        shutil.rmtree(folder)
        shutil.copytree(moment.snapshot, folder, symlinks=True)
        running = self._start()
        _wait_for(running, f"{stage}@{TASK}")
        time.sleep(share * moment.seconds)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()

        tidied = self.checkout.run("env", "PYTHONPATH=src", "python", "-m", "ctrnn.repair")
        self.tidied += bool(tidied)
        long_ago = time.time() - checkpoint.LEFT - 60  # others may still write a file until then
        for part in (folder / ".checkpoints").glob("*.part"):
            os.utime(part, (long_ago, long_ago))
        again = self._start()
        _, said = again.communicate()
        if again.returncode:
            return [f"dvc repro failed: {said[-300:]}"]
        return list(self._faults(folder))

    def _faults(self, folder: Path) -> Iterator[str]:
        if (folder / "dvc.lock").read_text() != self.lock:
            yield "dvc.lock differs"
        if not self.checkout.run("dvc", "status").endswith("up to date.\n"):
            yield "dvc status is not clean"
        yield from (f"{name} is left over" for name in sorted(set(_files(folder)) - self.files))
        yield from (f"{name} is gone" for name in sorted(self.files - set(_files(folder))))
        for file in (folder / ".dvc" / "cache" / "files" / "md5").rglob("*"):
            digest = file.parent.name + file.name.removesuffix(".dir")
            if file.is_file() and hashlib.md5(file.read_bytes()).hexdigest() != digest:
                yield f"{file.relative_to(folder)} is torn"
        locks = json.loads((folder / ".dvc" / "tmp" / "rwlock").read_text())
        if locks.get("write"):  # readers that are dead stay noted, and block nobody
            yield "DVC's rwlock is held"
        with closing(sqlite3.connect(folder / "mlflow.db")) as store:
            runs = store.execute("select status, lifecycle_stage from runs").fetchall()
        if runs != [("FINISHED", "active")]:
            yield f"MLflow has the runs {runs}"

    def _start(self, *targets: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["dvc", "repro", *targets],
            cwd=self.checkout.folder,
            env={**self.checkout.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def _wait_for(running: subprocess.Popen[str], stage: str) -> None:
    """Until DVC says that it runs the stage."""
    assert running.stdout
    for line in running.stdout:
        if line.startswith(f"Running stage '{stage}'"):
            return
    raise AssertionError(f"{stage} did not run: {running.communicate()[1]}")


def _files(folder: Path) -> Iterator[str]:
    """Files of a checkout, but for git's, DVC's own and the files of MLflow's runs, which are named at random."""
    for file in folder.rglob("*"):
        name = file.relative_to(folder)
        inside = {".git", "__pycache__", "mlartifacts"} & set(name.parts)
        if (
            file.is_file()
            and not inside
            and name.parts[:2] not in ((".dvc", "tmp"), (".dvc", "cache"))
        ):
            yield str(name)


def main() -> None:
    """Kill, count and tell. Exits with 1 where a kill left anything behind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draw = generator(arguments.seed, "kills")
    survived: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        rehearsal = Rehearsal(Path(scratch))
        for number in range(arguments.count):
            stage, share = STAGES[number % len(STAGES)], draw.random()
            faults = rehearsal.kill(stage, share)
            survived[stage] += not faults
            verdict = "; ".join(faults) or "nothing lost"
            print(
                f"kill {number + 1}: {stage} after {share:.0%} of its time: {verdict}", flush=True
            )
    print(f"{survived.total()} of {arguments.count} kills lost nothing: {dict(survived)}")
    print(f"{rehearsal.tidied} of them left a torn file of DVC's, which ctrnn.repair put aside")
    sys.exit(survived.total() != arguments.count)


if __name__ == "__main__":
    main()
