"""The plain autograd loop that every backend is held to: the equations of the design, a line each."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def effective_weights(W: Tensor, mask: Tensor, sign: Tensor, dale: bool) -> Tensor:
    """W_eff [post, pre]: relu(W) * sign[pre] on the pattern under Dale's principle, else W on the pattern."""
    return torch.relu(W) * mask * sign if dale else W * mask


def forward_loop(
    weights: Mapping[str, Tensor],
    inputs: Tensor,
    *,
    mask: Tensor,
    sign: Tensor,
    alpha: Tensor,
    sigma_pre: Tensor,
    sigma_post: float,
    activation: str,
    dale: bool,
    xi: Tensor | None = None,
    eta: Tensor | None = None,
    x0: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Rates r_t, outputs z_t and currents x_t, t = 1 .. T, each [time, trial, unit or output], in inputs' precision.

    weights: W_in [unit, channel], W_rec [post, pre], b_rec [unit], W_out [output, unit], b_out [output]. inputs:
    [time, trial, channel]. xi, eta: [time, trial, unit], the standard normals of this run; None for no noise.
    """
    f = {"sigmoid": torch.sigmoid, "relu": torch.relu}[activation]
    W_eff = effective_weights(weights["W_rec"], mask, sign, dale)
    x = inputs.new_zeros(inputs.shape[1], W_eff.shape[0]) if x0 is None else x0
    r = f(x)
    rates, outputs, currents = [], [], []
    for t in range(inputs.shape[0]):
        drive = r @ W_eff.T + inputs[t] @ weights["W_in"].T + weights["b_rec"]
        x = (1 - alpha) * x + alpha * drive
        if xi is not None:
            x = x + sigma_pre * xi[t]
        r = f(x)
        if eta is not None:
            r = r + sigma_post * eta[t]
        rates.append(r)
        outputs.append(r @ weights["W_out"].T + weights["b_out"])
        currents.append(x)
    return torch.stack(rates), torch.stack(outputs), torch.stack(currents)


def loss_of(
    outputs: Tensor, rates: Tensor, targets: Tensor, mask: Tensor, rate_penalty: float = 0.0
) -> Tensor:
    """sum(mask (z - y)^2) / sum(mask) + rate_penalty mean(r^2)."""
    return (mask * (outputs - targets) ** 2).sum() / mask.sum() + rate_penalty * (rates**2).mean()
