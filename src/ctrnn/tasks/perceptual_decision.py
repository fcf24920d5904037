"""Perceptual decision: noisy motion of graded coherence to one of two sides; answer the side.

The random-dot task of Britten, Shadlen, Newsome & Movshon (1992, J Neurosci 12:4745) and, with the subject's own time
of response, Roitman & Shadlen (2002, J Neurosci 22:9475), whose coherences these are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import pandas as pd
from jaxtyping import Float
from pydantic import Field

from ctrnn.core.config import WhiteNoise
from ctrnn.kernel import normals
from ctrnn.tasks.settings import MOST_STRENGTHS, OneStimulus
from ctrnn.tasks.task import Task, accuracy_of_integration


class PerceptualDecisionSettings(OneStimulus, task="perceptual_decision"):
    """Section `tasks.perceptual_decision`."""

    coherences: Annotated[
        list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1, max_length=MOST_STRENGTHS)
    ]
    evidence_sd: WhiteNoise


class PerceptualDecision(Task[PerceptualDecisionSettings]):
    """Evidence N(coherence, evidence_sd^2) at every ms of the stimulus, coherence with the sign of the side."""

    name = "perceptual_decision"
    channels = ("motion",)

    def conditions(self) -> pd.DataFrame:
        """Column coherence, with its sign."""
        return self.graded(self.settings.coherences)

    def graded(self, sizes: Sequence[float]) -> pd.DataFrame:
        """Motion of these coherences."""
        return pd.DataFrame({"coherence": [sign * size for size in sizes for sign in (1, -1)]})

    def evidence(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The coherence, which is the mean evidence."""
        return rows[["coherence"]].reset_index(drop=True)

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        """The evidence; a trial's noise follows from its noise seed alone."""
        times = self.steps
        inputs = np.zeros((times.T, len(rows), 1), np.float32)
        noise = normals(rows["noise_seed"].to_numpy(np.uint64), times.stim_dur).T
        evidence = rows["coherence"].to_numpy(np.float32) + np.float32(times.evidence_sd) * noise
        inputs[times.stim_on : times.stim_off] = evidence[..., None]
        return inputs

    @property
    def best_accuracy(self) -> float:
        """That of who adds up the evidence."""
        own = self.settings
        return accuracy_of_integration(own.coherences, own.evidence_sd, own.stim_dur)

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial"]:
        """Sign of the coherence."""
        sign: np.ndarray = np.sign(rows["coherence"].to_numpy()).astype(np.float32)
        return sign
