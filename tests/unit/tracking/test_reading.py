"""The table of many runs: page by page, each run once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from ctrnn import params
from ctrnn.core import artifacts
from ctrnn.tracking import reading
from ctrnn.tracking.config import TrackingError
from tests.tracked import TASK, client_of, publish, record

# Of SQLAlchemy in MLflow.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def finish(client: Any, number: str, started: int) -> str:
    """A finished run with a metric; its id."""
    run_id: str = client.create_run(number, start_time=started).info.run_id
    client.log_metric(run_id, "accuracy/mean", started / 100)
    client.set_terminated(run_id)
    return run_id


@pytest.fixture
def made(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Five finished runs, the oldest first, read by pages of two."""
    monkeypatch.setattr(reading, "PAGE", 2)
    client, number = client_of(checkout)
    return [finish(client, number, started) for started in range(1, 6)]


def test_the_table_has_the_runs_of_all_pages_the_newest_first(
    checkout: Path, made: list[str]
) -> None:
    table = reading.table("ctrnn", checkout)
    assert table["run_id"].tolist() == made[::-1]
    assert table["accuracy/mean"].tolist() == [0.05, 0.04, 0.03, 0.02, 0.01]


def test_a_setting_too_long_for_mlflow_comes_back_whole(checkout: Path) -> None:
    long = list(range(2000))
    settings = yaml.safe_load((checkout / "params.yaml").read_text())
    settings["analyze"]["generalisation"]["delay"] = long
    settings["analyze"]["generalisation"]["noise"] = [i * 1e-6 for i in range(1000)]
    (checkout / "params.yaml").write_text(yaml.safe_dump(settings))
    made = params.read(checkout / "params.yaml")
    kept = checkout / "artifacts" / "analyze" / TASK / "settings.json"
    artifacts.write_json(kept, made.analyze.model_dump())
    record(checkout, made)
    publish(checkout)
    row = reading.table("ctrnn", checkout).iloc[0]
    assert row["analyze.generalisation.delay"] == long
    assert row["analyze.generalisation.noise"] == [i * 1e-6 for i in range(1000)]


def test_a_run_that_finishes_while_they_are_read_makes_no_row_twice(
    checkout: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, number = client_of(checkout)
    row = reading._row
    finished: list[str] = []

    def meanwhile(run: Any) -> dict[str, Any]:
        if not finished:
            finished.append(finish(client, number, 9))
        return row(run)

    monkeypatch.setattr(reading, "_row", meanwhile)
    assert reading.table("ctrnn", checkout)["run_id"].tolist() == made[::-1]


def test_a_run_or_a_file_that_is_not_there_is_named(checkout: Path) -> None:
    run_id = publish(checkout).run_id
    with pytest.raises(TrackingError, match=r"not found\); take a run of ctrnn.runs\(\)"):
        reading.file("0" * 32, "history.csv", checkout, checkout)
    shutil.rmtree(checkout / "mlartifacts")
    sentence = rf"Run {run_id} has no history.csv in file:.*mlartifacts.*; put its files back there"
    with pytest.raises(TrackingError, match=sentence):
        reading.file(run_id, "history.csv", checkout, checkout)
