"""Real sweeps on Ray: points are DVC experiments, done ones cost nothing, killed ones end with the same bits.

They run one of the two tasks of a checkout that holds the results of both: `make repro`, then a sweep with `--tasks`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ctrnn.sweep.checkout import Checkout as SweepCheckout
from tests.clock import PATIENCE
from tests.pipeline.checkout import TASKS, Checkout
from tests.pipeline.small import RESULTS

TASK = "go_nogo"
LONG = {  # a point trains for seconds, with many checkpoints
    "network.n_units": 128,
    "train.batch_size": 64,
    "train.max_iterations": 1000,
    "train.check_every": 200,
    "train.stop_criterion": "loss",
    "train.loss_criterion": 1e-20,  # is never undercut
    "train.coarse_dt": None,
    "train.checkpoint_every": 0.2,
}
BY_LOSS = (
    "-S=train.stop_criterion=loss",
    "-S=train.patience=1",
    "-S=train.require_convergence=true",
)
# 127.0.0.1, as an address of version 4, then of 6
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F"}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="Ray is not installed: the extra `sweep` has it",
    ),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout with the lock and the metrics of both tasks, as a clone has them after `make repro` elsewhere."""
    made = Checkout(tmp_path_factory.mktemp("a lab"), TASKS)
    lock = yaml.safe_load((RESULTS / "dvc.lock").read_text())
    of_both = {"", *TASKS}
    lock["stages"] = {k: v for k, v in lock["stages"].items() if k.partition("@")[2] in of_both}
    (made.folder / "dvc.lock").write_text(yaml.safe_dump(lock))
    for path in (path for task in TASKS for path in RESULTS.glob(f"reports/*/{task}.*")):
        copy = made.folder / path.relative_to(RESULTS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    made.commit("results")
    return made


def start(lab: Checkout, *arguments: str) -> subprocess.Popen[str]:
    """`ctrnn sweep`, in the background."""
    return subprocess.Popen(
        ["ctrnn", "sweep", "--tasks", TASK, *arguments],
        cwd=lab.folder,
        env=lab.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def sweep(lab: Checkout, *arguments: str) -> tuple[int, str]:
    """`ctrnn sweep`, to its end: exit status and output."""
    process = start(lab, *arguments)
    said, _ = process.communicate()
    return process.returncode, said


def shown(lab: Checkout) -> dict[str, float]:
    """The loss criterion of every experiment that `dvc exp show` lists, by name."""
    told = json.loads(lab.run("dvc", "exp", "show", "--json"))
    experiments = [one for baseline in told for one in baseline.get("experiments") or []]
    return {
        one["name"]: one["revs"][0]["data"]["params"]["params.yaml"]["data"]["train"][
            "loss_criterion"
        ]
        for one in experiments
    }


def processes(words: str, below: Path | None = None) -> Iterator[int]:
    """Processes whose command line holds these words, and whose folder is `below`."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            at = (folder / "cwd").readlink()
        except OSError:
            continue
        if words in command and (below is None or at.is_relative_to(below)):
            yield int(folder.name)


def descendants(parent: int) -> Iterator[int]:
    """Processes that a process has started."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            started_by = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if started_by == parent:
            yield int(folder.name)
            yield from descendants(int(folder.name))


def listening(some: set[int]) -> set[str]:
    """The addresses at which processes wait for connections, as /proc/net writes them."""
    theirs = set()
    for file in (file for one in some for file in Path(f"/proc/{one}/fd").glob("*")):
        with suppress(FileNotFoundError):  # closed meanwhile
            theirs.add(str(file.readlink()))
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()
    ]
    return {
        line[1].partition(":")[0]
        for line in lines
        if line[3] == "0A" and f"socket:[{line[9]}]" in theirs
    }


def wait_for_training(lab: Checkout, process: subprocess.Popen[str]) -> None:
    """Return once a point of the sweep trains."""
    while not list(processes(f"stages/train.py train@{TASK}", lab.folder)):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def wait_for_checkpoint(lab: Checkout, process: subprocess.Popen[str]) -> None:
    """Return once a point of the sweep trains and has written a checkpoint since."""
    began = time.time()
    wait_for_training(lab, process)
    store = lab.folder / ".checkpoints"
    while not any(file.stat().st_mtime > began for file in store.glob("*.state-before")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)


def out_hashes(text: str) -> dict[str, str]:
    """Hashes of what generate, train and evaluate wrote, in a dvc.lock."""
    stages = yaml.safe_load(text)["stages"]
    names = [f"{stage}@{TASK}" for stage in ("generate", "train", "evaluate")]
    return {out["path"]: out["md5"] for name in names for out in stages[name]["outs"]}


def results(lab: Checkout) -> dict[str, dict[str, str]]:
    """The hashes of every finished experiment, by name."""
    return {
        name: out_hashes(lab.run("git", "show", f"{one.ref}:dvc.lock"))
        for name, one in SweepCheckout(lab.folder).experiments().items()
    }


@pytest.fixture(scope="module")
def first(lab: Checkout) -> tuple[int, str]:
    """Exit status and output of a sweep: of its three points one finishes, one fails, and one is not allowed."""
    return sweep(lab, *BY_LOSS, "-S=train.loss_criterion=10.0,1e-20,-1.0", "--name=first")


def test_failing_points_are_told_with_their_sentence_and_the_others_finish(
    lab: Checkout, first: tuple[int, str]
) -> None:
    status, said = first
    assert status == 1
    assert "3 points: 0 cached, 2 to run, 1 not allowed" in said
    assert "sweep: 1 point not allowed: train.loss_criterion = -1.0 is not allowed" in said
    assert "failed: train@go_nogo: networks [0, 1] of go_nogo missed the criterion" in said
    assert "2 of 3 points failed" in said
    assert list(shown(lab).values()) == [10.0]
    logs = lab.folder / ".dvc" / "tmp" / "exps" / "sweep" / "logs"
    (log,) = logs.glob("loss_criterion1e_20*.log")
    assert "missed the criterion" in log.read_text()
    page = lab.folder / "reports" / "sweeps" / "first" / "index.html"
    assert "Without results: loss_criterion1e_20" in page.read_text()


def test_a_sweep_runs_its_points_as_experiments_and_only_what_is_missing(
    lab: Checkout, first: tuple[int, str]
) -> None:
    assert "3 points: 0 cached, 2 to run" in first[1]
    before = {path: path.stat().st_mtime_ns for path in (lab.folder / ".checkpoints").iterdir()}

    more = (*BY_LOSS, "-S=train.loss_criterion=10.0,20.0", "--name=more")
    status, said = sweep(lab, *more)
    assert status == 0, said
    assert "2 points: 1 cached, 1 to run" in said
    assert sorted(shown(lab).values()) == [10.0, 20.0]
    for path, at in before.items():
        assert path.stat().st_mtime_ns == at
    networks = pd.read_csv(lab.folder / "reports" / "sweeps" / "more" / "networks.csv")
    assert networks[["task", "loss_criterion", "network"]].to_numpy().tolist() == [
        [TASK, criterion, network] for criterion in (10.0, 20.0) for network in (0, 1)
    ]
    assert len(set(networks["run_id"])) == 2

    status, said = sweep(lab, *more)
    assert status == 0, said
    assert "2 points: 2 cached, 0 to run" in said


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds processes in /proc")
def running(numbers: set[int]) -> set[int]:
    """Those of these processes that there are."""
    return numbers & {int(folder.name) for folder in Path("/proc").glob("[0-9]*")}


def test_killed_workers_and_drivers_change_no_bit(lab: Checkout, tmp_path: Path) -> None:
    long = {"seed": 3, **LONG}
    sets = [f"-S={key}={json.dumps(value)}" for key, value in long.items()]

    before = set(shown(lab))
    process = start(lab, *sets, "--name", "killed")
    wait_for_training(lab, process)
    started = {process.pid, *descendants(process.pid)}
    assert (addresses := listening(started)) and addresses <= LOOPBACK
    wait_for_checkpoint(lab, process)
    (worker,) = processes("ray::point-")  # a point without axes
    os.kill(worker, signal.SIGKILL)
    time.sleep(0.5)
    wait_for_training(lab, process)
    started = set(descendants(process.pid))
    process.terminate()
    said, _ = process.communicate()
    assert "sweep: interrupted; the same command starts it again" in said
    deadline = time.monotonic() + PATIENCE  # who shows the curves goes on for some seconds
    while (
        left := running(started) | set(processes("", lab.folder))
    ) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left

    process = start(lab, *sets, "--name", "killed")
    wait_for_checkpoint(lab, process)
    process.kill()
    process.communicate()
    deadline = time.monotonic() + PATIENCE
    while list(processes("ctrnn.sweep.runner")) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not list(processes("ctrnn.sweep.runner"))  # what the driver had started is gone
    assert set(shown(lab)) == before

    status, said = sweep(lab, *sets, "--name", "killed")
    assert status == 0, said
    (got,) = (hashes for name, hashes in results(lab).items() if name.startswith("point"))

    undisturbed = Checkout(tmp_path / "undisturbed", (TASK,))
    for key, value in long.items():
        undisturbed.change(key, value)
    undisturbed.run("dvc", "repro", f"evaluate@{TASK}")
    assert got == out_hashes((undisturbed.folder / "dvc.lock").read_text())
