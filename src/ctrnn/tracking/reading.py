"""Reads runs back: a file of one, or all of them as a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ctrnn.tracking import place, runs, store

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient
else:
    Run = MlflowClient = Any


def file(run_id: str, path: str, folder: str | Path, root: str | Path = ".") -> Path:
    """A file of a run, copied into a folder. Raises TrackingError where the store has no such run or file."""
    where = place.find(root)
    client = store.open_store(where)
    with store.sentences(where):
        return Path(client.download_artifacts(run_id, path, str(folder)))


def table(experiment: str, root: str | Path = ".") -> pd.DataFrame:
    """The finished runs of an experiment, a row each, the newest first.

    Columns: run_id, name, started, task, git_commit, key (of its content: `ctrnn.lock`); every setting by its key in
    params.yaml; every metric by its name in MLflow, a curve by its last value. Raises TrackingError where the store
    fails.
    """
    where = place.find(root)
    client = store.open_store(where)
    number = store.experiment_id(client, where, experiment)
    with store.sentences(where):
        return pd.DataFrame([_row(run) for run in _finished(client, number)])


def _finished(client: MlflowClient, experiment: str) -> list[Run]:
    found: list[Run] = []
    page: str | None = None
    while page is None or page:
        some = client.search_runs(
            [experiment], "attributes.status = 'FINISHED'", max_results=1000, page_token=page
        )
        found += some
        page = some.token or ""
    return found


def _row(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.info.run_id,
        "name": run.info.run_name,
        "started": pd.Timestamp(run.info.start_time, unit="ms", tz="UTC"),
        "task": run.data.tags.get("task"),
        "git_commit": run.data.tags.get("git.commit"),
        "key": run.data.tags.get(runs.KEY),
        **{key: _value(text) for key, text in run.data.params.items()},
        **run.data.metrics,
    }


def _value(text: str) -> Any:
    """A parameter as params.yaml has it: MLflow keeps texts only."""
    try:
        return json.loads(text)
    except ValueError:
        return text
