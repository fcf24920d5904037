"""A task with a `score` of its own: a cue's height tells an interval, at whose end the output is to reach 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from ctrnn.tasks import Score, Task
from ctrnn.tasks.settings import OneStimulus

INTERVALS = (10, 20)  # steps from the end of the cue
TOLERANCE = 0.25  # of the interval
SECTION = {
    "T": 40, "stim_on": 2, "stim_dur": 5, "response_delay": 0, "response_dur": 30, "threshold": 0.5,
    "loss_over": "trial", "train_trials": 32, "validation_trials": 16, "test_trials": 16, "curriculum": [],
}  # fmt: skip


class ProducedIntervalSettings(OneStimulus):
    """Section `tasks.produced_interval`."""


class ProducedInterval(Task[ProducedIntervalSettings]):
    """The output rises in a straight line; a trial is right if it passes the threshold at about the right time."""

    name = "produced_interval"
    channels = ("cue",)

    def conditions(self) -> pd.DataFrame:
        return pd.DataFrame({"interval": INTERVALS})

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        inputs = np.zeros((self.steps.T, len(rows), 1), np.float32)
        inputs[self.steps.stim_on : self.steps.stim_off, :, 0] = rows["interval"] / 20
        return inputs

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial"]:
        return rows["interval"].to_numpy(np.float32)

    def targets(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial output"]:
        since = np.arange(self.steps.T)[:, None] - self.steps.stim_off
        rising: np.ndarray = np.clip(since / rows["interval"].to_numpy(), 0, 1)
        return rising[..., None].astype(np.float32)

    def score(self, outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame) -> Score:
        after = outputs[self.steps.stim_off :, :, 0] > self.settings.threshold
        produced = np.where(after.any(axis=0), 2 * after.argmax(axis=0), np.nan).astype(np.float32)
        right = np.abs(produced - self.answer(rows)) <= TOLERANCE * self.answer(rows)
        return Score(produced, produced, right)
