"""A task whose answer is a time: a cue's height tells an interval, at whose end the output is to pass a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd
from jaxtyping import Float

from ctrnn.core.config import Length, Positive, Time
from ctrnn.tasks.scoring import ProducedTime
from ctrnn.tasks.settings import Phases
from ctrnn.tasks.task import Task

INTERVALS = (10, 20)  # ms from the end of the cue
SECTION = {
    "T": 40, "cue_on": 2, "cue_dur": 5, "response_dur": 30, "threshold": 0.5, "tolerance": 0.25,
    "loss_over": "trial", "train_trials": 32, "validation_trials": 16, "test_trials": 16, "curriculum": [],
}  # fmt: skip


class ProducedIntervalSettings(Phases):
    """Section `tasks.produced_interval`."""

    phases: ClassVar[Mapping[str, str]] = {
        "baseline": "cue_on",
        "cue": "cue_dur",
        "response": "response_dur",
    }

    cue_on: Time
    cue_dur: Length
    response_dur: Length
    threshold: Positive
    tolerance: Positive


class ProducedInterval(Task[ProducedIntervalSettings]):
    """The output rises in a straight line, half of the way at the end of the interval."""

    name = "produced_interval"
    channels = ("cue",)

    @property
    def scoring(self) -> ProducedTime:  # type: ignore[override]
        return ProducedTime(self.settings.threshold, self.settings.tolerance)

    def conditions(self) -> pd.DataFrame:
        return pd.DataFrame({"interval": INTERVALS})

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        cue = np.where(self.during(rows, "cue"), rows["interval"] / 20, 0)
        return cue[..., None].astype(np.float32)

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial"]:
        return rows["interval"].to_numpy(np.float32)

    def targets(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial output"]:
        since = self.dt * (np.arange(self.steps.T)[:, None] - self.windows(rows)[:, 0])
        rising: np.ndarray = np.clip(0.5 * since / self.answer(rows), 0, 1)
        return rising[..., None].astype(np.float32)

    def mask(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial output"]:
        """The response window counts twice as much as what comes before it."""
        return super().mask(rows) + np.float32(1) * self.during(rows, "response")[..., None]
