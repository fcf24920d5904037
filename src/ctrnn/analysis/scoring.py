"""How well a network answers, strictly and by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ctrnn.tasks import Task, right_side


def accuracies(
    task: Task[Any], outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame
) -> Float[np.ndarray, " measure"]:
    """Share of correct trials, and share of trials whose response is nearer to the right answer than to any other.

    The second is as the first where the task has one answer only, or a response that is no answer.
    """
    score, right = task.score(outputs, rows), task.answer(rows)
    told = right.shape == score.response.shape and len(np.unique(right)) > 1
    on_side = right_side(score.response, right) if told else score.correct
    return np.array([score.correct.mean(), on_side.mean()])
