"""A task whose answer is the largest of its three outputs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd
from jaxtyping import Float

from ctrnn.kernel import CrossEntropy
from ctrnn.tasks import Task
from ctrnn.tasks.scoring import LargestOutput
from ctrnn.tasks.settings import OneStimulus

SIDES = ("left", "middle", "right")
SECTION = {
    "T": 40, "stim_on": 2, "stim_dur": 10, "response_delay": 0, "response_dur": 20, "threshold": 0.5,
    "loss_over": "trial", "train_trials": 48, "validation_trials": 24, "test_trials": 24, "curriculum": [],
}  # fmt: skip


class ThreeChoicesSettings(OneStimulus):
    """Section `tasks.three_choices`."""


class ThreeChoices(Task[ThreeChoicesSettings]):
    """Evidence on the channel of one side; the output of that side is 1 in the response window, those of others 0."""

    name = "three_choices"
    channels = outputs = SIDES
    scoring = LargestOutput()
    loss = CrossEntropy()

    def conditions(self) -> pd.DataFrame:
        return self.graded((1.0,))

    def graded(self, sizes: Sequence[float]) -> pd.DataFrame:
        return pd.DataFrame(list(product(SIDES, sizes)), columns=["side", "size"])

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        evidence = self.answer(rows) * rows["size"].to_numpy()[:, None]
        during = self.during(rows, "stimulus")[..., None]
        return np.where(during, evidence, 0).astype(np.float32)

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, "trial output"]:
        right: np.ndarray = rows["side"].to_numpy(object)[:, None] == np.array(SIDES, object)
        return right.astype(np.float32)
