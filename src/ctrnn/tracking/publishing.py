"""Makes the store, and puts the results of a task, or of a sweep, into it.

A sweep is a run of its own, in an experiment of its own: beside the runs of tasks it would not sort with them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from ctrnn.params import Params
from ctrnn.tracking import config, payload, runs, store
from ctrnn.tracking.runs import Published


def init(params: Params, root: str | Path = ".") -> str:
    """Make or upgrade the store, make the experiment, end runs that a killed process left. Returns the address to show.

    Raises TrackingError where the server is down or the database cannot be used.
    """
    where = config.resolve(root)
    client = store.open_store(where, check=True)
    experiment = store.experiment_id(client, where, params.publish.experiment)
    with store.sentences(where), store.locked(where):
        runs.end_left_over(client, experiment, where)
    return where.shown


def publish(task: str, params: Params, root: str | Path = ".", in_stage: bool = False) -> Published:
    """The run of a task, from dvc.lock and its files below `root`, in the store of its main checkout.

    params: params.yaml as it is now; the run is described by the settings that made the results. in_stage: whether DVC
    runs this, which has then seen to it that the figures are of these results. Raises LockError, with nothing written,
    where files are missing or do not fit together; TrackingError where the store fails, after 10 s at most. A repeated
    call completes what is left.
    """
    params.task(task)
    what = payload.collect(task, params, Path(root), in_stage)
    where = config.resolve(root)
    client = store.open_store(where)
    experiment = store.experiment_id(client, where, params.publish.experiment)
    with store.sentences(where), store.locked(where):
        done = runs.upsert_run(client, experiment, what, where)
        runs.end_left_over(client, experiment, where)
    return done


def experiment_name(experiment: str) -> str:
    """Where the sweeps of an experiment's runs are."""
    return f"{experiment} sweeps"


def register(
    name: str,
    experiment: str,
    settings: Mapping[str, str],
    metrics: Mapping[str, float],
    folder: Path,
    root: str | Path = ".",
) -> str:
    """The run of a sweep, with the files in `folder`: made, or left alone where one with the same files is finished.

    Returns its id. Raises TrackingError where the store fails.
    """
    from mlflow.entities import Metric, Param

    where = config.resolve(root)
    client = store.open_store(where)
    number = store.experiment_id(client, where, experiment_name(experiment))
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:32]
    with store.sentences(where), store.locked(where):
        for run in runs.find(client, number, digest):
            if run.info.status == "FINISHED":
                return str(run.info.run_id)
            client.delete_run(run.info.run_id)  # of a report that was killed
        run = client.create_run(number, tags={runs.KEY: digest}, run_name=name)
        run_id = str(run.info.run_id)
        parameters = [Param(key, value[: runs.LONGEST]) for key, value in settings.items()]
        points = [Metric(key, value, run.info.start_time, 0) for key, value in metrics.items()]
        client.log_batch(run_id, metrics=points, params=parameters, synchronous=True)
        runs.upload(client, run_id, {path.name: path for path in files})
        client.set_terminated(run_id, "FINISHED")
    return run_id


def address(experiment: str, root: str | Path = ".") -> tuple[str, str]:
    """Where a browser finds the runs (the page of `make ui`, or the server), and the number of the experiment."""
    where = config.resolve(root)
    client = store.open_store(where)
    ui = where.uri if where.is_server else "http://127.0.0.1:5000"
    return ui, store.experiment_id(client, where, experiment)
