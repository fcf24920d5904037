"""How well a network answers, strictly and, where the task has sides, by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ctrnn.tasks import Task, right_side


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
