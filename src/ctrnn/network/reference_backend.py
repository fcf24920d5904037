"""The reference backend: the equations as a plain loop, gradients by autograd, with the noise of the native backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ctrnn import kernel
from ctrnn.kernel.losses import MeanSquaredError
from ctrnn.network import reference
from ctrnn.network.backends import Activity, SupervisedTrials, Trials
from ctrnn.network.model import Network
from ctrnn.network.native_backend import prepared
from ctrnn.network.tensors import by_slopes


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
            self._run(
                network, self._tensors(network.weights), self._tensors(network.parameters), batch
            )
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
            weights, parameters = (
                self._tensors(arrays, trainable) for arrays in (network.weights, network.parameters)
            )
            rates, outputs = self._run(network, weights, parameters, batch)
            if type(batch.loss) is MeanSquaredError:
                targets, mask = self._tensor(batch.targets), self._tensor(batch.mask)
                loss = reference.loss(outputs, rates, targets, mask, batch.rate_penalty)
            else:
                loss = by_slopes(outputs, batch) + batch.rate_penalty * (rates**2).mean()
            names, acting = sorted(trainable), {**weights, **parameters}
            gradients = torch.autograd.grad(
                loss, [acting[name] for name in names], allow_unused=True, materialize_grads=True
            )
            arrays = {name: g.float().numpy() for name, g in zip(names, gradients, strict=True)}
            results.append((loss.item(), arrays))
        return results

    def _run(
        self,
        network: Network,
        weights: dict[str, Tensor],
        parameters: dict[str, Tensor],
        trials: Trials,
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
            parameters=parameters,
            sigma_post=wiring.sigma_post,
            activation=settings.activation,
            dale=settings.dale,
            model=settings.model,
            xi=xi,
            eta=eta,
        )
        return rates, outputs

    def _tensors(
        self, arrays: Mapping[str, np.ndarray], trainable: frozenset[str] = frozenset()
    ) -> dict[str, Tensor]:
        return {
            name: self._tensor(array).requires_grad_(name in trainable)
            for name, array in arrays.items()
        }

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=self.precision)
