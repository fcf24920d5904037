"""The reference backend: the equations as a plain loop, gradients by autograd, with the noise of the native backend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ctrnn import kernel
from ctrnn.network import reference
from ctrnn.network.backends import Activity, SupervisedTrials, Trials
from ctrnn.network.model import Network
from ctrnn.network.native_backend import prepared


class ReferenceBackend:
    """One network after the other, on the CPU, in float32 or float64; slow, and easy to trust."""

    def __init__(self, double: bool) -> None:
        self.precision = torch.float64 if double else torch.float32

    def outputs(
        self, networks: Sequence[Network], trials: Sequence[Trials]
    ) -> list[Float[np.ndarray, "time trial output"]]:
        """See `Backend.outputs`."""
        return [activity.outputs for activity in self.activity(networks, trials)]

    @torch.no_grad()
    def activity(self, networks: Sequence[Network], trials: Sequence[Trials]) -> list[Activity]:
        """See `Backend.activity`."""
        runs = [
            self._run(network, self._weights(network, frozenset()), batch)
            for network, batch in zip(networks, trials, strict=True)
        ]
        return [Activity(rates.float().numpy(), outputs.float().numpy()) for rates, outputs in runs]

    def loss_and_gradients(
        self,
        networks: Sequence[Network],
        batches: Sequence[SupervisedTrials],
        trainable: frozenset[str],
    ) -> list[tuple[float, dict[str, np.ndarray]]]:
        """See `Backend.loss_and_gradients`."""
        results = []
        for network, batch in zip(networks, batches, strict=True):
            weights = self._weights(network, trainable)
            rates, outputs = self._run(network, weights, batch)
            targets, mask = self._tensor(batch.targets), self._tensor(batch.mask)
            loss = reference.loss(outputs, rates, targets, mask, batch.rate_penalty)
            names = sorted(trainable)
            gradients = torch.autograd.grad(loss, [weights[name] for name in names])
            arrays = {name: g.float().numpy() for name, g in zip(names, gradients, strict=True)}
            results.append((float(loss), arrays))
        return results

    def _run(
        self, network: Network, weights: dict[str, Tensor], trials: Trials
    ) -> tuple[Tensor, Tensor]:
        """Rates and outputs, each [time, trial, ...]."""
        wiring = network.wiring
        settings = wiring.settings
        xi = eta = None
        if trials.noise is not None:
            steps, n_trials, _ = trials.inputs.shape
            normals = kernel.noise(prepared(wiring), trials.noise, steps, n_trials)
            xi, eta = map(self._tensor, normals)
        rates, outputs, _ = reference.run(
            weights,
            self._tensor(trials.inputs),
            mask=torch.tensor(wiring.mask),
            sign=self._tensor(wiring.sign),
            parameters={name: self._tensor(array) for name, array in wiring.parameters.items()},
            sigma_post=wiring.sigma_post,
            activation=settings.activation,
            dale=settings.dale,
            model=settings.model,
            xi=xi,
            eta=eta,
        )
        return rates, outputs

    def _weights(self, network: Network, trainable: frozenset[str]) -> dict[str, Tensor]:
        return {
            name: self._tensor(array).requires_grad_(name in trainable)
            for name, array in network.weights.items()
        }

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=self.precision)
