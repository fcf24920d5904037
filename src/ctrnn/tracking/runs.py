"""Writes a run so that, wherever it is cut off, a repetition leaves one finished run per key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ctrnn.tracking.content import Content, Table
from ctrnn.tracking.metrics import Point

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Run
    from mlflow.tracking import MlflowClient
else:
    DatasetInput = Run = MlflowClient = Any

KEY = "ctrnn.key"
FIGURES = "ctrnn.figures"

T = TypeVar("T")


class Published(NamedTuple):
    """What became of a run. action: created, completed, redrawn (its figures only) or unchanged."""

    run_id: str
    name: str
    action: str


def put(client: MlflowClient, experiment: str, content: Content) -> Published:
    """Make the run, complete it where it is half-written, or leave a finished one alone.

    Its figures become the present ones in any case. FINISHED is set last, so a run with this
    status holds everything. The caller holds the checkout's lock.
    """
    run, created = _the_run(client, experiment, content)
    run_id = run.info.run_id
    finished = run.info.status == "FINISHED"
    try:
        if not finished:
            _fill(client, run, content)
        redraw = run.data.tags.get(FIGURES) != content.figures_digest
        if redraw:
            _upload(client, run_id, content.figures)
            client.set_tag(run_id, FIGURES, content.figures_digest)
    except KeyboardInterrupt:
        with suppress(Exception):
            client.set_terminated(run_id, "KILLED")
        raise
    if not finished:
        client.set_terminated(run_id, "FINISHED")
        return Published(run_id, content.name, "created" if created else "completed")
    return Published(run_id, content.name, "redrawn" if redraw else "unchanged")


def find(client: MlflowClient, experiment: str, key: str) -> list[Run]:
    """Runs with this content key that are not deleted: finished ones first, then the oldest."""
    runs = client.search_runs([experiment], f"tags.`{KEY}` = '{key}'", max_results=1000)
    return sorted(
        runs, key=lambda r: (r.info.status != "FINISHED", r.info.start_time, r.info.run_id)
    )


def _the_run(client: MlflowClient, experiment: str, content: Content) -> tuple[Run, bool]:
    """The one run of this key, and whether it is new.

    Doubles, which machines that share a server can make, are deleted.
    """
    known = {run.info.run_id for run in find(client, experiment, content.key)}
    if not known:
        tags = {KEY: content.key, "mlflow.note.content": content.description, **content.tags}
        client.create_run(experiment, tags=tags, run_name=content.name)
    first, *doubles = find(client, experiment, content.key)
    for double in doubles:
        client.delete_run(double.info.run_id)
    return first, first.info.run_id not in known


def _fill(client: MlflowClient, run: Run, content: Content) -> None:
    """Everything but the figures; what the run has of parameters and points is not repeated."""
    from mlflow.entities import Metric, Param, RunTag

    run_id = run.info.run_id
    params = [Param(k, v) for k, v in content.params.items() if k not in run.data.params]
    tags = {**content.tags, "mlflow.note.content": content.description}
    for params_part in _parts(params, 100):
        client.log_batch(run_id, params=params_part, synchronous=True)
    for tags_part in _parts([RunTag(k, v) for k, v in tags.items()], 100):
        client.log_batch(run_id, tags=tags_part, synchronous=True)
    client.log_inputs(run_id, [_dataset(table) for table in content.tables])

    # The store keeps points of the same time, step and value once: two writers leave no doubles.
    time = run.info.start_time
    points = _missing(client, run, content.final + content.curves)
    # A busy server takes 2 s for 1000 points, and a call may last 4.
    for part in _parts([Metric(p.name, p.value, time, p.step) for p in points], 250):
        client.log_batch(run_id, metrics=part, synchronous=True)

    _upload(client, run_id, content.files, content.texts)


def _upload(
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


def _missing(client: MlflowClient, run: Run, points: list[Point]) -> list[Point]:
    """Points whose step the run does not have yet; `run.data.metrics` names what it has at all."""
    have = {
        (name, metric.step)
        for name in run.data.metrics
        for metric in client.get_metric_history(run.info.run_id, name)
    }
    return [point for point in points if (point.name, point.step) not in have]


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
