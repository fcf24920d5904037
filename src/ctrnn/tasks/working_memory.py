"""Parametric working memory: two vibrations with a delay between them; +1 if the first was the faster one, else -1.

Romo, Brody, Hernandez & Lemus (1999, Nature 399:470). The pairs differ by the same step, so that the second frequency
alone, or the first, does not tell the answer.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pandas as pd
from jaxtyping import Float
from pydantic import Field

from ctrnn.params import Positive
from ctrnn.tasks.task import Task
from ctrnn.tasks.timing import TwoStimuli


class WorkingMemorySettings(TwoStimuli, task="working_memory"):
    """Section `tasks.working_memory`."""

    frequencies: Annotated[list[Positive], Field(min_length=1)]
    step: Positive


class WorkingMemory(Task[WorkingMemorySettings]):
    """A frequency is the height of a pulse, scaled so that those of the section span -1 to 1."""

    name = "working_memory"
    channels = ("vibration",)

    def conditions(self) -> pd.DataFrame:
        """Columns f1 and f2, in Hz: every frequency f with f + step, in either order."""
        step = self.settings.step
        pairs = [(f, f + step) for f in self.settings.frequencies]
        return pd.DataFrame([*pairs, *(pair[::-1] for pair in pairs)], columns=["f1", "f2"])

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        """The two pulses."""
        times = self.settings
        low, high = min(times.frequencies), max(times.frequencies) + times.step
        scaled = (2 * rows[["f1", "f2"]].to_numpy() - low - high) / (high - low)
        inputs = np.zeros((times.T, len(rows), 1), np.float32)
        inputs[times.stim_on : times.stim_on + times.stim_dur, :, 0] = scaled[:, 0]
        inputs[times.second_on : times.stim_off, :, 0] = scaled[:, 1]
        return inputs

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial"]:
        """Sign of f1 - f2."""
        sign: np.ndarray = np.sign((rows["f1"] - rows["f2"]).to_numpy()).astype(np.float32)
        return sign
