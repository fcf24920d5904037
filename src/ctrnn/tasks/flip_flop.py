"""n-bit flip-flop: on each channel +-1 pulses now and then; each output holds the sign of its channel's last pulse.

Sussillo & Barak (2013, Neural Comput 25:626).
"""

from __future__ import annotations

from itertools import product
from typing import Annotated

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from pydantic import Field

from ctrnn.core.config import Length, Positive, Share
from ctrnn.core.rng import generator
from ctrnn.tasks.settings import OneStimulus
from ctrnn.tasks.task import Task


class FlipFlopSettings(OneStimulus, task="flip_flop"):
    """Section `tasks.flip_flop`; the pulses are what `stim_on` and `stim_dur` time."""

    n_bits: Annotated[int, Field(ge=1, le=12)]  # 2^n_bits conditions
    pulse_dur: Length
    pulse_size: Positive
    pulse_every: Length
    pulse_share: Share


class FlipFlop(Task[FlipFlopSettings]):
    """At the first step of the pulses every bit is set; every `pulse_every` ms each may be set anew."""

    name = "flip_flop"

    def __init__(self, settings: FlipFlopSettings, dt: float) -> None:
        super().__init__(settings, dt)
        self.channels = self.outputs = tuple(f"bit_{i + 1}" for i in range(settings.n_bits))

    @property
    def onsets(self) -> range:
        """First steps of the pulses."""
        return range(self.steps.stim_on, self.steps.stim_off, self.steps.pulse_every)

    def conditions(self) -> pd.DataFrame:
        """Columns bit_1, bit_2, ...: the state after the last pulse, +1 or -1."""
        return pd.DataFrame(list(product((1, -1), repeat=len(self.outputs))), columns=self.outputs)

    def pulses(self, rows: pd.DataFrame) -> Float[np.ndarray, "pulse trial bit"]:
        """+1, -1 or 0 for none; they follow from the noise seed, but for the last sign of each bit."""
        size = (len(self.onsets), self.settings.n_bits)
        draws = [generator(int(seed), "pulses").random(size) for seed in rows["noise_seed"]]
        centred = np.stack(draws, axis=1) - 0.5  # where |draw| is small there is a pulse
        exists = np.abs(centred) < self.settings.pulse_share / 2
        exists[0] = True
        last = np.cumsum(exists[::-1], axis=0)[::-1] * exists == 1
        return np.where(last, self.answer(rows), np.sign(centred) * exists).astype(np.float32)

    def inputs(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial channel"]:
        """The pulses."""
        inputs = np.zeros((self.steps.T, len(rows), len(self.channels)), np.float32)
        for onset, signs in zip(self.onsets, self.pulses(rows), strict=True):
            inputs[onset : onset + self.steps.pulse_dur] = self.settings.pulse_size * signs
        return inputs

    def answer(self, rows: pd.DataFrame) -> Float[np.ndarray, "trial output"]:
        """The state after the last pulse."""
        return rows[list(self.outputs)].to_numpy(np.float32)

    def targets(self, rows: pd.DataFrame) -> Float[np.ndarray, "time trial output"]:
        """The state at every step from the first pulse to the end of the trial."""
        targets = np.zeros((self.steps.T, len(rows), len(self.outputs)), np.float32)
        for onset, signs in zip(self.onsets, self.pulses(rows), strict=True):
            targets[onset:] = np.where(signs == 0, targets[onset], signs)
        return targets

    def mask(self, rows: pd.DataFrame) -> Bool[np.ndarray, "time trial output"]:
        """As in every task, but for the steps of a pulse: an output cannot jump, and is not asked to."""
        mask = super().mask(rows)
        for onset in self.onsets:
            mask[onset : onset + self.steps.pulse_dur] = False
        return mask
