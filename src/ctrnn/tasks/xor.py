"""Temporal exclusive or: two +-1 pulses on one channel; +1 if they differ, -1 if they do not.

Kim, Li & Sejnowski (2019, PNAS 116:22811) give the two pulses on two channels and answer +1 to equal signs, which is
`dmts` here. On one channel the network must tell the pulses apart by their order alone.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from ctrnn.tasks.settings import DrawnDelays
from ctrnn.tasks.task import Task


class XorSettings(DrawnDelays, task="xor"):
    """Section `tasks.xor`."""


class Xor(Task[XorSettings]):
    """Two pulses in a row on the one channel."""

    name = "xor"
    channels = ("stimulus",)

    def conditions(self) -> pd.DataFrame:
        """Columns first and second: +1 or -1."""
        return pd.DataFrame({"first": [1, 1, -1, -1], "second": [1, -1, 1, -1]})

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        """The two pulses."""
        first = np.where(self.during(rows, "first"), rows["first"], 0)
        pulses = np.where(self.during(rows, "second"), rows["second"], first)
        return pulses[..., None].astype(np.float32)

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial"]:
        """+1 where the pulses differ, -1 where they do not."""
        return -(rows["first"] * rows["second"]).to_numpy(np.float32)
