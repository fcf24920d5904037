"""A sweep as a table: a row per network, from the tracked runs of its points."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from ctrnn.sweep.checkout import Experiment

# Measures by the metrics of a run; {} is the number of a network. Of several metrics the mean counts.
MEASURES: dict[str, tuple[str, str]] = {
    "accuracy": (r"accuracy/network_{}", "accuracy on test trials"),
    "converged": (r"converged/network_{}", "met the criterion"),
    "iterations": (r"iterations/network_{}", "iterations of training"),
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
    by_key = {run["key"]: run for run in runs.to_dict("records")} if len(runs) else {}
    return pd.DataFrame(
        {
            "experiment": point["name"],
            **{axis.rpartition(".")[2]: value for axis, value in point["values"].items()},
            "task": task,
            **network,
            "run_id": run["run_id"],
        }
        for point in points
        if point["name"] in experiments
        for task, key in experiments[point["name"]].keys.items()
        if (run := by_key.get(key))
        for network in networks(run)
    )


def networks(run: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    """The measures of every network of a run."""
    names = [str(name) for name in run]
    for number in range(int(run["train.n_networks"])):
        values = {}
        for measure, (pattern, _) in MEASURES.items():
            own = re.compile(pattern.format(number))
            found = [run[name] for name in names if own.fullmatch(name) and pd.notna(run[name])]
            values[measure] = sum(found) / len(found) if found else None
        yield {"network": number, **values}
