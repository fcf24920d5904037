"""Units whose driven state stays at 0, where networks start: what they send, and what holds them there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from jaxtyping import Float

from ctrnn.dynamics.activations import ACTIVATIONS, NEAR
from ctrnn.dynamics.models import models

ROUNDS = 100


@dataclass(frozen=True)
class AtZero:
    """Of each unit whose driven state stays at 0, and its other states where that leaves them.

    sent: what its synapses carry. slope: how that grows with the driven state, coming from above, to six digits: at
    once, or, where it does so only by way of the other states, with these at their steady values. current: the
    synaptic current that holds the driven state at 0.
    """

    sent: Float[np.ndarray, " unit"]
    slope: Float[np.ndarray, " unit"]
    current: Float[np.ndarray, " unit"]


def at_zero(model: str, activation: str, parameters: Mapping[str, np.ndarray]) -> AtZero:
    """What networks of a model need to start around x = 0.

    Args:
        model: Name of a file in `dynamics/models/`.
        activation: Name in `ACTIVATIONS`.
        parameters: [unit] each: dt, tau, sigma and those of the model.

    Returns:
        What units send, its slope, and the current.

    """
    own, f = models()[model], np.vectorize(cache(ACTIVATIONS[activation]), otypes=[np.float64])
    values = {name: np.asarray(array, np.float64) for name, array in parameters.items()}
    p, n = SimpleNamespace(**values), len(values["tau"])
    driven, *others = own.states
    formulas: dict[str, str] = {}
    if others:  # importing sympy takes half a second: only where there is something to solve
        from ctrnn.dynamics.derive import equations

        formulas = {name: str(e) for name, e in equations(model, activation).steady().items()}

    def steady(x: float) -> tuple[dict[str, Any], Any]:
        """The states and the rate where the driven state is held at x."""
        y: dict[str, Any] = {driven: np.full(n, x), **dict.fromkeys(formulas, np.zeros(n))}
        r = own.rate(y, f, p)
        for _ in range(
            ROUNDS if formulas else 0
        ):  # the others depend on the rate, and it may on them
            values_at_zero = {**values, f"y_{driven}": y[driven], "r": r}
            for name, formula in formulas.items():
                made = eval(formula, {"__builtins__": {}}, values_at_zero)
                y[name] = np.broadcast_to(np.asarray(made, np.float64), n)
            r = own.rate(y, f, p)
        return y, r

    y, r = steady(0.0)
    sent = own.transmitted(y, r, p)
    near = {**y, driven: np.full(n, NEAR)}
    slope = np.round((own.transmitted(near, own.rate(near, f, p), p) - sent) / NEAR, 6)
    if not slope.any():
        slope = np.round((own.transmitted(*steady(NEAR), p) - sent) / NEAR, 6)
    without, with_one = (own.step(y, r, current, 0.0, p)[driven] for current in (0.0, 1.0))
    with np.errstate(
        divide="ignore", invalid="ignore"
    ):  # beside 1e30, 1 adds nothing: told at the start of training
        return AtZero(sent, slope, (0.0 - without) / (with_one - without))
