"""Reads runs back: files of one, or all of them as a table."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd
import yaml

from ctrnn import lock
from ctrnn.params import Params, names_of_now
from ctrnn.tracking import config, payload, runs, store
from ctrnn.tracking.config import TrackingError

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient
else:
    Run = MlflowClient = Any

PAGE = 25  # runs asked for at once; one of ten networks takes a server up to 60 ms, and a call may last 4 s


def file(run_id: str, path: str, folder: str | Path, root: str | Path = ".") -> Path:
    """A file of a run, copied into a folder. Raises TrackingError where the store has no such run or file."""
    from mlflow.exceptions import MlflowException

    where = config.resolve(root)
    client = store.open_store(where)
    with store.sentences(where):
        sought = client.get_run(run_id).info.artifact_uri
        try:
            return Path(client.download_artifacts(run_id, path, str(folder)))
        except MlflowException as error:
            reason = " ".join(where.hide(str(error)).split())[:200]
            raise TrackingError(
                f"Run {run_id} has no {path} in {sought} ({reason}); put its files back there, or take another run of "
                "ctrnn.runs()"
            ) from None


def files(run_id: str, folder: str, root: str | Path = ".") -> list[str]:
    """Paths of the files in a folder of a run. Raises TrackingError where the store has no such run."""
    where = config.resolve(root)
    client = store.open_store(where)
    with store.sentences(where):
        return [str(entry.path) for entry in client.list_artifacts(run_id, folder)]


def table(experiment: str, root: str | Path = ".") -> pd.DataFrame:
    """The finished runs of an experiment, a row each, the newest first.

    Columns: run_id, name, started, task, git_commit, key (of its content: `ctrnn.lock`); every setting that its results
    depend on by its key in params.yaml; every metric by its name in MLflow, a curve by its last value. Raises
    TrackingError where the store fails.
    """
    where = config.resolve(root)
    client = store.open_store(where)
    number = store.experiment_id(client, where, experiment)
    gc.disable()  # MLflow makes an object a metric; the collector would walk millions of them, half of the time
    try:
        with store.sentences(where):
            # By id: a run that finishes meanwhile pushes another onto the next page, once more.
            rows = {r.info.run_id: _row(r) | _long(client, r) for r in _finished(client, number)}
    finally:
        gc.enable()
    return pd.DataFrame(list(rows.values()))


def settings(task: str, params: Params) -> dict[str, Any]:
    """The settings of a run, by the columns that `table` has them in."""
    return {key: _value(text) for key, text in payload.flat_params(task, params).items()}


def _finished(client: MlflowClient, experiment: str) -> Iterator[Run]:
    """One page after the other: a run in MLflow's form takes ten times the memory of its row."""
    page: str | None = None
    while page is None or page:
        listed = client.search_runs(
            [experiment], "attributes.status = 'FINISHED'", max_results=PAGE, page_token=page
        )
        yield from listed
        page = listed.token or ""


def _row(run: Run) -> dict[str, Any]:
    renamed = names_of_now()
    return {
        "run_id": run.info.run_id,
        "name": run.info.run_name,
        "started": pd.Timestamp(run.info.start_time, unit="ms", tz="UTC"),
        "task": run.data.tags.get("task"),
        "git_commit": run.data.tags.get("git.commit"),
        "key": run.data.tags.get(runs.KEY),
        # The same name is one string in all rows.
        **{sys.intern(renamed.get(k, k)): _value(text) for k, text in run.data.params.items()},
        **{sys.intern(key): value for key, value in run.data.metrics.items()},
    }


def _long(client: MlflowClient, run: Run) -> dict[str, Any]:
    """Settings that are too long for a parameter: from the run's params.yaml."""
    cut = [key for key, text in run.data.params.items() if len(text) >= runs.LONGEST]
    if not cut:
        return {}
    with TemporaryDirectory() as folder:
        path = Path(client.download_artifacts(run.info.run_id, "params.yaml", folder))
        settings = lock.numbers(yaml.load(path.read_bytes(), Loader=lock.FAST))
    whole = payload.as_texts(settings)
    renamed = names_of_now()
    return {renamed.get(key, key): _value(whole[key]) for key in cut}


def _value(text: str) -> Any:
    """A parameter as params.yaml has it: MLflow keeps texts only."""
    try:
        return json.loads(text)
    except ValueError:
        return text
