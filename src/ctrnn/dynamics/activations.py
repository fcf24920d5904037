"""Activations f: the firing rate of an input current. A new one is a line; its derivative is derived."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from ctrnn.dynamics.functions import logistic, positive, softplus, tanh

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "sigmoid": logistic,
    "relu": positive,
    "tanh": tanh,
    "softplus": softplus,
    "threshold_power_law": lambda x: (
        positive(x) ** 2
    ),  # Ahmadian, Rubin & Miller 2013, Neural Comput 25:1994
}

NEAR = 2.0**-30
WIDEST = 50.0  # input currents beyond it are taken for it, in `slope_of_rate`


def at_zero(activation: str) -> float:
    """f(0)."""
    return float(ACTIVATIONS[activation](0.0))


@cache
def slope_at_zero(activation: str) -> float:
    """f'(0), coming from above, to six digits."""
    return round((float(ACTIVATIONS[activation](NEAR)) - at_zero(activation)) / NEAR, 6)


def slope_of_rate(activation: str, rates: np.ndarray) -> np.ndarray:
    """f' where f has these values, within 1e-3, for an activation that never falls."""
    x = np.linspace(-WIDEST, WIDEST, 100_001)
    f = np.asarray(ACTIVATIONS[activation](x))
    slopes: np.ndarray = np.interp(rates, f, np.gradient(f, x))
    return slopes
