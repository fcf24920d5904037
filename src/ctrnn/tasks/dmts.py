"""Delayed match to sample: two +-1 pulses on two channels; +1 if they have the same sign, else -1.

The two-channel form that Kim, Li & Sejnowski (2019, PNAS 116:22811) train as their sequential XOR task.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from ctrnn.tasks.settings import DrawnDelays
from ctrnn.tasks.task import Task


class DmtsSettings(DrawnDelays, task="dmts"):
    """Section `tasks.dmts`."""


class Dmts(Task[DmtsSettings]):
    """The sample on channel 1, a delay, the test pulse on channel 2."""

    name = "dmts"
    channels = ("sample", "test")

    def conditions(self) -> pd.DataFrame:
        """Columns sample and test: +1 or -1."""
        return pd.DataFrame({"sample": [1, 1, -1, -1], "test": [1, -1, 1, -1]})

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        """A pulse on each channel, one after the other."""
        inputs = np.zeros((self.steps.T, len(rows), 2), np.float32)
        inputs[..., 0] = np.where(self.during(rows, "first"), rows["sample"], 0)
        inputs[..., 1] = np.where(self.during(rows, "second"), rows["test"], 0)
        return inputs

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial"]:
        """+1 for a match, -1 for a non-match."""
        return (rows["sample"] * rows["test"]).to_numpy(np.float32)
