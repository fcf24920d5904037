"""Metrics as MLflow names them, curves and results alike: `<name>/mean`, `/sd`, `/network_0`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

# Columns of history.csv -> name of the curve. Accuracy on the trials that training stops by is told
# apart from `accuracy`, that on the test trials.
CURVES = {
    "loss": "loss",
    "accuracy": "validation_accuracy",
    "gradient_norm": "gradient_norm",
    "vanished_synapses": "vanished_synapses",
}


@dataclass(frozen=True)
class Point:
    """One value of one metric."""

    name: str
    step: int
    value: float


def final(*reports: Mapping[str, Any]) -> list[Point]:
    """Every number of the metrics files, at step 0.

    Truth values are 1 and 0, lists are numbered, texts left out.
    """
    named: dict[str, float] = {}
    for report in reports:
        _flatten(report, "", named)
    return [Point(name, 0, value) for name, value in named.items()]


def curves(history: pd.DataFrame) -> list[Point]:
    """Curves of every network, and their mean over the networks, from the table history.csv.

    A network that has stopped counts in the mean with its last value: its weights stay the same.
    """
    points: list[Point] = []
    for column, name in CURVES.items():
        table = history.set_index(["iteration", "network"])[column].unstack()
        table = table.dropna(how="all").sort_index()
        for network in table.columns:
            points += _points(f"{name}/network_{network}", table[network].dropna())
        points += _points(f"{name}/mean", table.ffill().mean(axis=1, skipna=False).dropna())
    return points


def legal(name: str) -> str:
    """The name with `=` as `:` and without `+`; of signs, MLflow takes _ - . : / and space only."""
    name = name.replace("=", ":").replace("+", "")
    return re.sub(r"[^\w\-.:/ ]", "_", name)[:250]


def _points(name: str, values: pd.Series) -> list[Point]:
    pairs = zip(values.index.tolist(), values.tolist(), strict=True)
    return [Point(name, int(step), float(value)) for step, value in pairs]


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
