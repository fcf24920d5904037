"""The one interface behind which the dynamics run: firing rates of networks, and gradients of their loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float

from ctrnn.kernel.losses import Loss, MeanSquaredError
from ctrnn.network.model import Network

SQUARED_ERROR = MeanSquaredError()


@dataclass(frozen=True)
class Trials:
    """Trials that one network sees. `noise` is the key of its noise stream, None for dynamics without noise."""

    inputs: Float[np.ndarray, "time trial channel"]
    noise: int | None


@dataclass(frozen=True)
class SupervisedTrials(Trials):
    """Trials with what the network should answer, and where the loss counts; rate_penalty: factor of mean(r^2).

    mask: yes or no, or weights. loss: the same for all networks of a call.
    """

    targets: Float[np.ndarray, "time trial output"]
    mask: Bool[np.ndarray, "time trial output"] | Float[np.ndarray, "time trial output"]
    rate_penalty: float = 0.0
    loss: Loss = SQUARED_ERROR


@dataclass(frozen=True)
class Activity:
    """What a network did: firing rates, noise included, as the readout sees them, and outputs."""

    rates: Float[np.ndarray, "time trial unit"]
    outputs: Float[np.ndarray, "time trial output"]


class Backend(Protocol):
    """Runs the equations of `ctrnn.dynamics` for a population of networks of one setting."""

    def outputs(
        self, networks: Sequence[Network], trials: Sequence[Trials]
    ) -> list[Float[np.ndarray, "time trial output"]]:
        """Outputs of every network on its trials."""

    def activity(self, networks: Sequence[Network], trials: Sequence[Trials]) -> list[Activity]:
        """Rates and outputs of every network on its trials; rates take 4 bytes x time x trial x unit each."""

    def loss_and_gradients(
        self,
        networks: Sequence[Network],
        batches: Sequence[SupervisedTrials],
        trainable: frozenset[str],
    ) -> list[tuple[float, dict[str, np.ndarray]]]:
        """Loss of every network and its gradient by the arrays in `trainable`: weights and parameters.

        The loss is that of the trials where the mask counts, by default the mean squared error, plus rate_penalty
        mean(r^2) over time, trial and unit, with rates as the readout sees them.
        """
