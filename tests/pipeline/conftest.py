"""One run of the small pipeline for all tests that look at its results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.pipeline.checkout import TASKS, Checkout


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout after one repro, in which it was noted what every stage read."""
    made = Checkout(tmp_path_factory.mktemp("a checkout"), TASKS)
    observer = made.folder / "src" / "sitecustomize.py"
    shutil.copy(Path(__file__).with_name("observe.py"), observer)
    made.reads.mkdir()
    made.shell["CTRNN_READS"] = str(made.reads)
    made.repro()
    made.shell.clear()
    observer.unlink()
    made.commit("results")
    return made


@pytest.fixture(scope="session")
def reads(checkout: Checkout) -> dict[str, set[str]]:
    """Files of the checkout that each stage opened for reading."""
    read: dict[str, set[str]] = {}
    for file in checkout.reads.iterdir():
        read.setdefault(file.stem.split()[0], set()).update(json.loads(file.read_text()))
    return read
