"""Go/no-go: one pulse or none, then 1 ("go") or 0 ("no-go")."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pandas as pd
from jaxtyping import Float
from pydantic import model_validator

from ctrnn.core.config import NotNegative
from ctrnn.tasks.settings import OneStimulus
from ctrnn.tasks.task import Task


class GoNogoSettings(OneStimulus, task="go_nogo"):
    """Section `tasks.go_nogo`."""

    nogo_threshold: NotNegative

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.nogo_threshold > self.threshold:
            raise ValueError(
                f"nogo_threshold = {self.nogo_threshold:g} is above {{section}}.threshold = "
                f"{self.threshold:g}; give nogo_threshold <= threshold"
            )
        return self


class GoNogo(Task[GoNogoSettings]):
    """A pulse of height 1 means go: the output is 1 in the response window, else 0."""

    name = "go_nogo"
    channels = ("stimulus",)
    answers: ClassVar[tuple[float, ...] | None] = (0.0, 1.0)

    def conditions(self) -> pd.DataFrame:
        """Column stimulus: "go" or "nogo"."""
        return pd.DataFrame({"stimulus": ["go", "nogo"]})

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        """A pulse on go trials."""
        inputs = np.zeros((self.steps.T, len(rows), 1), np.float32)
        inputs[self.steps.stim_on : self.steps.stim_off] = self.answer(rows)[:, None]
        return inputs

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial"]:
        """1 for go, 0 for no-go."""
        return (rows["stimulus"] == "go").to_numpy(np.float32)

    def choice(self, response: Float[np.ndarray, " trial"]) -> Float[np.ndarray, " trial"]:
        """1 above the go threshold, 0 below the no-go threshold."""
        go, nogo = self.settings.threshold, self.settings.nogo_threshold
        return np.select([response > go, response < nogo], [1.0, 0.0], np.nan).astype(np.float32)
