"""The one interface behind which the dynamics run: firing rates of networks, and gradients of their loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float

from ctrnn.network.network import Network
from ctrnn.params import TrainSettings


@dataclass(frozen=True)
class Trials:
    """Trials that one network sees. `noise` is the key of its noise stream, None for dynamics without noise."""

    inputs: Float[np.ndarray, "time trial channel"]
    noise: int | None


@dataclass(frozen=True)
class TaughtTrials(Trials):
    """Trials with what the network should answer, and where the loss counts."""

    targets: Float[np.ndarray, "time trial output"]
    mask: Bool[np.ndarray, "time trial output"]


@dataclass(frozen=True)
class Activity:
    """What a network did: firing rates, noise included, as the readout sees them, and outputs."""

    rates: Float[np.ndarray, "time trial unit"]
    outputs: Float[np.ndarray, "time trial output"]


class Backend(Protocol):
    """Runs the equations of the README's section "Equations" for a population of networks of one setting."""

    def outputs(
        self, networks: Sequence[Network], trials: Sequence[Trials]
    ) -> list[Float[np.ndarray, "time trial output"]]:
        """Outputs of every network on its trials."""

    def activity(self, networks: Sequence[Network], trials: Sequence[Trials]) -> list[Activity]:
        """Rates and outputs of every network on its trials; rates take 4 bytes x time x trial x unit each."""

    def loss_and_gradients(
        self, networks: Sequence[Network], batches: Sequence[TaughtTrials], wanted: frozenset[str]
    ) -> list[tuple[float, dict[str, np.ndarray]]]:
        """Mean squared error of every network where the mask counts, and its gradient by the arrays in `wanted`."""


def get_backend(settings: TrainSettings) -> Backend:
    """The backend that `train.backend` names. Raises a Complaint where this machine cannot run it."""
    if settings.backend == "torch":  # importing torch takes seconds: only where it is used
        from ctrnn.network.torch_backend import TorchBackend

        return TorchBackend(settings.device)
    from ctrnn.network.native_backend import NativeBackend

    return NativeBackend(settings.threads)
