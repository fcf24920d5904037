"""Trials outside a recording, and how well networks answer them: strictly and, where the task has sides, by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ctrnn.core.rng import key
from ctrnn.network import Backend, Network, Trials
from ctrnn.tasks import Batch, Task, right_side, table_of

TRIALS_AT_ONCE = 512


def measures(task: Task[Any]) -> tuple[str, ...]:
    """Names of the measures of `accuracies`."""
    return ("correct",) if task.answers is None else ("correct", "right_side")


def accuracies(
    task: Task[Any], outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame
) -> Float[np.ndarray, " measure"]:
    """Share of correct trials, and share of trials whose response is nearer to the right answer than to any other.

    A task without `answers` has the first alone.
    """
    score = task.score(outputs, rows)
    if task.answers is None:
        return np.array([score.correct.mean()])
    on_side = right_side(score.response, task.answer(rows), task.answers)
    return np.array([score.correct.mean(), on_side.mean()])


def first_trials(test: Batch, per_condition: int) -> Batch:
    """The first trials of every condition."""
    rows = test.conditions.reset_index(drop=True).groupby("condition", sort=True)
    first = rows.head(per_condition).sort_values(["condition", "trial"])
    i = first.index.to_numpy()
    return Batch(test.inputs[:, i], test.targets[:, i], test.mask[:, i], first)


def new_trials(
    task: Task[Any], per_condition: int, seed: int, conditions: pd.DataFrame | None = None
) -> Batch:
    """So many new trials of every condition, from a trial table of their own. conditions: None for the task's."""
    if conditions is None:
        conditions = task.conditions()
    n_trials = per_condition * len(conditions)
    return task.render(table_of(task.name, conditions, n_trials, "test", seed))


def responses(
    networks: Sequence[Network], batch: Batch, noise: Sequence[int], backend: Backend
) -> list[Float[np.ndarray, "time trial output"]]:
    """Outputs of every network on the trials, some trials at a time."""
    parts = []
    for start in range(0, batch.inputs.shape[1], TRIALS_AT_ONCE):
        inputs = batch.inputs[:, start : start + TRIALS_AT_ONCE]
        trials = [Trials(inputs, key(seed, start)) for seed in noise]
        parts.append(backend.outputs(networks, trials))
    return [np.concatenate(outputs, axis=1) for outputs in zip(*parts, strict=True)]
