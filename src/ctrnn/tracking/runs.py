"""Writes a run so that, wherever it is cut off, a repetition leaves one finished run per key.

No command leaves a run RUNNING that nobody writes any more.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ctrnn import event_log, params
from ctrnn.errors import UserError
from ctrnn.tracking.config import StoreConfig
from ctrnn.tracking.payload import MetricPoint, Payload, Table

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Run
    from mlflow.tracking import MlflowClient
else:
    DatasetInput = Metric = Run = MlflowClient = Any

KEY = "ctrnn.key"
FIGURES = "ctrnn.figures"
OWNER = "ctrnn.checkout"
EVENT_LOG = "ctrnn.events"
LONGEST = 6000  # characters of a param in MLflow; `reading` takes the whole of a longer one from the run's params.yaml

T = TypeVar("T")


class Published(NamedTuple):
    """What became of a run. action: created, completed, redrawn (its figures only) or unchanged.

    edited: settings of which params.yaml now has other values than those that made the results.
    """

    run_id: str
    name: str
    action: str
    edited: tuple[str, ...]


def upsert_run(
    client: MlflowClient, experiment: str, payload: Payload, where: StoreConfig
) -> Published:
    """Make the run, complete the one that training opened or that is half-written, or leave a finished one alone.

    Its figures become the present ones in any case. FINISHED is set last, so a run with this
    status holds everything, unless somebody has removed files of it from this machine: these are put there again. The
    caller holds the lock of the store.
    """
    run, created = _the_run(client, experiment, payload, where)
    run_id = run.info.run_id
    finished = run.info.status == "FINISHED"
    try:
        if not finished:
            _fill(client, run, payload)
        redraw = run.data.tags.get(FIGURES) != payload.figures_digest
        if redraw:
            upload(client, run_id, payload.figures)
            client.set_tag(run_id, FIGURES, payload.figures_digest)
        lost = _lost(run, where, {**payload.files, **payload.texts, **payload.figures})
        if lost:
            files, texts = payload.files | payload.figures, payload.texts
            again = {target: path for target, path in files.items() if target in lost}
            upload(client, run_id, again, {t: text for t, text in texts.items() if t in lost})
    except KeyboardInterrupt:
        with suppress(Exception):
            client.set_terminated(run_id, "KILLED")
        raise
    if not finished:
        client.set_terminated(run_id, "FINISHED")
        for other in unfinished(client, experiment, where.owner):
            if (
                event_log_of(other, where) == payload.event_log
            ):  # of the same training, done otherwise
                client.set_terminated(other.info.run_id, "KILLED")
        action = "created" if created else "completed"
    else:
        action = "completed" if lost else "redrawn" if redraw else "unchanged"
    return Published(run_id, payload.name, action, payload.edited)


def _lost(run: Run, where: StoreConfig, targets: Iterable[str]) -> set[str]:
    """Which of these files a run does not have in the store's folder; none where its files are kept elsewhere."""
    address = str(run.info.artifact_uri)
    if where.artifacts is None or not address.startswith(f"{where.artifacts}/"):
        return set()
    folder = Path(url2pathname(urlsplit(address).path))
    return {target for target in targets if not (folder / target).is_file()}


def find(client: MlflowClient, experiment: str, key: str) -> list[Run]:
    """Runs with this content key that are not deleted: finished ones first, then the oldest."""
    runs = client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1000)
    return sorted(
        runs, key=lambda r: (r.info.status != "FINISHED", r.info.start_time, r.info.run_id)
    )


def unfinished(client: MlflowClient, experiment: str, owner: str) -> list[Run]:
    """Runs of this checkout that nothing has completed yet, the newest first."""
    mine = f"tags.`{OWNER}` = '{owner}' and attributes.status != 'FINISHED'"
    return list(client.search_runs([experiment], mine, max_results=1000))


def event_log_of(run: Run, where: StoreConfig) -> Path:
    """The event log that a run of this checkout names; the name is that in the checkout, which may be moved."""
    return where.checkout / run.data.tags.get(EVENT_LOG, "")


def event_log_tag(event_log: Path, where: StoreConfig) -> str:
    """How a run names its event log."""
    return event_log.relative_to(where.checkout).as_posix()


def opened_by_training(
    client: MlflowClient,
    experiment: str,
    where: StoreConfig,
    event_log: Path,
    points: Sequence[MetricPoint],
) -> Run | None:
    """The unfinished run of the training with this event log, if every point that it has is one of `points`.

    It may have others: of the training of other code, or, on a graphics processor, of one that rounded otherwise.
    """
    published = {(point.name, point.step, point.value) for point in points}
    for run in unfinished(client, experiment, where.owner):
        if event_log_of(run, where) == event_log and KEY not in run.data.tags:
            has = ((m.key, m.step, m.value) for m in _recorded(client, run))
            if all(point in published for point in has):
                return run
    return None


