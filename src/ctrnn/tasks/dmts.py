"""Delayed match to sample: two +-1 pulses on two channels; +1 if they have the same sign, else -1.

The two-channel form that Kim, Li & Sejnowski (2019, PNAS 116:22811) train as their sequential XOR task.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from ctrnn.tasks.settings import TwoStimuli
from ctrnn.tasks.task import Task


class DmtsSettings(TwoStimuli, task="dmts"):
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
        times = self.steps
        inputs = np.zeros((times.T, len(rows), 2), np.float32)
        inputs[times.stim_on : times.stim_on + times.stim_dur, :, 0] = rows["sample"].to_numpy()
        inputs[times.second_on : times.stim_off, :, 1] = rows["test"].to_numpy()
        return inputs

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial"]:
        """+1 for a match, -1 for a non-match."""
        return (rows["sample"] * rows["test"]).to_numpy(np.float32)
