"""The backend that the settings name, behind what is trained: signs by Dale's principle, time constants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float

from ctrnn.network.backends import Activity, Backend, SupervisedTrials, Trials
from ctrnn.network.model import Network
from ctrnn.network.native_backend import NativeBackend


class DaleBackend:
    """Gives a backend the input and readout weights as they act under Dale's principle, whichever backend computes.

    Gradients come back by what is trained; that by tau is made of those by tau and by sigma.
    """

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
        acting = trainable | {"sigma"} if "tau" in trainable else trainable
        results = self.backend.loss_and_gradients(signed, batches, acting)
        return [
            (loss, dict(network.vjp(gradients)))
            for network, (loss, gradients) in zip(networks, results, strict=True)
        ]


def _with_signs(network: Network) -> Network:
    """The network whose input and readout weights, as trained, are the effective ones of this."""
    settings = network.wiring.settings
    if not settings.dale_inputs and not settings.dale_readout:
        return network
    signed = {name: network.effective_weights[name] for name in ("W_in", "W_out")}
    return Network(network.wiring, {**network.weights, **signed})


class ChoosesBackend(Protocol):
    """Settings that name a backend, its device and its threads, as section `train` does."""

    @property
    def backend(self) -> str:
        """native, torch, reference or reference64."""

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
    if settings.backend.startswith("reference"):
        from ctrnn.network.reference_backend import ReferenceBackend

        return DaleBackend(ReferenceBackend(double=settings.backend == "reference64"))
    return DaleBackend(NativeBackend(settings.threads))