def _the_run(
    client: MlflowClient, experiment: str, payload: Payload, where: StoreConfig
) -> tuple[Run, bool]:
    """The one run of this key, and whether it is new.

    Doubles, which machines that share a server can make, are deleted.
    """
    run_ids = {run.info.run_id for run in find(client, experiment, payload.key)}
    if not run_ids:
        opened = opened_by_training(client, experiment, where, payload.event_log, payload.curves)
        if opened:
            run_ids = {opened.info.run_id}
            client.set_tag(opened.info.run_id, KEY, payload.key)
        else:
            event_log = event_log_tag(payload.event_log, where)
            tags = {KEY: payload.key, OWNER: where.owner, EVENT_LOG: event_log, **payload.tags}
            tags["mlflow.note.content"] = payload.description
            client.create_run(experiment, payload.start, tags=tags, run_name=payload.name)
    first, *duplicates = find(client, experiment, payload.key)
    for duplicate in duplicates:
        client.delete_run(duplicate.info.run_id)
    return first, first.info.run_id not in run_ids


def _fill(client: MlflowClient, run: Run, payload: Payload) -> None:
    """Everything but the figures; what the run has of parameters and points is not repeated."""
    from mlflow.entities import Param, RunTag

    run_id = run.info.run_id
    parameters = payload.params.items()
    params = [Param(k, v[:LONGEST]) for k, v in parameters if k not in run.data.params]
    tags = {**payload.tags, "mlflow.note.content": payload.description}
    for params_part in _parts(params, 100):
        client.log_batch(run_id, params=params_part, synchronous=True)
    for tags_part in _parts([RunTag(k, v) for k, v in tags.items()], 100):
        client.log_batch(run_id, tags=tags_part, synchronous=True)
    client.log_inputs(run_id, [_dataset(table) for table in payload.tables])

    log_points(client, run, _missing(client, run, payload.final + payload.curves))

    upload(client, run_id, payload.files, payload.texts)


def log_points(client: MlflowClient, run: Run, points: Sequence[MetricPoint]) -> None:
    """Points at their times, or at the start of the run.

    The store keeps points of the same time, step and value once: two writers leave no doubles.
    """
    from mlflow.entities import Metric

    start = run.info.start_time
    logged = [Metric(p.name, p.value, p.time or start, p.step) for p in points]
    # A busy server takes 2 s for 1000 points, and a call may last 4.
    for part in _parts(logged, 250):
        client.log_batch(run.info.run_id, metrics=part, synchronous=True)


def upload(
    client: MlflowClient,
    run_id: str,
    files: Mapping[str, Path],
    texts: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Files and texts, under their paths in the run: MLflow names files as they are named here."""
    with TemporaryDirectory() as folder:
        for target, path in files.items():
            copy = Path(folder, target)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        for target, text in texts.items():
            Path(folder, target).write_text(text)
        client.log_artifacts(run_id, folder)


def _missing(client: MlflowClient, run: Run, points: list[MetricPoint]) -> list[MetricPoint]:
    """Points whose step the run does not have yet."""
    have = {(metric.key, metric.step) for metric in _recorded(client, run)}
    return [point for point in points if (point.name, point.step) not in have]


def _recorded(client: MlflowClient, run: Run) -> Iterator[Metric]:
    """Every point of a run; `run.data.metrics` names the metrics that it has."""
    for name in run.data.metrics:
        yield from client.get_metric_history(run.info.run_id, name)


def _dataset(table: Table) -> DatasetInput:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    columns: list[dict[str, Any]] = [
        {"type": kind, "name": name, "required": True} for name, kind in table.columns
    ]
    dataset = Dataset(
        name=f"{table.name} {table.split}",
        digest=table.digest,
        source_type="local",
        source=json.dumps({"uri": table.source}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({"num_rows": table.rows}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", table.split)])


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient
else:
    MlflowClient = Any

# How training ended -> status of its run. What has ended well waits for publish, as SCHEDULED.
ENDED = {"trained": "SCHEDULED", "failed": "FAILED", "killed": "KILLED"}


def end_left_over(client: MlflowClient, experiment: str, where: StoreConfig) -> None:
    """Say of the runs of this checkout that nobody writes any more how they ended. The caller holds its lock.

    One whose training ended well waits for publish while its settings stand in params.yaml.
    """
    for run in unfinished(client, experiment, where.owner):
        path, before = event_log_of(run, where), run.info.status
        if before not in ("RUNNING", "SCHEDULED") or event_log.is_locked(path):
            continue
        events = event_log.read(path)
        after = ENDED.get(events.end, "KILLED") if events else "KILLED"
        if after == "SCHEDULED" and not _wanted(path):
            after = "KILLED"
        if after != before:
            end(client, run.info.run_id, after)


def end(client: MlflowClient, run_id: str, status: str) -> None:
    """Give a run the status of one that is not going on; a time of its end only where nothing is to follow."""
    if status == "SCHEDULED":
        client.update_run(run_id, status=status)
    else:
        client.set_terminated(run_id, status)


def _wanted(path: Path) -> bool:
    """Whether the settings beside an event log are still those of its training."""
    root = path.parents[1]
    try:
        settings = params.read(root / "params.yaml")
    except UserError:
        return False
    return path in {event_log.path(task, settings, root) for task in settings.tasks}
