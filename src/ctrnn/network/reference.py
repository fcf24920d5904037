"""The equations as a plain loop with autograd: what the kernel and the torch backend are held to, a line each."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import torch
from torch import Tensor

from ctrnn.dynamics.activations import ACTIVATIONS
from ctrnn.dynamics.models import models


def effective_weights(W: Tensor, mask: Tensor, sign: Tensor, dale: bool) -> Tensor:
    """W_eff [post, pre]: relu(W) * sign[pre] on the pattern under Dale's principle, else W on the pattern."""
    return torch.relu(W) * mask * sign if dale else W * mask


def run(
    weights: Mapping[str, Tensor],
    inputs: Tensor,
    *,
    mask: Tensor,
    sign: Tensor,
    parameters: Mapping[str, Tensor],
    sigma_post: float,
    activation: str,
    dale: bool,
    model: str = "rate",
    xi: Tensor | None = None,
    eta: Tensor | None = None,
    x0: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a network, in the precision of its inputs.

    Args:
        weights: W_in [unit, channel], W_rec [post, pre], b_rec [unit], W_out [output, unit], b_out [output].
        inputs: [time, trial, channel], each of which makes one step.
        mask: [post, pre], the synapses that exist.
        sign: [unit], +1 or -1 of the presynaptic unit.
        parameters: [unit] each: dt, tau, sigma and those of the model.
        sigma_post: Standard deviation of the noise on rates.
        activation: Name in `ACTIVATIONS`.
        dale: Whether W_eff = relu(W_rec) * sign.
        model: Name of a file in `dynamics/models/`.
        xi: [time, trial, unit], the standard normals of the driven state; None for no noise.
        eta: [time, trial, unit], those of the rates.
        x0: [trial, state], the states before the first step, one after the other; None for the model's.

    Returns:
        Rates, outputs and states, each [time, trial, unit, output or state], after each step.

    """
    equations, f, p = models()[model], ACTIVATIONS[activation], SimpleNamespace(**parameters)
    W_eff = effective_weights(weights["W_rec"], mask, sign, dale)
    zeros = inputs.new_zeros(inputs.shape[1], W_eff.shape[0])
    y = {name: zeros + value for name, value in equations.start(p).items()}
    if x0 is not None:
        y = dict(zip(y, x0.chunk(len(y), dim=-1), strict=True))
    r = equations.rate(y, f, p)
    steps = []
    for t in range(inputs.shape[0]):
        s = equations.transmitted(y, r, p)
        current = s @ W_eff.T + inputs[t] @ weights["W_in"].T + weights["b_rec"]
        y = equations.step(y, r, current, zeros if xi is None else xi[t], p)
        r = equations.rate(y, f, p) + (0 if eta is None else sigma_post * eta[t])
        steps.append(
            (r, r @ weights["W_out"].T + weights["b_out"], torch.cat(list(y.values()), dim=-1))
        )
    rates, outputs, states = map(torch.stack, zip(*steps, strict=True))
    return rates, outputs, states


def loss(
    outputs: Tensor, rates: Tensor, targets: Tensor, mask: Tensor, rate_penalty: float = 0.0
) -> Tensor:
    """sum(mask (z - y)^2) / sum(mask) + rate_penalty mean(r^2)."""
    return (mask * (outputs - targets) ** 2).sum() / mask.sum() + rate_penalty * (rates**2).mean()
