"""A sweep as a run of its own, in an experiment of its own: beside the runs of tasks it would not sort with them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from ctrnn.tracking import config, runs, store


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
    files = sorted(one for one in folder.iterdir() if one.is_file() and not one.is_symlink())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:32]
    with store.sentences(where), store.locked(where):
        for run in runs.find(client, number, digest):
            if run.info.status == "FINISHED":
                return str(run.info.run_id)
            client.delete_run(run.info.run_id)  # of a report that was killed
        run = client.create_run(number, tags={runs.KEY: digest}, run_name=name)
        run_id = str(run.info.run_id)
        told = [Param(key, value[: runs.LONGEST]) for key, value in settings.items()]
        points = [Metric(key, value, run.info.start_time, 0) for key, value in metrics.items()]
        client.log_batch(run_id, metrics=points, params=told, synchronous=True)
        runs.upload(client, run_id, {path.name: path for path in files})
        client.set_terminated(run_id, "FINISHED")
    return run_id


def address(experiment: str, root: str | Path = ".") -> tuple[str, str]:
    """Where a browser finds the runs (the page of `make ui`, or the server), and the number of the experiment."""
    where = config.resolve(root)
    client = store.open_store(where)
    ui = where.uri if where.is_server else "http://127.0.0.1:5000"
    return ui, store.experiment_id(client, where, experiment)
