"""The stages of a training, the steps of the task's `curriculum` and then the task itself, and what ends each.

Where there is a coarse time step, all of these are gone through at it, and then the task once more at that of the
network: early in training a network needs no fine time, and a trial of fewer steps takes less work.

A curriculum starts with what is easy and goes on when it is known (Elman 1993, Cognition 48:71; Bengio et al. 2009).
What the networks answer on validation trials ends a stage, never the batch that they are trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ctrnn.core.rng import key
from ctrnn.network import Backend, Network, Trials
from ctrnn.tasks import Batch, Task, trial_table
from ctrnn.training.settings import EarlyAbandon, TrainSettings

BACK_AND_FORTH = 3  # work of an iteration, as times of that of its trials run forth only


@dataclass(frozen=True)
class CurriculumStage:
    """Trials to learn from and to be checked on, at the time step of the task.

    until: accuracy that ends it; None for the criterion of `train`. check_every: iterations between checks.
    check_again: iterations after a check that meets the criterion. verifies: it follows the same task at a coarse time
    step, so that a check at its start counts.
    """

    task: Task[Any]
    trials: pd.DataFrame
    validation: Batch
    until: float | None
    check_every: int
    check_again: int
    verifies: bool = False

    def until_check(self, met_in_a_row: int) -> int:
        """Iterations between checks of a network whose last checks met the criterion."""
        return self.check_again if met_in_a_row else self.check_every


def build_curriculum(
    task: Task[Any],
    trials: pd.DataFrame,
    validation: pd.DataFrame,
    seed: int,
    check_every: int,
    batch_size: int,
    coarse_dt: float | None,
) -> list[CurriculumStage]:
    """A stage per step of the curriculum, with trials drawn anew, and then the task with the trials given.

    With a coarse_dt (ms), all of these at that time step, and last the task at its own. There checks come sooner, after
    iterations that take as much work as those between two checks before, but as that of a check at least; at the coarse
    step too, where the last check met the criterion, since the network's own time step is to say whether it does.
    """
    at_first, sooner = task, check_every
    if coarse_dt is not None:
        at_first = task.at(coarse_dt)
        of_a_check = len(validation) / (BACK_AND_FORTH * batch_size)  # in iterations
        sooner = max(1, round(max(check_every * task.dt / coarse_dt, of_a_check)))
    stages = []
    for step in task.settings.curriculum:
        easier = at_first.with_settings(task.settings.at(step))
        tables = [trial_table(easier, split, seed) for split in ("train", "validation")]
        easy = easier.render(tables[1])
        stages.append(
            CurriculumStage(easier, tables[0], easy, step.until, check_every, check_every)
        )
    rendered = at_first.render(validation)
    stages.append(CurriculumStage(at_first, trials, rendered, None, check_every, sooner))
    if coarse_dt is not None:
        rendered = task.render(validation)
        stages.append(CurriculumStage(task, trials, rendered, None, sooner, sooner, True))
    return stages


@dataclass(frozen=True)
class Check:
    """A network on the validation trials: share of correct answers, and the loss."""

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
            loss=task.loss.value(outputs, validation.targets, validation.mask),
        )
        for outputs in backend.outputs(networks, trials)
    ]


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


def beyond_reach(task: Task[Any], settings: TrainSettings) -> str:
    """A sentence where the criterion of accuracy lies above what an ideal observer reaches; else empty."""
    best = task.best_accuracy
    if settings.stop_criterion == "loss" or best >= settings.accuracy_criterion:
        return ""
    return (
        f"an ideal observer is right on {best:.3f} of the trials, below train.accuracy_criterion = "
        f"{settings.accuracy_criterion:g}"
    )


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
