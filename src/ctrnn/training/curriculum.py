"""The stages of a training, the steps of the task's `curriculum` and then the task itself, and what ends each.

A curriculum starts with what is easy and goes on when it is known (Elman 1993, Cognition 48:71; Bengio et al. 2009).
What the networks answer on validation trials ends a stage, never the batch that they are trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ctrnn.core.rng import key
from ctrnn.network import Backend, Network, Trials
from ctrnn.tasks import Batch, Task, trial_table
from ctrnn.training.settings import EarlyAbandon, TrainSettings


@dataclass(frozen=True)
class CurriculumStage:
    """Trials to learn from and to be checked on. until: accuracy that ends it; None for the criterion of `train`."""

    task: Task[Any]
    trials: pd.DataFrame
    validation: Batch
    until: float | None


def build_curriculum(
    task: Task[Any], trials: pd.DataFrame, validation: pd.DataFrame, seed: int
) -> list[CurriculumStage]:
    """A stage per step of the curriculum, with trials drawn anew, and last the task with the trials given."""
    stages = []
    for step in task.settings.curriculum:
        easier = task.with_settings(task.settings.at(step))
        tables = [trial_table(easier, split, seed) for split in ("train", "validation")]
        stages.append(CurriculumStage(easier, tables[0], easier.render(tables[1]), step.until))
    return [*stages, CurriculumStage(task, trials, task.render(validation), None)]


@dataclass(frozen=True)
class Check:
    """A network on the validation trials: share of correct answers, mean squared error."""

    accuracy: float
    loss: float


def check_networks(
    task: Task[Any],
    validation: Batch,
    networks: Sequence[Network],
    seeds: Sequence[int],
    iterations: Sequence[int],
    backend: Backend,
) -> list[Check]:
    """Every network on the validation trials, with noise of its iteration."""
    trials = [
        Trials(validation.inputs, key(seed, "validation", iteration))
        for seed, iteration in zip(seeds, iterations, strict=True)
    ]
    return [
        Check(
            accuracy=float(task.score(outputs, validation.conditions).correct.mean()),
            loss=mean_squared_error(outputs, validation),
        )
        for outputs in backend.outputs(networks, trials)
    ]


def mean_squared_error(outputs: np.ndarray, batch: Batch) -> float:
    """Mean of (z - target)^2 where the mask counts. outputs: [time, trial, output]."""
    return float(np.square(outputs - batch.targets)[batch.mask].mean(dtype=np.float64))


def is_abandoned(check: Check, iteration: int, early_abandon: EarlyAbandon | None) -> bool:
    """Whether a network is to be given up, by `train.early_abandon`."""
    return (
        early_abandon is not None
        and iteration >= early_abandon.after
        and check.accuracy < early_abandon.below
    )


def exceeds(accuracy: float, criterion: float) -> bool:
    """Whether an accuracy meets a criterion that is to be exceeded: nothing exceeds 1, so there all must be correct."""
    return accuracy > criterion or accuracy == 1


def meets_criterion(check: Check, settings: TrainSettings) -> bool:
    """Whether a check meets the criterion that `train.stop_criterion` names."""
    accurate = exceeds(check.accuracy, settings.accuracy_criterion)
    precise = check.loss < settings.loss_criterion
    return {
        "accuracy": accurate,
        "loss": precise,
        "either": accurate or precise,
        "both": accurate and precise,
    }[settings.stop_criterion]
