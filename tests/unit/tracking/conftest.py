"""A fabricated checkout with a store of its own for every test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from ctrnn.tracking import config, store
from tests.postgresql import binary, postgresql
from tests.server import Server
from tests.tracked import client_of, fabricate


@pytest.fixture(autouse=True)
def untouched_global_random_state() -> None:
    """Not held here: MLflow draws from Python's shared generator."""


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with all tables and no experiment of ours: making takes seconds, copying none."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        store.open_store(config.resolve(folder))
    return folder / "mlflow.db"


@pytest.fixture
def checkout(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fabricated checkout with an empty store; the space in its name must not matter."""
    with _fabricated(tmp_path, monkeypatch) as root:
        shutil.copy(empty_store, root / "mlflow.db")
        yield root


@contextmanager
def _fabricated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "a lab's checkout"
    root.mkdir()
    fabricate(root)
    before = dict(os.environ)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield root
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An MLflow server on PostgreSQL."""
    if binary("initdb") is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    if find_spec("psycopg2") is None:
        pytest.skip("psycopg2 is not installed (pip install psycopg2-binary)")
    with (
        postgresql() as database,
        Server(tmp_path_factory.mktemp("server"), database) as started,
    ):
        yield started


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def anywhere(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A fabricated checkout whose runs go to its own store, or to a server on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("checkout")
        return
    server: Server = request.getfixturevalue("server")
    with _fabricated(tmp_path, monkeypatch) as root:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
        client, experiment = client_of(root)
        client.rename_experiment(experiment, str(root))  # that of the test before this one
        yield root
