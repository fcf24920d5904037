"""When training stops: what the networks answer on validation trials, never on the batch they are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn.core.rng import key
from ctrnn.network import Backend, Network, Trials
from ctrnn.tasks import Batch, Task
from ctrnn.training.settings import EarlyAbandon, TrainSettings


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
