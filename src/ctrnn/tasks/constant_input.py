"""What a task tells the analyses: the constant inputs under which a network waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Bool


@dataclass(frozen=True)
class ConstantInput:
    """A constant input under which fixed points are looked for.

    inputs: a value per channel. trials: condition variables and the values that pick the trials seen under this input;
    none picks all. relevant, irrelevant: the channel that decides the answer in these trials and the one to be
    ignored, where the task has such a pair; they are condition variables of the same names too.
    """

    name: str
    inputs: tuple[float, ...]
    trials: Mapping[str, str | float] = field(default_factory=dict)
    relevant: str | None = None
    irrelevant: str | None = None

    def picks(self, rows: pd.DataFrame) -> Bool[np.ndarray, " trial"]:
        """Which rows of a trial table are seen under this input."""
        chosen = np.ones(len(rows), bool)
        for variable, value in self.trials.items():
            chosen &= (rows[variable] == value).to_numpy(bool)
        return chosen
