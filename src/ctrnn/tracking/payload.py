"""Everything that a run holds, gathered from files before MLflow or the store is touched.

Metrics have MLflow's names, curves and results alike: `<name>/mean`, `/sd`, `/network_0`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
import yaml

from ctrnn import event_log, lock, params
from ctrnn.core.artifacts import NO_FIGURES, SPLITS, read_json, read_table, read_weights
from ctrnn.core.config import flatten
from ctrnn.errors import ParamsError
from ctrnn.lock import Entry, LockError
from ctrnn.params import Params
from ctrnn.tracking import checks, description
from ctrnn.tracking.config import TrackingError

# Columns of history.csv -> name of the curve. Accuracy on the trials that training stops by is told
# apart from `accuracy`, that on the test trials.
CURVES = {
    "loss": "loss",
    "accuracy": "validation_accuracy",
    "gradient_norm": "gradient_norm",
    "vanished_synapses": "vanished_synapses",
}


@dataclass(frozen=True)
class MetricPoint:
    """One value of one metric. time: milliseconds since 1970, None where nothing has kept it."""

    name: str
    step: int
    value: float
    time: int | None = field(default=None, compare=False)


def final(*reports: Mapping[str, Any]) -> list[MetricPoint]:
    """Every number of the metrics files, at step 0.

    Truth values are 1 and 0, lists are numbered, texts left out.
    """
    named: dict[str, float] = {}
    for report in reports:
        _flatten(report, "", named)
    return [MetricPoint(name, 0, value) for name, value in named.items()]


class Curves:
    """Curves of every network and their mean, from rows of history: those of training, or of history.csv.

    A network that has stopped counts in the mean with its last value: its weights stay the same.
    """

    def __init__(self, n_networks: int) -> None:
        self._n_networks = n_networks
        self._last: dict[str, dict[int, float]] = {column: {} for column in CURVES}

    def points(self, rows: Sequence[Mapping[str, Any]]) -> list[MetricPoint]:
        """Points of one iteration, from the rows of all networks that it trained."""
        iteration = rows[0]["iteration"]
        times = [row["time"] for row in rows if row.get("time")]
        points = []
        for column, name in CURVES.items():
            values = {row["network"]: row[column] for row in rows if not _blank(row[column])}
            last = self._last[column]
            last.update(values)
            named = {f"{name}/network_{network}": value for network, value in values.items()}
            if values and len(last) == self._n_networks:
                named[f"{name}/mean"] = fmean(last.values())
            points += [
                MetricPoint(k, iteration, v, max(times, default=None)) for k, v in named.items()
            ]
        return points


def curves(history: Sequence[Mapping[str, Any]], n_networks: int) -> list[MetricPoint]:
    """The points of a whole history."""
    feed = Curves(n_networks)
    ordered = sorted(history, key=lambda row: row["iteration"])
    iterations = groupby(ordered, key=lambda row: row["iteration"])
    return [point for _, rows in iterations for point in feed.points(list(rows))]


class LiveCurves:
    """Curves of a training that goes on: an iteration gives its points once no network can add to it any more.

    Networks that go on from checkpoints of different iterations do not reach one at the same time.
    """

    def __init__(self, n_networks: int) -> None:
        self._curves = Curves(n_networks)
        self._waiting: dict[int, list[Mapping[str, Any]]] = {}
        self._done = 0  # iterations

    def points(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[MetricPoint]:
        """Points that are settled by the rows which the networks in training wrote in one go."""
        for row in rows:
            waiting = self._waiting.setdefault(row["iteration"], [])
            if row["iteration"] > self._done and row not in waiting:
                waiting.append(row)
        self._done = max(self._done, min((row["iteration"] for row in rows), default=0))
        for iteration in sorted(i for i in self._waiting if i <= self._done):
            if settled := self._waiting.pop(iteration):
                yield from self._curves.points(settled)


def legal(name: str) -> str:
    """The name with `=` as `:` and without `+`; of signs, MLflow takes _ - . : / and space only."""
    name = name.replace("=", ":").replace("+", "")
    return re.sub(r"[^\w\-.:/ ]", "_", name)[:250]


def _blank(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _flatten(value: Any, name: str, into: dict[str, float]) -> None:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "per_network" and isinstance(inner, list):
                _number(inner, f"{name}/network_", into)
            else:
                _flatten(inner, f"{name}/{key}" if name else str(key), into)
    elif isinstance(value, list):
        _number(value, f"{name}/network_" if name == "converged" else f"{name}/", into)
    elif isinstance(value, bool | int | float) and math.isfinite(value):
        into[legal(name)] = float(value)


def _number(values: list[Any], stem: str, into: dict[str, float]) -> None:
    for i, value in enumerate(values):
        _flatten(value, f"{stem}{i}", into)


@dataclass(frozen=True)
class Table:
    """A trial table as MLflow describes a dataset.

    source: its path in the checkout; digest: of its bytes; columns: name and kind.
    """

    name: str
    split: str
    digest: str
    source: str
    rows: int
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Payload:
    """A run.

    key: hash of what it was computed from, without figures; figures_digest: hash of these.
    edited: settings of which params.yaml now has other values.
    event log: where its training kept, or would keep, its event log.
    start: of training, in milliseconds since 1970, where known.
    files: path in the run -> file; texts: path in the run -> what it holds.
    """

    name: str
    key: str
    params: dict[str, str]
    tags: dict[str, str]
    description: str
    final: list[MetricPoint]
    curves: list[MetricPoint]
    files: dict[str, Path]
    texts: dict[str, str]
    figures: dict[str, Path]
    figures_digest: str
    tables: list[Table]
    event_log: Path
    start: int | None
    edited: tuple[str, ...]


def collect(task: str, present: Params, root: Path, in_stage: bool = False) -> Payload:
    """The run of a task, from dvc.lock, artifacts/ and reports/ below `root`, described by the settings that made them.

    present: params.yaml as it is now. in_stage: whether DVC runs this, and so has seen to the figures and the code.
    Raises LockError where a file is missing, or is not the one that dvc.lock names.
    """
    entries = lock.chain(task, root)
    made = settings_of(entries, task, present)
    trained = root / "artifacts" / "train" / task
    files = {
        "history.csv": trained / "history.csv",
        "training.json": trained / "summary.json",
        "outcomes.csv": root / "artifacts" / "evaluate" / task / "outcomes.csv",
        "metrics/evaluate.json": root / "reports" / "evaluate" / f"{task}.json",
        "metrics/analyze.json": root / "reports" / "analyze" / f"{task}.json",
    }
    for i in range(made.train.n_networks):
        for stem in ("network", "initial"):
            files[f"weights/{stem}-{i}.safetensors"] = trained / f"{stem}-{i}.safetensors"
    for path in sorted((root / "artifacts" / "analyze" / task).glob("*.npz")):
        files[f"analysis/{path.name}"] = path
    # Made anew by every report, so that no figure in it is stale.
    drawn = root / "reports" / "figures" / task
    figures = {f"figures/{path.name}": path for path in sorted(drawn.glob("*.png"))}
    if not figures and not (drawn / NO_FIGURES).exists():
        raise TrackingError(f"{drawn} holds no figures; run dvc repro, or dvc checkout, first")
    tables = {split: root / "artifacts" / "generate" / task / f"{split}.csv" for split in SPLITS}
    for path in (*files.values(), *figures.values(), *tables.values()):
        checks.regular(path, root)
    checks.fit(entries, root)
    if not in_stage:
        checks.fit(lock.report(root), root, outs=("reports/figures",))
    _check_settings(task, made, root)

    evaluated = read_json(files["metrics/evaluate.json"])
    analyzed = read_json(files["metrics/analyze.json"])
    training = read_json(files["training.json"])
    same_code = in_stage or checks.same_code(entries, root)
    if same_code:  # else a seed may follow otherwise from that of params.yaml
        kept = {"seeds": [network["seed"] for network in training["networks"]]}
        locked = {"seeds": made.network_seeds}
        checks.made_with(files["training.json"], kept, locked, f"train@{task}")
    trained_for = [network["iterations"] for network in training["networks"]]
    iterations = {"mean": fmean(trained_for), "per_network": trained_for}
    key = lock.content_key(entries)
    history = _with_times(read_table(files["history.csv"]), event_log.path(task, made, root))
    backend = f"{made.train.backend} on {made.train.device}"
    tags = description.tags(root, backend, same_code)
    settings = flat_params(task, made)
    now = flat_params(task, present)
    return Payload(
        name=run_name(task, made),
        key=key,
        params=settings,
        tags={
            **sorting_tags(task, made),
            **tags,
            **{f"dvc.out/{path}": digest for path, digest in lock.out_hashes(entries).items()},
        },
        description=description.write(task, made, training, evaluated, analyzed, tags, key),
        final=final(evaluated, analyzed, {"iterations": iterations}),
        curves=curves(history, made.train.n_networks),
        files=files,
        texts={"dvc.lock": lock.as_text(entries), "params.yaml": as_yaml(task, made)},
        figures=figures,
        figures_digest=_digest(*figures.values()),
        tables=[_table(task, split, path, root) for split, path in tables.items()],
        event_log=event_log.path(task, made, root),
        start=min((row["time"] for row in history if row["time"]), default=None),
        edited=tuple(key for key, value in settings.items() if now.get(key) != value),
    )


def settings_of(entries: dict[str, Entry], task: str, present: Params) -> Params:
    """The settings that made the results of a task, of dvc.lock; `present` gives those that change no result.

    Raises LockError where the entries disagree, or do not hold the settings that this code knows.
    """
    raw = present.model_dump(include={"report", "publish"})
    raw["train"] = present.train.model_dump(include=set(present.train.changes_no_result))
    try:
        for key, value in lock.settings(entries).items():
            *sections, last = key.split(".")
            section = raw
            for name in sections:
                section = section.setdefault(name, {})
            section[last] = value
        return params.check(raw)
    except (
        ParamsError,
        AttributeError,
        TypeError,
    ) as error:  # the latter of a value where a section should be
        raise LockError(f"dvc.lock is of other code: {error}; {lock.remedy(f'@{task}')}") from None


def as_yaml(task: str, made: Params) -> str:
    """A params.yaml that makes these results again, of this task alone."""
    return yaml.safe_dump(
        made.model_dump() | {"tasks": {task: made.task(task).model_dump()}}, sort_keys=False
    )


def _check_settings(task: str, made: Params, root: Path) -> None:
    """Raises LockError where the settings that results hold are not those of dvc.lock."""
    folders = {
        stage: root / "artifacts" / stage / task for stage in ("train", "evaluate", "analyze")
    }
    for stage in ("evaluate", "analyze"):
        kept = {stage: read_json(path := folders[stage] / "settings.json")}
        checks.made_with(path, kept, made.model_dump(), f"{stage}@{task}")
    locked = made.of_training(task)
    locked["tasks"][task]["name"] = task
    for i in range(made.train.n_networks):
        for stem in ("initial", "network"):
            _, kept = read_weights(path := folders["train"] / f"{stem}-{i}.safetensors")
            checks.made_with(path, {**kept, "tasks": {task: kept["task"]}}, locked, f"train@{task}")


def run_name(task: str, params: Params) -> str:
    """What a list of runs shows: the task and the settings that are mostly compared."""
    network = params.network
    name = f"{task} p_inh={network.p_inh:g} tau={network.tau:g}"
    return name if network.tau_inh is None else f"{name} tau_inh={network.tau_inh:g}"


def sorting_tags(task: str, params: Params) -> dict[str, str]:
    """What a list of runs is mostly grouped and sorted by."""
    network = params.network
    return {"task": task, "p_inh": f"{network.p_inh:g}", "tau": f"{network.tau:g}"}


def flat_params(task: str, params: Params) -> dict[str, str]:
    """Settings that the task depends on, by the keys of `dvc exp run -S`; values as in JSON."""
    settings: dict[str, Any] = {
        **params.of_training(task),
        "evaluate": params.evaluate.decisive(),
        "analyze": params.analyze.decisive(),
    }
    return as_texts(settings)


def as_texts(settings: Mapping[str, Any]) -> dict[str, str]:
    """Nested settings by dotted key; values as in JSON."""
    flat = flatten(settings)
    return {key: v if isinstance(v, str) else json.dumps(v) for key, v in flat.items()}


def _with_times(history: pd.DataFrame, event_log_of_training: Path) -> list[event_log.Row]:
    """Rows of history.csv, with the time of each where the event log tells it."""
    events = event_log.read(event_log_of_training)
    logged = events.rows if events else {}
    rows = [
        {str(column): value for column, value in row.items()} for row in history.to_dict("records")
    ]
    for row in rows:
        row["time"] = logged.get((row["iteration"], row["network"]), {}).get("time")
    return rows


def _table(task: str, split: str, path: Path, root: Path) -> Table:
    frame: pd.DataFrame = read_table(path)
    kinds = {"i": "long", "u": "long", "f": "double", "b": "boolean"}
    columns = tuple((str(c), kinds.get(frame[c].dtype.kind, "string")) for c in frame.columns)
    source = path.relative_to(root).as_posix()
    return Table(f"{task} trials", split, _digest(path), source, len(frame), columns)


def _digest(*paths: Path) -> str:
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in paths]
    return hashlib.sha256(b"".join(digests)).hexdigest()[:32]
