"""Where another DVC command works in the checkout, `make repro` waits for nobody and touches nothing."""

from __future__ import annotations

import fcntl
import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from ctrnn.repair import BusyError, undisturbed
from tests.tracked import REPOSITORY

LOCK = "schema: '2.0'\nstages:\n  report:\n    cmd: python stages/report.py\n"


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    """DVC's note of locks, in a folder with DVC's lock files, which nobody holds."""
    folder = tmp_path / ".dvc" / "tmp"
    folder.mkdir(parents=True)
    for name in ("lock", "rwlock.lock"):
        (folder / name).write_text(" 1\n")
    return folder / "rwlock"


@pytest.fixture
def other(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A process with this word on its command line."""
    program = "import sys; print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, request.param]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()  # its command line is there
        yield process


def note(process: int, kind: str) -> str:
    entry = {"pid": process, "cmd": "dvc repro"}
    return json.dumps({kind: {"/artifacts": entry if kind == "write" else [entry]}})


@pytest.mark.parametrize("name", ["lock", "rwlock.lock"])
def test_a_lock_that_dvc_holds_is_waited_for_by_nobody(locks: Path, name: str) -> None:
    with locks.with_name(name).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with (
            pytest.raises(BusyError, match=r"^another DVC command works in this checkout; wait"),
            undisturbed(locks.parents[2]),
        ):
            pass
    with undisturbed(locks.parents[2]):
        pass


@pytest.mark.parametrize("other", ["dvc"], indirect=True)
@pytest.mark.parametrize("kind", ["read", "write"])
def test_a_dvc_that_runs_a_stage_is_named(
    locks: Path, other: subprocess.Popen[bytes], kind: str
) -> None:
    locks.write_text(note(other.pid, kind))
    with (
        pytest.raises(BusyError, match=f"wait for its end, or end it with kill {other.pid}$"),
        undisturbed(locks.parents[2]),
    ):
        pass


@pytest.mark.parametrize("other", ["no DVC"], indirect=True)
@pytest.mark.parametrize("ended", [False, True])
def test_a_note_of_a_dead_dvc_keeps_nobody_even_where_its_number_is_taken_again(
    locks: Path, other: subprocess.Popen[bytes], ended: bool
) -> None:
    locks.write_text(note(other.pid, "write"))
    if ended:
        other.communicate()
    with undisturbed(locks.parents[2]):
        pass


BUSY = r"^repair: another DVC command works in this checkout; wait"


@pytest.mark.parametrize(
    ("arguments", "ends"),
    [([], nullcontext()), (["--alone"], pytest.raises(SystemExit, match=BUSY))],
)
@pytest.mark.parametrize("other", ["dvc"], indirect=True)
def test_what_may_be_half_written_is_left_where_it_is(
    locks: Path,
    other: subprocess.Popen[bytes],
    arguments: list[str],
    ends: AbstractContextManager[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    locks.write_text(note(other.pid, "write"))
    root = locks.parents[2]
    (root / "dvc.lock").write_text(LOCK[:5])
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["repair", *arguments])
    with ends:
        runpy.run_path(str(REPOSITORY / "src" / "ctrnn" / "repair.py"), run_name="__main__")
    assert (root / "dvc.lock").read_text() == LOCK[:5]


@pytest.fixture
def checkout(locks: Path) -> Path:
    """A folder with settings and DVC's lock files."""
    root = locks.parents[2]
    shutil.copy(REPOSITORY / "params.yaml", root)
    return root


def alone(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """What `make repro` runs in a checkout, with a command that goes on."""
    return subprocess.run(
        [sys.executable, "-m", "ctrnn.repair", "--alone", *command],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_second_make_repro_is_kept_out_by_one_sentence(checkout: Path) -> None:
    with (checkout / ".dvc" / "tmp" / "repro.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = alone(checkout, "touch", "came")
    assert second.returncode == 1
    assert second.stderr == (
        "repair: another make repro works in this checkout; wait for its end\n"
    )
    assert not (checkout / "came").exists()


TRY = "import fcntl; fcntl.flock(open('.dvc/tmp/repro.lock'), fcntl.LOCK_EX | fcntl.LOCK_NB)"


def test_what_goes_on_keeps_others_out_until_its_end(checkout: Path) -> None:
    assert "BlockingIOError" in alone(checkout, sys.executable, "-c", TRY).stderr
    assert alone(checkout, "true").returncode == 0


def test_all_that_make_repro_runs_keeps_others_out() -> None:
    said = subprocess.run(
        ["make", "--dry-run", "--old-file=.venv/.set-up", "repro"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert re.findall("python.*|dvc .*", said) == [
        "python -m ctrnn.repair --alone make --no-print-directory alone"
    ]
