"""One run of the small pipeline for all tests that look at its results."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.pipeline.checkout import TASKS, Checkout


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout after one repro, in which it was noted what every stage read.

    The processes of `make test` share it, and no test changes it: see `checkout`.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "finished" / "a checkout"
    done = folder.with_name("done")
    with FileLock(shared / "finished.lock"):
        if not done.exists():
            shutil.rmtree(folder.parent, ignore_errors=True)  # of a process that failed
            _make(folder)
            done.touch()
    return Checkout(folder)


def _make(folder: Path) -> None:
    made = Checkout(folder, TASKS)
    observer = folder / "src" / "sitecustomize.py"
    shutil.copy(Path(__file__).with_name("observe.py"), observer)
    made.reads.mkdir()
    made.shell["CTRNN_READS"] = str(made.reads)
    made.repro()
    made.shell.clear()
    observer.unlink()
    made.commit("results")


@pytest.fixture(scope="module")
def checkout(finished: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the finished checkout for the tests of a file, which may change it."""
    folder = tmp_path_factory.mktemp("copy") / finished.folder.name
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Checkout(folder)


@pytest.fixture(scope="session")
def reads(finished: Checkout) -> dict[str, set[str]]:
    """Files of the checkout that each stage opened for reading."""
    read: dict[str, set[str]] = {}
    for file in finished.reads.iterdir():
        read.setdefault(file.stem.split()[0], set()).update(json.loads(file.read_text()))
    return read
