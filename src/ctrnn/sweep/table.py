"""A sweep as a table: a row per network, from the tracked runs of its points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ctrnn.sweep.checkout import Experiment
from ctrnn.sweep.points import labels

# Measures by the metrics of a run; {} is the number of a network. Of several metrics the mean counts.
MEASURES: dict[str, tuple[str, str]] = {
    "accuracy": (r"accuracy/network_{}", "accuracy on test trials"),
    "converged": (r"converged/network_{}", "met the criterion"),
    "iterations": (r"iterations/network_{}", "iterations to criterion, of networks that met it"),
    "stable_points": (r"fixed_points/[^/]+/stable/{}", "stable fixed points an input"),
    "saddles": (r"fixed_points/[^/]+/saddle/{}", "saddles an input"),
    "slow_points": (r"fixed_points/[^/]+/slow/{}", "slow points an input"),
    "time_constant": (r"fixed_points/[^/]+/time_constant/{}", "slowest time constant, steps"),
    "inhibition_over_excitation": (
        r"inhibition_over_excitation/network_{}", "inhibitory over excitatory current",
    ),
    "current_tracking": (r"current_tracking/network_{}", "correlation of the two currents"),
    "mean_rate": (r"mean_rate/network_{}", "mean firing rate"),
    "spectral_radius": (r"spectral_radius/after/network_{}", "spectral radius after training"),
    "participation_ratio": (r"participation_ratio/network_{}", "dimensions of activity"),
}  # fmt: skip


def rows(
    points: list[dict[str, Any]], experiments: Mapping[str, Experiment], runs: pd.DataFrame
) -> pd.DataFrame:
    """A row per network: experiment, task, network, a column per axis, run_id, and MEASURES.

    points: name and values, as sweep.json keeps them. runs: of `tracking.reading.table`. Points without a finished
    experiment, and tasks without a finished run, have no rows.
    """
    if runs.empty:
        return pd.DataFrame()
    at = {key: i for i, key in enumerate(runs["key"])}
    own = [measures(runs, number) for number in range(int(runs["train.n_networks"].max()))]
    return pd.DataFrame(
        {
            "experiment": point["name"],
            **{
                labels(point["values"])[axis]: cell(value)
                for axis, value in point["values"].items()
            },
            "task": task,
            "network": number,
            **own[number][i],
            "run_id": runs["run_id"].iloc[i],
        }
        for point in points
        if point["name"] in experiments
        for task, key in experiments[point["name"]].keys.items()
        if (i := at.get(key)) is not None
        for number in range(int(runs["train.n_networks"].iloc[i]))
    )


def cell(value: Any) -> Any:
    """A value of an axis as a table can hold it: what is neither number nor text, as JSON."""
    return value if isinstance(value, int | float | str) else json.dumps(value)


def measures(runs: pd.DataFrame, number: int) -> list[dict[str, float]]:
    """MEASURES of the networks of this number, by run."""
    found = {
        measure: runs.filter(regex=f"^(?:{pattern.format(number)})$").mean(axis=1)
        for measure, (pattern, _) in MEASURES.items()
    }
    found["iterations"] = found["iterations"].where(found["converged"] == 1)
    return [dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)]
