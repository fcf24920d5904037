"""Where the disk is full a stage says so in one line, nothing is lost, and the same command goes on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ctrnn.tracking import config
from tests.pipeline.checkout import Checkout

# In a namespace of its own, with a disk of some kB in place of the folder that comes first.
FULL = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
MOUNT = 'mount -t tmpfs -o size=16k none "$0" && exec "$@"'


def may_mount(folder: Path) -> bool:
    command = [*FULL, MOUNT, str(folder), "true"]
    return bool(shutil.which(FULL[0])) and not subprocess.run(command, check=False).returncode


def fails(checkout: Checkout, folder: str, *command: str) -> str:
    """The one line of what is wrong that a command writes which finds no room in this folder."""
    (checkout.folder / folder).mkdir(exist_ok=True)
    if not may_mount(checkout.folder / folder):
        pytest.skip("this user may not mount a file system in a namespace")
    done = subprocess.run(
        [*FULL, MOUNT, folder, *command],
        cwd=checkout.folder,
        env=checkout.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    lines = done.stderr.replace("\r", "\n").splitlines()  # but for those of its progress
    (said,) = [line for line in lines if line.strip() and "it/s" not in line and "%|" not in line]
    return said


@pytest.mark.parametrize(
    ("stage", "folder"),
    [
        ("train@mante", ".checkpoints"),
        ("train@mante", "artifacts/train/mante"),
        ("evaluate@mante", "artifacts/evaluate/mante"),
        ("report", "reports/figures"),
    ],
)
def test_a_stage_that_finds_no_room_says_so_and_goes_on_where_there_is_some(
    checkout: Checkout, stage: str, folder: str
) -> None:
    name, _, task = stage.partition("@")
    command = ("env", "PYTHONPATH=src", "python", f"stages/{name}.py", *([task] if task else []))
    said = fails(checkout, folder, *command)
    assert said.startswith(f"{stage}: ")
    assert said.endswith("No space left on device; make room, then the same command goes on")
    checkout.run(*command)
    assert checkout.run("dvc", "status").endswith("up to date.\n")
    assert checkout.run("git", "status", "--porcelain") == ""


def test_a_publication_that_finds_no_room_is_completed_by_the_next(checkout: Checkout) -> None:
    store = checkout.folder / "mlflow.db"
    kept = store.read_bytes()
    store.unlink()
    publish = ("env", "PYTHONPATH=src", "python", "-m", "ctrnn.tracking", "publish")
    try:
        said = fails(checkout, "mlartifacts", *publish)
        assert "No space left on device" in said
        assert said.endswith("make room, then repeat the command.")
        again = checkout.run(*publish)
        assert again.count(" completed") == 1
        assert again.count(" created") == 1
    finally:
        store.write_bytes(kept)


def test_a_store_that_finds_no_room_says_so_without_its_sql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    reason = "(sqlite3.OperationalError) database or disk is full [SQL: CREATE TABLE experiments ("
    said = config.unreachable(config.resolve(tmp_path), reason)
    assert said.endswith("database or disk is full); make room, then repeat the command.")
