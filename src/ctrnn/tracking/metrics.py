"""Metrics as MLflow names them, curves and results alike: `<name>/mean`, `/sd`, `/network_0`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from statistics import fmean
from typing import Any

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
