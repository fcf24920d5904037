"""Where the files of a store lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrnn.tracking import config


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        (None, "."),
        ("sqlite:///elsewhere/lab.db", "elsewhere"),
        ("postgresql://localhost/runs", "."),
        ("http://localhost:5000", "."),
    ],
)
def test_files_lie_beside_the_database_or_in_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str | None, folder: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    where, beside = config.resolve(tmp_path), tmp_path.resolve() / folder
    assert where.lock == beside / "mlflow.lock"
    decided_by_the_server = where.is_server
    assert where.artifacts == (None if decided_by_the_server else (beside / "mlartifacts").as_uri())
    assert decided_by_the_server == (address == "http://localhost:5000")
