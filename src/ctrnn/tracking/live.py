"""Shows a training while it runs: follows its event log, from a process of its own, and logs its points.

Training does not notice whatever this process meets (see `ctrnn.event_log`), and `publish` logs what this process does
not. A curve grows by a point a second, since a store takes a fiftieth of two cores for all of them. A store that fails
is tried again after a pause, and given up when training has ended. Once training has ended well, the run that this
process opened waits as SCHEDULED for `publish` to complete it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctrnn import event_log, params
from ctrnn.errors import UserError
from ctrnn.params import Params
from ctrnn.tracking import config, description, payload, runs, store
from ctrnn.tracking.config import TrackingError
from ctrnn.tracking.payload import LiveCurves, MetricPoint

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient
else:
    Run = MlflowClient = Any

# Seconds that a training lasts before MLflow, which takes seconds to import, is worth it.
PATIENCE = 3.0
INTERVAL = 2.0  # seconds between looks into the event log
PAUSE = 5.0  # seconds from a failure of the store to the next attempt
EVERY = 1000  # milliseconds between points of a curve
AT_ONCE = 2000  # points that a look sends at most, in eight calls
LAST = 10.0  # seconds, after training, for what is left


def follow(path: Path, root: str | Path = ".") -> None:
    """Log the points of an event log until its training ends, and at most LAST seconds on.

    root: the checkout of the training. Raises FileNotFoundError where there is no event log.
    """
    if hasattr(os, "nice"):
        os.nice(15)  # training goes first
    time.sleep(PATIENCE)
    with event_log.EventLogReader(path) as events:
        new = events.read_new()
        if not event_log.is_locked(path):
            return  # over before MLflow would have been imported; publish makes the run
        settings = params.check_part(events.settings)
        logger = Logger(path, settings, Path(root))
        curves = LiveCurves(settings.train.n_networks)
        give_up = None
        while path.exists():  # DVC deletes the folder of a temporary experiment
            if give_up is None and not event_log.is_locked(path):
                give_up = time.monotonic() + LAST
            logger.log([point for rows in new + events.read_new() for point in curves.points(rows)])
            new = []
            if give_up is not None and (
                not logger.waiting or logger.run is None or time.monotonic() > give_up
            ):
                break
            time.sleep(INTERVAL)
        logger.close(runs.ENDED[events.end])


class Logger:
    """Logs into the run of a training while the store does what it is asked.

    run: None before it is opened; waiting: points that are still to be logged, all of them before the run is opened.
    """

    def __init__(self, path: Path, settings: Params, root: Path) -> None:
        self._path, self._settings, self._root = path, settings, root
        self._task = path.name.rpartition("-")[0]
        self._client: MlflowClient | None = None
        self.run: Run | None = None
        self.waiting: list[MetricPoint] = []
        self._shown: dict[str, int] = {}  # name of a curve -> time of its last point
        self._not_before = 0.0

    def log(self, points: list[MetricPoint]) -> None:
        """Log some of what waits and of these further points of this training, as many of them as are shown live."""
        self.waiting += points if self.run is None else self._some(points)
        if not self.waiting or time.monotonic() < self._not_before:
            return
        try:
            with self._store() as client:
                if self.run is None:
                    self.run = self._open(client, self.waiting)
                    self.waiting = self._some(self.waiting)
                runs.log_points(client, self.run, self.waiting[:AT_ONCE])
        except UserError as error:
            print(error, flush=True)  # into the log beside the event log
            self._not_before = time.monotonic() + PAUSE
            return
        del self.waiting[:AT_ONCE]

    def _some(self, points: list[MetricPoint]) -> list[MetricPoint]:
        """Of each curve a point every EVERY milliseconds; all those whose time nothing has kept."""
        kept = []
        for point in points:
            if point.time is not None:
                if point.time < self._shown.get(point.name, 0) + EVERY:
                    continue
                self._shown[point.name] = point.time
            kept.append(point)
        return kept

    def close(self, status: str) -> None:
        """Say how training ended, unless publish was faster, or training has been started again."""
        if self.run is None:
            return
        run_id = self.run.info.run_id
        try:
            with self._store() as client, store.locked(config.resolve(self._root)):
                run = client.get_run(run_id)
                over = run.info.status == "RUNNING" and not event_log.is_locked(self._path)
                if over and runs.KEY not in run.data.tags:
                    runs.end(client, run_id, status)
        except UserError as error:
            print(error, flush=True)  # the next command ends the run

    @contextmanager
    def _store(self) -> Iterator[MlflowClient]:
        where = config.resolve(self._root)
        if self._client is None:
            self._client = store.open_store(where)
        with store.sentences(where):
            yield self._client

    def _open(self, client: MlflowClient, points: list[MetricPoint]) -> Run:
        """The run of this training: one that an earlier start of it left, or a new one.

        Raises TrackingError where training has ended meanwhile: publish may have made the run.
        """
        from mlflow.entities import Param

        where = config.resolve(self._root)
        settings, task = self._settings, self._task
        experiment = store.experiment_id(client, where, settings.publish.experiment)
        with store.locked(where):
            if not event_log.is_locked(self._path):
                raise TrackingError("training ended before its run was opened; publish makes it")
            runs.end_left_over(client, experiment, where)
            earlier = runs.opened_by_training(client, experiment, where, self._path, points)
            if earlier is not None:
                client.update_run(earlier.info.run_id, status="RUNNING")
                return earlier
            backend = f"{settings.train.backend} on {settings.train.device}"
            tags = {
                runs.OWNER: where.owner,
                runs.EVENT_LOG: runs.event_log_tag(self._path, where),
                **payload.sorting_tags(task, settings),
                **description.tags(self._root, backend),
            }
            start = min((point.time for point in points if point.time), default=None)
            name = payload.run_name(task, settings)
            run = client.create_run(experiment, start, tags=tags, run_name=name)
        flat = payload.as_texts(settings.of_training(task))
        settings_of_run = [Param(key, value[: runs.LONGEST]) for key, value in flat.items()]
        client.log_batch(run.info.run_id, params=settings_of_run, synchronous=True)
        return run
