"""A fabricated checkout with a store of its own for every test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctrnn.tracking import place, store
from tests.tracked import fabricate


@pytest.fixture(autouse=True)
def untouched_global_random_state() -> None:
    """Not held here: MLflow draws from Python's shared generator."""


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with all tables and no experiment of ours: making takes seconds, copying none."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store.open_store(place.find(folder))
    return folder / "mlflow.db"


@pytest.fixture
def checkout(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fabricated checkout with an empty store; the space in its name must not matter."""
    root = tmp_path / "a lab's checkout"
    root.mkdir()
    fabricate(root)
    shutil.copy(empty_store, root / "mlflow.db")
    before = dict(os.environ)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield root
    os.environ.clear()
    os.environ.update(before)
