"""Killed or interrupted at any moment, the pipeline goes on and ends as if nothing had happened."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.pipeline.checkout import Checkout
from tests.pipeline.kills import LONG, STAGES, TASK, Rehearsal

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


def test_a_torn_lock_costs_nothing_but_a_look_into_the_cache(checkout: Checkout) -> None:
    lock = checkout.folder / "dvc.lock"
    before = lock.read_text()
    lock.write_text("")  # as a kill in the moment when DVC writes it leaves it
    with pytest.raises(AssertionError, match="validation failed"):
        checkout.repro()
    checkout.run("env", "PYTHONPATH=src", "python", "-m", "ctrnn.tidy")
    assert {stage.partition("@")[0] for stage in checkout.repro()} == {"publish"}
    assert lock.read_text() == before


def test_what_is_damaged_in_dvcs_cache_is_not_restored_but_made_again(checkout: Checkout) -> None:
    out = checkout.folder / "artifacts" / "train" / "mante"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    digest = hashlib.md5(before["network-0.safetensors"]).hexdigest()
    kept = checkout.folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    kept.chmod(0o644)
    kept.write_bytes(kept.read_bytes()[:-1] + b"!")
    kept.chmod(0o444)
    shutil.rmtree(out)
    said = checkout.run("env", "PYTHONPATH=src", "python", "-m", "ctrnn.tidy")
    assert said.startswith("artifacts/train/mante/network-0.safetensors was damaged in DVC's cache")
    checkout.run("dvc", "repro", "train@mante")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert hashlib.md5(kept.read_bytes()).hexdigest() == digest


def test_ctrl_c_gives_one_line_and_a_checkpoint(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", (TASK,))
    for key, value in {**LONG, "train.max_iterations": 10**6}.items():
        checkout.change(key, value)
    checkout.run("dvc", "repro", f"generate@{TASK}")
    running = subprocess.Popen(
        ["env", "PYTHONPATH=src", "python", "stages/train.py", TASK],
        cwd=checkout.folder,
        env=checkout.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    store = checkout.folder / ".checkpoints"
    while running.poll() is None and not list(store.glob("*.state-before")):
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    lines = [line for line in said.splitlines() if line and "it/s" not in line]  # but for the bar
    assert lines == [f"train@{TASK}: interrupted; the same command starts it again"]
    assert len(list(store.glob("*.state"))) == 2
    assert not list(store.glob("*.part"))
