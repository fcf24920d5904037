"""The stages of a training: the steps of the task's `curriculum`, then the task itself.

A curriculum starts with what is easy and goes on when it is known (Elman 1993, Cognition 48:71; Bengio et al. 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from ctrnn.tasks import Batch, Task, trial_table


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
        easier = type(task)(task.settings.at(step))
        tables = [trial_table(easier, split, seed) for split in ("train", "validation")]
        stages.append(CurriculumStage(easier, tables[0], easier.render(tables[1]), step.until))
    return [*stages, CurriculumStage(task, trials, task.render(validation), None)]
