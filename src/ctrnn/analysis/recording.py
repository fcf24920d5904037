"""What every network does on some test trials of each condition, in the form that the analyses share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from tqdm import tqdm

from ctrnn.core.rng import key
from ctrnn.network import Backend, Network, Trials
from ctrnn.tasks import Batch, Task


@dataclass(frozen=True)
class Recording:
    """One network's trials, in the order of their conditions' labels, then of the trial table.

    labels: of the conditions. averages: rates averaged over the trials of each. binned: rates of single trials,
    averaged over bins of steps; steps that fill no bin are left out. rows: the trials' rows of the trial table.
    choice: the answer of each trial, nan where there is none, as in every trial of a task without `has_choice`.
    """

    labels: list[str]
    averages: Float[np.ndarray, "condition time unit"]
    binned: Float[np.ndarray, "bin trial unit"]
    rows: pd.DataFrame
    choice: Float[np.ndarray, " trial"]


def record(
    task: Task[Any],
    test: Batch,
    networks: Sequence[Network],
    seeds: Sequence[int],
    trials_per_condition: int,
    time_bin: int,
    backend: Backend,
) -> list[Recording]:
    """Run every network on the first trials of each condition, with noise."""
    groups = test.conditions.reset_index(drop=True).groupby("condition", sort=True)
    averages: list[list[np.ndarray]] = [[] for _ in networks]
    binned: list[list[np.ndarray]] = [[] for _ in networks]
    choices: list[list[np.ndarray]] = [[] for _ in networks]
    rows = []
    for label, all_rows in tqdm(groups, desc="rates by condition", unit="condition"):
        some = all_rows.sort_values("trial").index.to_numpy()[:trials_per_condition]
        rows.append(all_rows.loc[some])
        inputs = test.inputs[:, some]
        trials = [Trials(inputs, key(seed, "analyze", str(label))) for seed in seeds]
        for i, activity in enumerate(backend.activity(networks, trials)):
            averages[i].append(activity.rates.mean(axis=1))
            binned[i].append(in_bins(activity.rates, time_bin))
            choices[i].append(
                task.score(activity.outputs, rows[-1]).choice
                if task.has_choice
                else np.full(len(some), np.nan, np.float32)
            )
    table = pd.concat(rows, ignore_index=True)
    return [
        Recording(
            [str(label) for label in groups.groups],
            np.stack(averages[i]),
            np.concatenate(binned[i], axis=1),
            table,
            np.concatenate(choices[i]),
        )
        for i in range(len(networks))
    ]


def in_bins(
    rates: Float[np.ndarray, "time trial unit"], time_bin: int
) -> Float[np.ndarray, "bin trial unit"]:
    """Means over bins of so many steps; one bin of all steps where there are fewer."""
    width = min(time_bin, len(rates))
    whole = rates[: len(rates) // width * width]
    return whole.reshape(-1, width, *rates.shape[1:]).mean(axis=1)
