"""Ready-set-go: the time between two pulses is to be produced after the second, by passing a threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd
from jaxtyping import Float

from ctrnn.core.config import Length, Positive, Time
from ctrnn.tasks.drawn import ChosenTime
from ctrnn.tasks.scoring import ProducedTime
from ctrnn.tasks.settings import Phases
from ctrnn.tasks.task import Task

SECTION = {
    "T": 52, "ready_on": 2, "interval": {"choice": [10, 20]}, "response_dur": 30, "pulse_dur": 3, "threshold": 0.5,
    "tolerance": 0.25, "loss_over": "trial", "train_trials": 32, "validation_trials": 16, "test_trials": 16,
    "curriculum": [],
}  # fmt: skip


class ProducedIntervalSettings(Phases):
    """Section `tasks.produced_interval`."""

    phases: ClassVar[Mapping[str, str]] = {
        "baseline": "ready_on",
        "interval": "interval",
        "response": "response_dur",
    }

    ready_on: Time
    interval: ChosenTime
    response_dur: Length
    pulse_dur: Length
    threshold: Positive
    tolerance: Positive


class ProducedInterval(Task[ProducedIntervalSettings]):
    """The output rises in a straight line from the second pulse on, and is half of the way up at the right time."""

    name = "produced_interval"
    channels = ("ready", "set")

    @property
    def scoring(self) -> ProducedTime:  # type: ignore[override]
        return ProducedTime(self.settings.threshold, self.settings.tolerance)

    def conditions(self) -> pd.DataFrame:
        return pd.DataFrame({"interval": self.settings.interval.choice})

    def _since_set(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial"]:
        steps: np.ndarray = np.arange(self.steps.T)[:, None] - self.windows(rows)[:, 0]
        return self.dt * steps

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        since_set = self._since_set(rows)
        pulses = [
            (since >= 0) & (since < self.settings.pulse_dur)
            for since in (since_set + self.answer(rows), since_set)
        ]
        return np.stack(pulses, axis=2).astype(np.float32)

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial"]:
        return rows["interval"].to_numpy(np.float32)

    def targets(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial output"]:
        rising: np.ndarray = np.clip(0.5 * self._since_set(rows) / self.answer(rows), 0, 1)
        return rising[..., None].astype(np.float32)

    def mask(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial output"]:
        """The response window counts twice as much as what comes before it."""
        return super().mask(rows) + np.float32(1) * self.during(rows, "response")[..., None]
