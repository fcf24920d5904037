"""A network as a module of torch: the plain loop of `ctrnn.network.reference`, with weights that can be trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ctrnn.network import Network, reference


class TorchNetwork(nn.Module):
    """The rates of a network, differentiable by its inputs, its starts and its weights as trained.

    Parameters of torch are the weights, and the parameters of units that were trained or
    replaced, such as tau. Buffers are the
    pattern `mask`, `sign`, and the other parameters of units: dt, tau, sigma (noise of a step) and those of the model.
    It is in float32 as the kernel is; `.double()` makes it float64.
    """

    mask: Tensor
    sign: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        wiring = network.wiring
        self.settings, self.sigma_post = wiring.settings, wiring.sigma_post
        for name, weight in network.weights.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(weight)))
        self.names = tuple(network.parameters)
        fixed = {name: p for name, p in network.parameters.items() if name not in network.weights}
        for name, array in {"mask": wiring.mask, "sign": wiring.sign, **fixed}.items():
            self.register_buffer(name, torch.tensor(array))

    def forward(
        self,
        inputs: Tensor,
        x0: Tensor | None = None,
        xi: Tensor | None = None,
        eta: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Run the network.

        Args:
            inputs: [time, trial, channel], each of which makes one step.
            x0: [trial, state], the states before the first step; None for those of the model.
            xi: [time, trial, unit], standard normals of the noise on the current; None for no noise.
            eta: [time, trial, unit], those of the noise on rates; None for none.

        Returns:
            Rates [time, trial, unit] and outputs [time, trial, output].
        """
        rates, outputs, _ = self._run(inputs, x0, xi, eta)
        return rates, outputs

    def cell(self, x: Tensor, u: Tensor) -> Tensor:
        """States [trial, state] a step later, from those of before and inputs [trial, channel]; without noise."""
        return self._run(u[None], x)[2][0]

    def _run(
        self,
        inputs: Tensor,
        x0: Tensor | None = None,
        xi: Tensor | None = None,
        eta: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        settings = self.settings
        weights = {
            name: getattr(self, name) for name in ("W_in", "W_rec", "b_rec", "W_out", "b_out")
        }
        if settings.dale_inputs:
            weights["W_in"] = torch.relu(weights["W_in"])
        if settings.dale_readout:
            weights["W_out"] = torch.relu(weights["W_out"]) * (self.sign > 0)
        return reference.run(
            weights,
            inputs,
            mask=self.mask,
            sign=self.sign,
            parameters={name: getattr(self, name) for name in self.names},
            sigma_post=self.sigma_post,
            activation=settings.activation,
            dale=settings.dale,
            model=settings.model,
            xi=xi,
            eta=eta,
            x0=x0,
        )
