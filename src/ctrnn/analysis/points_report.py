"""What the portraits of a population leave in files: points by rows, and counts by network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Int

from ctrnn.analysis.fixed_points import FixedPoints
from ctrnn.analysis.mechanism import Portrait
from ctrnn.analysis.state_space import StateSpace
from ctrnn.analysis.verdict import verdict
from ctrnn.tasks import ConstantInput, Task

KINDS = ("stable", "saddle", "slow", "outside")
LONGEST = 1e6  # steps: time constants beyond it are given as this
LEADING = 6  # modes of a point that are kept


def arrays(
    found: list[list[Portrait]],
    epochs: Sequence[ConstantInput],
    spaces: Sequence[StateSpace],
    tolerances: Sequence[float],
) -> dict[str, np.ndarray]:
    """fixed_points.npz: a row per point, with its network, its epoch and kind by number, and projected rates.

    rates_per_tau and time_constants (steps) are those of the leading modes; q of fixed points is given as 0, since what
    is left of it is rounding. overlap, error [network, epoch, channel]: of `Linearisation`. linearised [network, epoch]
    is the row of the point, -1 without any.
    """
    parts: list[dict[str, np.ndarray]] = []
    linearised = np.full((len(found), len(epochs)), -1)
    overlap, error = np.zeros((2, len(found), len(epochs), len(epochs[0].inputs)))
    n_rows = 0
    for (i, space), e in product(enumerate(spaces), range(len(epochs))):
        one, points = found[i][e], found[i][e].points
        n = len(points.q)
        if one.linear is not None and one.at is not None:
            linearised[i, e] = n_rows + one.at
            overlap[i, e], error[i, e] = one.linear.overlap, one.linear.error
        n_rows += n
        time_constants = np.clip(points.time_constants[:, :LEADING], -LONGEST, LONGEST)
        parts.append({
            "network": np.full(n, i), "epoch": np.full(n, e), "kind": kind_of(points), "x": points.x,
            "q": np.where(points.fixed, 0.0, points.q), "outputs": points.outputs, "unstable": points.unstable,
            "starts": points.starts, "distance": points.distance, "projection": (one.rates - space.mean) @ space.axes,
            "rates_per_tau": points.rates[:, :LEADING], "time_constants": time_constants,
        })  # fmt: skip
    survivors = [[one.points.survivors for one in row] for row in found]
    return {
        "epochs": np.array([epoch.name for epoch in epochs]),
        "kinds": np.array(KINDS),
        "tolerances": np.array(tolerances),
        "survivors": np.array(survivors),
        "linearised": linearised,
        "overlap": overlap,
        "error": error,
        **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
    }


def metrics(
    found: list[list[Portrait]], epochs: Sequence[ConstantInput], task: Task[Any]
) -> dict[str, Any]:
    """fixed_points and selection_ratio of reports/analyze/<task>.json: lists over networks."""
    report: dict[str, Any] = {"fixed_points": {}}
    for e, epoch in enumerate(epochs):
        row = [network[e] for network in found]
        leading = [None if one.at is None else float(one.points.rates[one.at, 0]) for one in row]
        report["fixed_points"][epoch.name] = {
            "stable": [len(one.points.stable) for one in row],
            "saddle": [len(one.points.saddles) for one in row],
            "slow": [len(one.points.slow) for one in row],
            "outside": [int(one.points.outside.sum()) for one in row],
            "verdict": [verdict(one.points) for one in row],
            "unstable_dimensions": [
                one.points.unstable[one.points.saddles].tolist() for one in row
            ],
            "stable_outputs": [
                _by_output(one.points.outputs[one.points.stable], task.outputs) for one in row
            ],
            "stable_rates": [one.points.rates[one.points.stable, 0].tolist() for one in row],
            "linearised_at": [_kind(one) for one in row],
            "rate": leading,
            "time_constant": [
                None if one.at is None else _steps(one.points.time_constants[one.at, 0])
                for one in row
            ],
            "linear_error": [
                None if o.linear is None else float(o.linear.error.max()) for o in row
            ],
        }
        if epoch.relevant and epoch.irrelevant:
            relevant, irrelevant = (
                task.channels.index(n) for n in (epoch.relevant, epoch.irrelevant)
            )
            report.setdefault("selection_ratio", {})[epoch.name] = [
                _ratio(one, relevant, irrelevant) for one in row
            ]
    return report


def kind_of(points: FixedPoints) -> Int[np.ndarray, " point"]:
    """StoreConfig in KINDS of every point."""
    return np.select([points.outside, ~points.fixed, points.unstable > 0], [3, 2, 1], 0)


def _by_output(outputs: np.ndarray, names: Sequence[str]) -> list[float] | dict[str, list[float]]:
    """Outputs at some points; of several outputs, by their names."""
    if len(names) == 1:
        return list(outputs[:, 0].tolist())
    return {name: outputs[:, i].tolist() for i, name in enumerate(names)}


def _ratio(one: Portrait, relevant: int, irrelevant: int) -> float | None:
    """Overlap of the selection vector with one channel over that with the other; None where there is none."""
    if one.linear is None or not one.linear.overlap[irrelevant]:
        return None
    return float(one.linear.overlap[relevant] / one.linear.overlap[irrelevant])


def _kind(one: Portrait) -> str | None:
    return None if one.at is None else KINDS[kind_of(one.points)[one.at]]


def _steps(time_constant: float) -> float:
    return float(np.clip(time_constant, -LONGEST, LONGEST))
