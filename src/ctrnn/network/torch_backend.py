"""The torch backend: any device, all networks of a population on a leading axis, gradients by the derived adjoint.

Arrays here are [time, network, trial, unit], so that a step of time lies together in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ctrnn.errors import ParamsError
from ctrnn.kernel.losses import MeanSquaredError
from ctrnn.network.backends import Activity, SupervisedTrials, Trials
from ctrnn.network.model import Network
from ctrnn.network.tensors import Rates, by_slopes, functions

AnyTrials = TypeVar("AnyTrials", bound=Trials)
TRIALS_AT_ONCE = 256  # in passes without gradients, to bound memory


class TorchBackend:
    """Runs populations with torch. Raises ParamsError where torch does not find the device.

    together: all networks at once on the leading axis, which pays on a graphics processor. On a CPU they go one after
    the other: products in batches take longer there, and give a network other bits beside other networks.
    """

    def __init__(self, device: str) -> None:
        available: dict[str, Callable[[], bool]] = {
            "cuda": torch.cuda.is_available,
            "mps": torch.backends.mps.is_available,
        }
        if device in available and not available[device]():
            raise ParamsError(
                f"train.device = {device!r} is not on this machine; give train.device = 'cpu'"
            )
        self.device = torch.device(device)
        self.together = device != "cpu"

    def outputs(
        self, networks: Sequence[Network], trials: Sequence[Trials]
    ) -> list[Float[np.ndarray, "time trial output"]]:
        """See `Backend.outputs`."""
        results: list[np.ndarray] = []
        for group in self._groups(networks, trials):
            results += list(
                np.concatenate([outputs for _, outputs in self._forward(*group)], axis=2)
            )
        return results

    def activity(self, networks: Sequence[Network], trials: Sequence[Trials]) -> list[Activity]:
        """See `Backend.activity`."""
        results: list[Activity] = []
        for group in self._groups(networks, trials):
            parts = zip(*self._forward(*group), strict=True)
            rates, outputs = (np.concatenate(arrays, axis=2) for arrays in parts)
            results += [Activity(*pair) for pair in zip(rates, outputs, strict=True)]
        return results

    def loss_and_gradients(
        self,
        networks: Sequence[Network],
        batches: Sequence[SupervisedTrials],
        trainable: frozenset[str],
    ) -> list[tuple[float, dict[str, np.ndarray]]]:
        """See `Backend.loss_and_gradients`."""
        groups = self._groups(networks, batches)
        return [pair for group in groups for pair in self._gradients(*group, trainable)]

    def _groups(
        self, networks: Sequence[Network], trials: Sequence[AnyTrials]
    ) -> list[tuple[Sequence[Network], Sequence[AnyTrials]]]:
        """Networks that are computed at once, with their trials."""
        n = len(networks) if self.together else 1
        return [(networks[i : i + n], trials[i : i + n]) for i in range(0, len(networks), n)]

    def _gradients(
        self,
        networks: Sequence[Network],
        batches: Sequence[SupervisedTrials],
        trainable: frozenset[str],
    ) -> list[tuple[float, dict[str, np.ndarray]]]:
        weights = self._tensors([network.weights for network in networks], trainable)
        parameters = self._tensors([network.parameters for network in networks], trainable)
        inputs = self._by_time([batch.inputs for batch in batches])
        generators = self._generators(batches)
        R, Z = self._run(networks, weights, parameters, inputs, generators)
        losses = self._losses(Z, batches)
        if batches[0].rate_penalty:
            losses = losses + batches[0].rate_penalty * R.square().mean(dim=(0, 2, 3))
        names, acting = sorted(trainable), {**weights, **parameters}
        grads = torch.autograd.grad(
            losses.sum(),
            [acting[name] for name in names],
            allow_unused=True,
            materialize_grads=True,
        )
        arrays = {name: grad.cpu().numpy() for name, grad in zip(names, grads, strict=True)}
        return [
            (loss, {name: array[i] for name, array in arrays.items()})
            for i, loss in enumerate(losses.tolist())
        ]

    def _losses(self, Z: Tensor, batches: Sequence[SupervisedTrials]) -> Tensor:
        """The loss of every network, from its outputs Z [time, network, trial, output]."""
        if type(batches[0].loss) is not MeanSquaredError:
            return torch.stack([by_slopes(Z[:, i], batch) for i, batch in enumerate(batches)])
        targets = self._by_time([batch.targets for batch in batches])
        mask = self._by_time([batch.mask.astype(np.float32) for batch in batches])
        losses: Tensor = (mask * (Z - targets) ** 2).sum(dim=(0, 2, 3)) / mask.sum(dim=(0, 2, 3))
        return losses

    @torch.no_grad()
    def _forward(
        self, networks: Sequence[Network], trials: Sequence[Trials]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rates and outputs [network, time, trial, ...] of some trials after the other."""
        weights = self._tensors([network.weights for network in networks])
        parameters = self._tensors([network.parameters for network in networks])
        generators = self._generators(trials)
        for start in range(0, trials[0].inputs.shape[1], TRIALS_AT_ONCE):
            part = slice(start, start + TRIALS_AT_ONCE)
            inputs = self._by_time([batch.inputs[:, part] for batch in trials])
            pair = self._run(networks, weights, parameters, inputs, generators)
            rates, outputs = (array.transpose(0, 1).cpu().numpy() for array in pair)
            yield rates, outputs

    def _run(
        self,
        networks: Sequence[Network],
        weights: dict[str, Tensor],
        parameters: dict[str, Tensor],
        inputs: Tensor,
        generators: list[torch.Generator] | None,
    ) -> tuple[Tensor, Tensor]:
        """Rates and outputs [time, network, trial, ...]. Networks of one population share their settings."""
        settings = networks[0].wiring.settings
        sign = self._stack([network.wiring.sign for network in networks]).unsqueeze(1)
        parameters = {name: array.unsqueeze(1) for name, array in parameters.items()}
        own = functions(settings.model, settings.activation)
        gain, start, coefficients = own.of_parameters(parameters)
        pattern = self._stack([network.wiring.mask for network in networks])
        W = torch.relu(weights["W_rec"]) * sign if settings.dale else weights["W_rec"]
        A = W * pattern * gain.transpose(1, 2)
        drive = gain * (apply(weights["W_in"], inputs) + weights["b_rec"].unsqueeze(1))
        if generators is None:
            eta = torch.zeros_like(drive)
        else:
            drive = torch.addcmul(drive, self._normal(drive.shape, generators), parameters["sigma"])
            eta = self._normal(drive.shape, generators).mul_(networks[0].wiring.sigma_post)
        of_units = [torch.zeros_like(gain) + state for state in start]
        of_units += [parameters[name] for name in own.equations.trainable]
        k = [torch.as_tensor(part).detach() for part in coefficients]
        R: Tensor = Rates.apply(A, drive, eta, own, k, *of_units)
        return R, apply(weights["W_out"], R) + weights["b_out"].unsqueeze(1)

    def _tensors(
        self, arrays: Sequence[Mapping[str, np.ndarray]], trainable: frozenset[str] = frozenset()
    ) -> dict[str, Tensor]:
        """Of every network its arrays by name, stacked."""
        return {
            name: self._stack([own[name] for own in arrays]).requires_grad_(name in trainable)
            for name in arrays[0]
        }

    def _generators(self, trials: Sequence[Trials]) -> list[torch.Generator] | None:
        """A random generator for each network, or None where there is no noise."""
        keys = [batch.noise for batch in trials if batch.noise is not None]
        if not keys:
            return None
        return [torch.Generator(self.device).manual_seed(key % 2**63) for key in keys]

    def _normal(self, shape: torch.Size, generators: list[torch.Generator]) -> Tensor:
        """Standard normals [time, network, trial, unit], each network's from its own generator."""
        if len(generators) == 1:  # no copy; and no view, which Rates could not write over
            normals = torch.empty(shape, device=self.device)
            normals[:, 0].normal_(generator=generators[0])
            return normals
        of_one_network = (shape[0], shape[2], shape[3])
        draws = [
            torch.randn(of_one_network, generator=own, device=self.device) for own in generators
        ]
        return torch.stack(draws, dim=1)

    def _stack(self, arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays)).to(self.device)

    def _by_time(self, arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays, axis=1)).to(self.device)


def apply(W: Tensor, arrays: Tensor) -> Tensor:
    """W [network, to, from] on [time, network, trial, from], in one matrix product per network."""
    return torch.einsum("kij,tkbj->tkbi", W, arrays)
