"""Makes the store, and puts the results of a task into it."""

from __future__ import annotations

from pathlib import Path

from ctrnn.params import Params
from ctrnn.tracking import config, payload, runs, stale_runs, store
from ctrnn.tracking.runs import Published


def init(params: Params, root: str | Path = ".") -> str:
    """Make or upgrade the store, make the experiment, end runs that a killed process left. Returns the address to show.

    Raises TrackingError where the server is down or the database cannot be used.
    """
    where = config.resolve(root)
    client = store.open_store(where, check=True)
    experiment = store.experiment_id(client, where, params.publish.experiment)
    with store.sentences(where), store.locked(where):
        stale_runs.end_left_over(client, experiment, where)
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
        stale_runs.end_left_over(client, experiment, where)
    return done
