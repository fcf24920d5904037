"""Parametric working memory: two vibrations with a delay between them; +1 if the first was the faster one, else -1.

Romo, Brody, Hernandez & Lemus (1999, Nature 399:470). The pairs differ by the same step, so that the second frequency
alone, or the first, does not tell the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
import pandas as pd
from jaxtyping import Float
from pydantic import Field, model_validator

from ctrnn.core.config import Positive
from ctrnn.tasks.settings import MOST_STRENGTHS, DrawnDelays
from ctrnn.tasks.task import Task

LEAST_STEP = 1e-6  # as a share of the highest frequency: heights of pulses are 32-bit floats


class WorkingMemorySettings(DrawnDelays, task="working_memory"):
    """Section `tasks.working_memory`."""

    frequencies: Annotated[list[Positive], Field(min_length=1, max_length=MOST_STRENGTHS)]
    step: Positive

    @model_validator(mode="after")
    def _apart(self) -> Self:
        highest = max(self.frequencies)
        if self.step < LEAST_STEP * highest:
            raise ValueError(
                f"step = {self.step:g} is lost beside {{section}}.frequencies up to {highest:g}; "
                f"give a step of at least {LEAST_STEP * highest:g}"
            )
        return self


class WorkingMemory(Task[WorkingMemorySettings]):
    """A frequency is the height of a pulse, scaled so that those of the section span -1 to 1.

    hertz: the difference in frequency that is a difference of 1 between heights.
    """

    name = "working_memory"
    channels = ("vibration",)

    def __init__(self, settings: WorkingMemorySettings, dt: float) -> None:
        super().__init__(settings, dt)
        self.low, self.high = min(settings.frequencies), max(settings.frequencies) + settings.step
        self.hertz = (self.high - self.low) / 2
        self.evidence_unit = f"f1 - f2, in units of {self.hertz:g} Hz"

    def conditions(self) -> pd.DataFrame:
        """Columns f1 and f2, in Hz: every frequency f with f + step, in either order."""
        step = self.settings.step
        pairs = [(f, f + step) for f in self.settings.frequencies]
        return pd.DataFrame([*pairs, *(pair[::-1] for pair in pairs)], columns=["f1", "f2"])

    def graded(self, sizes: Sequence[float]) -> pd.DataFrame:
        """Pairs around the means of those of the section, whose heights differ by these sizes."""
        means = [f + self.settings.step / 2 for f in self.settings.frequencies]
        apart = [sign * size * self.hertz for size in sizes for sign in (1, -1)]
        pairs = [(mean + d / 2, mean - d / 2) for mean in means for d in apart]
        return pd.DataFrame(pairs, columns=["f1", "f2"])

    def evidence(self, rows: pd.DataFrame) -> pd.DataFrame:
        """By how much the first pulse is the higher one."""
        return pd.DataFrame(
            {"f1 - f2": ((rows["f1"] - rows["f2"]) / self.hertz).round(9).to_numpy()}
        )

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        """The two pulses."""
        low, high = self.low, self.high
        scaled = (2 * rows[["f1", "f2"]].to_numpy() - low - high) / (high - low)
        first = np.where(self.during(rows, "first"), scaled[:, 0], 0)
        pulses = np.where(self.during(rows, "second"), scaled[:, 1], first)
        return pulses[..., None].astype(np.float32)

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial"]:
        """Sign of f1 - f2."""
        sign: np.ndarray = np.sign((rows["f1"] - rows["f2"]).to_numpy()).astype(np.float32)
        return sign
