"""The equations on torch's tensors, with gradients by the derived adjoint and not by a tape.

Tensors are [time, network, trial, unit], so that a step of time lies together in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from ctrnn.dynamics.derive import (
    ARGUMENT,
    D_R,
    D_S,
    RATE,
    VALUE,
    Equations,
    after,
    as_function,
    equations,
)
from ctrnn.dynamics.functions import table


@dataclass(frozen=True)
class Functions:
    """A model with an activation, as functions of tensors; the coefficients come last in each.

    coefficients, gain, start: of the parameters, by their names.
    """

    equations: Equations
    coefficients: Callable[..., list[Any]]
    carry: Callable[..., list[Any]]
    fire: Callable[..., list[Any]]
    transmit: Callable[..., list[Any]]
    adjoint: Callable[..., list[Any]]

    def of_parameters(
        self, parameters: Mapping[str, Tensor]
    ) -> tuple[Tensor, list[Any], list[Any]]:
        """Gain, the states before the first step and the coefficients, from the parameters by name."""
        gain, *rest = self.coefficients(*(parameters[name] for name in self.equations.p))
        n = len(self.equations.y)
        return gain, rest[:n], rest[n:]


@cache
def functions(model: str, activation: str) -> Functions:
    """The functions of a model in `dynamics/models/` with an activation."""
    e = equations(model, activation)
    parts, states = e.parts, list(e.y.values())
    k = list(parts.coefficients)
    kept = [e.y[name] for name in parts.kept]
    back = [after(name) for name in e.y]
    value = VALUE if e.kept == VALUE else ARGUMENT
    return Functions(
        e,
        as_function(
            e.p.values(), [e.gain, *e.start.values(), *parts.coefficients.values()], table("torch")
        ),
        as_function([*states, RATE, *k], parts.carried, table("torch")),
        as_function([*states, *k], parts.fired, table("torch")),
        as_function([*states, RATE, *k], [parts.sent], table("torch")),
        as_function([value, RATE, *kept, *back, D_R, D_S, *k], parts.adjoint, table("torch")),
    )


class Rates(torch.autograd.Function):
    """Firing rates from the weights and what drives the units, step by step.

    A = gain W_eff [network, post, pre]; drive = gain (W_in u + b_rec) + noise and eta = sigma_post eta [time, network,
    trial, unit]. Arrays over time are large, so each is written over one that has served: rates over eta, gradients
    over what is kept of the activation.
    """

    @staticmethod
    def forward(
        ctx: Any,
        A: Tensor,
        drive: Tensor,
        eta: Tensor,
        own: Functions,
        start: list[Any],
        k: list[Any],
    ) -> Tensor:
        """R [time, network, trial, unit]."""
        names, sends_rate = list(own.equations.y), own.equations.sends_rate
        A_T = A.transpose(1, 2).contiguous()
        value, R = torch.empty_like(drive), eta
        sent = R if sends_rate else torch.empty_like(drive)
        kept = {name: torch.empty_like(drive) for name in own.equations.parts.kept}
        y = [torch.zeros_like(drive[0]) + state for state in start]
        r = own.fire(*y, *k)[1]
        s = s_0 = own.transmit(*y, r, *k)[0]
        for t in range(len(drive)):
            driven, *others = own.carry(*y, r, *k)
            y = [torch.baddbmm(drive[t], s, A_T).add_(driven), *others]
            value[t], fired = own.fire(*y, *k)
            r = R[t].add_(fired)
            s = r if sends_rate else sent[t].copy_(own.transmit(*y, r, *k)[0])
            for name, array in kept.items():
                array[t] = y[names.index(name)]
        ctx.mark_dirty(R)
        ctx.save_for_backward(A, value, R, s_0, sent, *kept.values())
        ctx.own, ctx.k = own, k
        return R

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """dL/dA and dL/ddrive, from dL/dR."""
        A, value, R, s_0, sent, *kept = ctx.saved_tensors
        (dR,), own = grads, ctx.own
        G, sends_rate = value, own.equations.sends_rate
        y = [torch.zeros_like(dR[0]) for _ in own.equations.y]
        for t in reversed(range(len(dR))):
            if sends_rate:
                d_r, d_s = torch.baddbmm(dR[t], y[0], A), None
            else:
                d_r, d_s = dR[t], torch.bmm(y[0], A)
            y = own.adjoint(value[t], R[t], *(array[t] for array in kept), *y, d_r, d_s, *ctx.k)
            G[t] = y[0]
        flat_G, flat_s = (array.transpose(0, 1).flatten(1, 2) for array in (G[1:], sent[:-1]))
        dA = flat_G.transpose(1, 2) @ flat_s
        dA += G[0].transpose(1, 2) @ s_0
        return dA, G, None, None, None, None
