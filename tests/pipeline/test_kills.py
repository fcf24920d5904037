"""Killed or told to stop at any moment, the pipeline goes on and ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ctrnn.training import checkpoint
from tests.clock import PATIENCE, states
from tests.pipeline.checkout import Checkout
from tests.pipeline.kills import LONG, STAGES, TASK, Rehearsal
from tests.pipeline.test_sweep import processes

KILLS = (
    0.1,
    0.9,
    0.5,
    0.3,
    0.7,
)  # shares of the time of each of STAGES; tests.pipeline.kills draws more


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    return Rehearsal(tmp_path_factory.mktemp("kills"))


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "share"), list(zip(STAGES, KILLS, strict=True)))
def test_a_killed_stage_leaves_nothing_behind(
    rehearsal: Rehearsal, stage: str, share: float
) -> None:
    assert rehearsal.kill(stage, share) == []


STOPS = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "interrupted by SIGTERM",
    signal.SIGHUP: "interrupted by SIGHUP",
}


class Endless:
    """A checkout with trials, in which training has no end."""

    def __init__(self, folder: Path) -> None:
        self.checkout = Checkout(folder, (TASK,))
        self.store = self.checkout.folder / ".checkpoints"
        self.log = folder.with_name("log")
        for key, value in {**LONG, "train.max_iterations": 10**6}.items():
            self.checkout.change(key, value)
        self.checkout.run("dvc", "repro", f"generate@{TASK}")

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Begin a command that trains; it has written a checkpoint when this returns."""
        began = time.time()
        with self.log.open("wb") as log:
            running = subprocess.Popen(
                command,
                cwd=self.checkout.folder,
                env={**self.checkout.environment, "PYTHONPATH": "src"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not any(file.stat().st_mtime > began for file in self.store.glob("*.state-before")):
            assert running.poll() is None, self.log.read_text()
            time.sleep(0.05)
        return running

    def said(self) -> list[str]:
        """Lines of the last command, but for the progress bar's."""
        lines = (line.strip() for line in self.log.read_text().splitlines())
        return [line for line in lines if line and "it/s" not in line]

    def trained(self) -> list[int]:
        """How many iterations stand in the checkpoint of each network."""
        states = [checkpoint.read(file.stem, self.store) for file in self.store.glob("*.state")]
        return sorted(len(state.rest["history"]) for state in states if state)


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Endless:
    return Endless(tmp_path_factory.mktemp("endless") / "checkout")


@pytest.mark.parametrize("number", STOPS)
def test_a_stage_that_is_told_to_stop_leaves_one_line_and_a_checkpoint(
    endless: Endless, number: signal.Signals
) -> None:
    running = endless.start("python", "stages/train.py", TASK)
    running.send_signal(number)
    assert running.wait(PATIENCE) == 1
    assert endless.said() == [f"train@{TASK}: {STOPS[number]}; the same command starts it again"]
    assert len(set(endless.trained())) == 1  # both networks stand where the last iteration ended
    assert not list(endless.store.glob("*.part"))


@pytest.mark.skipif(sys.platform != "linux", reason="no signal tells that the parent has ended")
@pytest.mark.parametrize(
    ("number", "shell"),
    [(signal.SIGTERM, "bash"), (signal.SIGHUP, "sh"), (signal.SIGKILL, "sh")],
)
def test_a_training_ends_with_the_dvc_that_runs_it(
    endless: Endless, number: signal.Signals, shell: str
) -> None:
    endless.checkout.shell["SHELL"] = f"/bin/{shell}"  # DVC runs commands in it
    running = endless.start("dvc", "repro", f"train@{TASK}")
    running.send_signal(number)
    assert running.wait(PATIENCE) == -number
    until(lambda: not list(processes("stages/train.py", endless.checkout.folder)))
    assert (
        endless.said()[-1]
        == f"train@{TASK}: {STOPS[signal.SIGTERM]}; the same command starts it again"
    )


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
def test_a_stopped_pipeline_keeps_another_out_and_goes_on_where_it_stood(endless: Endless) -> None:
    running = endless.start("dvc", "repro", f"train@{TASK}")
    os.killpg(running.pid, signal.SIGSTOP)
    training = list(processes("stages/train.py", endless.checkout.folder))
    assert training
    until(lambda: all(states(process) == {"T"} for process in training))  # it may be in a write
    stood = endless.trained()
    with pytest.raises(AssertionError, match=rf"another DVC command works .* kill {running.pid}\n"):
        endless.checkout.run("env", "PYTHONPATH=src", "python", "-m", "ctrnn.repair", "--alone")
    assert endless.trained() == stood
    os.killpg(running.pid, signal.SIGCONT)
    until(lambda: min(endless.trained()) > max(stood))
    os.killpg(running.pid, signal.SIGTERM)
    running.wait(PATIENCE)


def until(true: Callable[[], bool]) -> None:
    """Wait for something. Fails the test where it does not come."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
