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
from ctrnn.network.backends import SupervisedTrials


@dataclass(frozen=True)
class Functions:
    """A model with an activation, as functions of tensors; the coefficients come last in each.

    coefficients: gain, start and coefficients, of the parameters in their order. by_parameter: see
    `Equations.by_parameter`; of the arguments of `adjoint`, with all states in the place of those that are kept.
    """

    equations: Equations
    coefficients: Callable[..., list[Any]]
    carry: Callable[..., list[Any]]
    fire: Callable[..., list[Any]]
    transmit: Callable[..., list[Any]]
    adjoint: Callable[..., list[Any]]
    by_parameter: Callable[..., list[Any]]

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
        as_function(
            [value, RATE, *states, *back, D_R, D_S, *k], parts.by_parameter, table("torch")
        ),
    )


class Rates(torch.autograd.Function):
    """Firing rates from the weights and what drives the units, step by step.

    A = gain W_eff [network, post, pre]; drive = gain (W_in u + b_rec) + noise and eta = sigma_post eta [time, network,
    trial, unit]. Arrays over time are large, so each is written over one that has served: rates over eta, gradients
    over what is kept of the activation.

    k: the coefficients. own_arguments: first the states at the start, then the parameters, [network, 1, unit]; their
    gradients leave out what the parameters do by way of A, drive and the start, where autograd sees it.
    """

    @staticmethod
    def forward(
        ctx: Any,
        A: Tensor,
        drive: Tensor,
        eta: Tensor,
        own: Functions,
        k: list[Any],
        *own_arguments: Tensor,
    ) -> Tensor:
        """R [time, network, trial, unit]."""
        names, sends_rate = list(own.equations.y), own.equations.sends_rate
        start = own_arguments[: len(names)]
        keeps_all = any(ctx.needs_input_grad[5:])
        A_T = A.transpose(1, 2).contiguous()
        value, R = torch.empty_like(drive), eta
        sent = R if sends_rate else torch.empty_like(drive)
        kept = {
            name: torch.empty_like(drive)
            for name in (names if keeps_all else own.equations.parts.kept)
        }
        y = [torch.zeros_like(drive[0]) + state for state in start]
        value_0, r = own.fire(*y, *k)
        s = s_0 = own.transmit(*y, r, *k)[0]
        at_start = (value_0, r, *y)
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
        ctx.own, ctx.k, ctx.names, ctx.at_start = own, k, tuple(kept), at_start
        return R

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """dL/dA, dL/ddrive and those by own_arguments where they are wanted, from dL/dR."""
        A, value, R, s_0, sent, *arrays = ctx.saved_tensors
        (dR,), own, kept = grads, ctx.own, dict(zip(ctx.names, arrays, strict=True))
        e, G = own.equations, value
        y = [torch.zeros_like(dR[0]) for _ in e.y]
        by_parameter: list[Any] = [0.0] * len(e.trainable)

        def back(
            value: Tensor, r: Tensor, states: Mapping[str, Tensor], dR: Tensor
        ) -> list[Tensor]:
            """dL/dy of a step; what it adds to the gradients of the parameters is added."""
            if e.sends_rate:
                d_r, d_s = torch.baddbmm(dR, y[0], A), None
            else:
                d_r, d_s = dR, torch.bmm(y[0], A)
            if any(ctx.needs_input_grad[5:]):
                terms = own.by_parameter(value, r, *states.values(), *y, d_r, d_s, *ctx.k)
                for i, term in enumerate(terms):
                    by_parameter[i] = by_parameter[i] + term
            kept = (states[name] for name in e.parts.kept)
            before: list[Tensor] = own.adjoint(value, r, *kept, *y, d_r, d_s, *ctx.k)
            return before

        for t in reversed(range(len(dR))):
            y = back(value[t], R[t], {name: array[t] for name, array in kept.items()}, dR[t])
            G[t] = y[0]
        flat_G, flat_s = (array.transpose(0, 1).flatten(1, 2) for array in (G[1:], sent[:-1]))
        dA = flat_G.transpose(1, 2) @ flat_s
        dA += G[0].transpose(1, 2) @ s_0
        if not any(ctx.needs_input_grad[5:]):
            return dA, G, *[None] * (len(ctx.needs_input_grad) - 2)
        value_0, r, *states = ctx.at_start
        y = back(value_0, r, dict(zip(e.y, states, strict=True)), torch.zeros_like(r))
        zeros = torch.zeros_like(r)
        return (
            dA,
            G,
            None,
            None,
            None,
            *((zeros + part).sum(dim=1, keepdim=True) for part in (*y, *by_parameter)),
        )


def by_slopes(outputs: Tensor, batch: SupervisedTrials) -> Tensor:
    """The loss of a batch, whose derivative by the outputs [time, trial, output] is that which the loss names."""
    z = outputs.detach().float().cpu().numpy()
    slopes = torch.from_numpy(batch.loss.slopes(z, batch.targets, batch.mask)).to(outputs)
    linear = (slopes * outputs).sum()
    return linear - linear.detach() + batch.loss.value(z, batch.targets, batch.mask)
