"""Context-dependent integration: noisy evidence on two channels; answer the sign of the one that the context names.

Mante, Sussillo, Shenoy & Newsome (2013, Nature 503:78). Their psychometric curves need graded evidence on both
channels: six signed strengths of motion and six of colour in each context. Choices should follow the relevant evidence
steeply, and the irrelevant one hardly.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Annotated

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from pydantic import Field

from ctrnn.core.config import Positive, WhiteNoise
from ctrnn.kernel import normals
from ctrnn.tasks.settings import MOST_STRENGTHS, OneStimulus
from ctrnn.tasks.task import ConstantInput, Task, accuracy_of_integration

CONTEXTS = ("motion", "colour")


class ManteSettings(OneStimulus, task="mante"):
    """Section `tasks.mante`."""

    evidence: Annotated[list[Positive], Field(min_length=1, max_length=MOST_STRENGTHS)]
    evidence_sd: WhiteNoise


class Mante(Task[ManteSettings]):
    """Evidence N(mean, evidence_sd^2) at every ms of the stimulus, independent between the channels.

    The context, 1 on its channel, is on for the whole trial.
    """

    name = "mante"
    channels = ("motion", "colour", "context_motion", "context_colour")

    def conditions(self) -> pd.DataFrame:
        """Columns context, motion and colour; the latter two are the mean evidence, with its sign."""
        return self.graded(self.settings.evidence)

    def graded(self, sizes: Sequence[float]) -> pd.DataFrame:
        """Every pair of strengths, in either context."""
        means = [sign * size for size in sizes for sign in (1, -1)]
        return pd.DataFrame(
            list(product(CONTEXTS, means, means)), columns=["context", "motion", "colour"]
        )

    def evidence(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Of the channel that the context names, and of the other one."""
        motion = in_motion_context(rows)
        return pd.DataFrame({
            "relevant": np.where(motion, rows["motion"], rows["colour"]),
            "irrelevant": np.where(motion, rows["colour"], rows["motion"]),
        })  # fmt: skip

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        """Evidence and context; a trial's noise follows from its noise seed alone."""
        times = self.steps
        inputs = np.zeros((times.T, len(rows), 4), np.float32)
        noise = normals(rows["noise_seed"].to_numpy(np.uint64), 2 * times.stim_dur)
        noise = noise.reshape(len(rows), times.stim_dur, 2).transpose(1, 0, 2)
        for channel, name in enumerate(self.channels[:2]):
            evidence = inputs[times.stim_on : times.stim_off, :, channel]
            np.multiply(noise[:, :, channel], np.float32(times.evidence_sd), out=evidence)
            evidence += rows[name].to_numpy(np.float32)
        motion = in_motion_context(rows)
        inputs[:, :, 2:] = np.stack([motion, ~motion], axis=1).astype(np.float32)
        return inputs

    @property
    def best_accuracy(self) -> float:
        """That of who adds up the evidence that the context names."""
        own = self.settings
        return accuracy_of_integration(own.evidence, own.evidence_sd, own.stim_dur)

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, " trial"]:
        """Sign of the mean evidence on the channel that the context names."""
        sign: np.ndarray = np.sign(self.evidence(rows)["relevant"].to_numpy()).astype(np.float32)
        return sign

    def constant_inputs(self) -> tuple[ConstantInput, ...]:
        """Each context, without evidence."""
        return tuple(
            ConstantInput(
                name=context,
                inputs=(0.0, 0.0, *(float(context == other) for other in CONTEXTS)),
                trials={"context": context},
                relevant=context,
                irrelevant=next(other for other in CONTEXTS if other != context),
            )
            for context in CONTEXTS
        )


def in_motion_context(rows: pd.DataFrame) -> Bool[np.ndarray, " trial"]:
    """Which trials ask for motion."""
    asked: np.ndarray = rows["context"].to_numpy(object) == CONTEXTS[0]
    return asked


class ManteGradedSettings(ManteSettings, task="mante_graded"):
    """Section `tasks.mante_graded`."""


class ManteGraded(Mante):
    """Mante's task with a section of its own, so that it stands beside the one with a single strength."""

    name = "mante_graded"
