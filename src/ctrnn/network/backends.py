"""The one interface behind which the dynamics run: firing rates of networks, and gradients of their loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float

from ctrnn.network.model import Network


@dataclass(frozen=True)
class Trials:
    """Trials that one network sees. `noise` is the key of its noise stream, None for dynamics without noise."""

    inputs: Float[np.ndarray, "time trial channel"]
    noise: int | None


@dataclass(frozen=True)
class SupervisedTrials(Trials):
    """Trials with what the network should answer, and where the loss counts; rate_penalty: factor of mean(r^2)."""

    targets: Float[np.ndarray, "time trial output"]
    mask: Bool[np.ndarray, "time trial output"]
    rate_penalty: float = 0.0


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
        self,
        networks: Sequence[Network],
        batches: Sequence[SupervisedTrials],
        trainable: frozenset[str],
    ) -> list[tuple[float, dict[str, np.ndarray]]]:
        """Loss of every network and its gradient by the arrays in `trainable`.

        The loss is the mean squared error where the mask counts, plus rate_penalty mean(r^2) over time, trial and
        unit, with rates as the readout sees them.
        """


class DaleBackend:
    """Gives a backend the input and readout weights as they act under Dale's principle, whichever backend computes."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def outputs(
        self, networks: Sequence[Network], trials: Sequence[Trials]
    ) -> list[Float[np.ndarray, "time trial output"]]:
        """See `Backend.outputs`."""
        return self.backend.outputs([_with_signs(network) for network in networks], trials)

    def activity(self, networks: Sequence[Network], trials: Sequence[Trials]) -> list[Activity]:
        """See `Backend.activity`."""
        return self.backend.activity([_with_signs(network) for network in networks], trials)

    def loss_and_gradients(
        self,
        networks: Sequence[Network],
        batches: Sequence[SupervisedTrials],
        trainable: frozenset[str],
    ) -> list[tuple[float, dict[str, np.ndarray]]]:
        """See `Backend.loss_and_gradients`; gradients are by the weights as trained."""
        signed = [_with_signs(network) for network in networks]
        results = self.backend.loss_and_gradients(signed, batches, trainable)
        return [
            (loss, dict(network.vjp(gradients)))
            for network, (loss, gradients) in zip(networks, results, strict=True)
        ]


def _with_signs(network: Network) -> Network:
    """The network whose input and readout weights, as trained, are the effective ones of this."""
    settings, effective = network.wiring.settings, network.effective_weights
    if not settings.dale_inputs and not settings.dale_readout:
        return network
    signed = {name: effective[name] for name in ("W_in", "W_out")}
    return Network(network.wiring, {**network.weights, **signed})


class ChoosesBackend(Protocol):
    """Settings that name a backend, its device and its threads, as section `train` does."""

    @property
    def backend(self) -> str:
        """native or torch."""

    @property
    def device(self) -> str:
        """Of torch; the native backend runs on the CPU."""

    @property
    def threads(self) -> int | None:
        """Of the native backend; None for all cores that the process may use."""


def get_backend(settings: ChoosesBackend) -> Backend:
    """The backend that `train.backend` names. Raises a UserError where this machine cannot run it."""
    if settings.backend == "torch":  # importing torch takes seconds: only where it is used
        from ctrnn.network.torch_backend import TorchBackend

        return DaleBackend(TorchBackend(settings.device))
    from ctrnn.network.native_backend import NativeBackend

    return DaleBackend(NativeBackend(settings.threads))
