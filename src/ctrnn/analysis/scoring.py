"""How well a network answers, strictly and by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from ctrnn.tasks import Score, Task


def accuracies(
    task: Task[Any], outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame
) -> Float[np.ndarray, " measure"]:
    """Share of correct trials, and share of trials whose response is nearer to the right answer than to any other.

    The second is as the first where the task has one answer only, or a response that is no answer.
    """
    score = task.score(outputs, rows)
    return np.array([score.correct.mean(), on_the_right_side(task, score, rows).mean()])


def on_the_right_side(
    task: Task[Any], score: Score, rows: pd.DataFrame
) -> Bool[np.ndarray, " trial"]:
    """Whether each response is nearer to the right answer than to any other of these trials; every one of several."""
    right = task.answer(rows)
    answers = np.unique(right)
    if right.shape != score.response.shape or len(answers) < 2:
        return score.correct
    nearest = answers[np.abs(score.response[..., None] - answers).argmin(axis=-1)]
    return (nearest == right).reshape(len(rows), -1).all(axis=1)
