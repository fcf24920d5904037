"""Networks whose fixed points are known by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq

from ctrnn.analysis.dynamics import Dynamics
from ctrnn.analysis.fixed_points import FixedPointSettings
from ctrnn.analysis.recording import Recording
from ctrnn.params import Params

ALPHA = 0.1
INHIBITION = 8.0
SEARCH = FixedPointSettings(
    starts=40,
    iterations=60,
    tolerances=[1e-1, 1e-3, 1e-6, 1e-12, 1e-20],
    merge_distance=0.01,
    outlier_distance=1.0,
)


def dynamics(W, b_rec=None, activation: str = "sigmoid", n_channels: int = 1) -> Dynamics:
    """A network of two or more units that all read out, without noise."""
    W = np.array(W, float)
    n = len(W)
    return Dynamics(
        W=W,
        W_in=np.eye(n)[:, :n_channels],
        b_rec=np.zeros(n) if b_rec is None else np.array(b_rec, float),
        W_out=np.linspace(1, -0.5, n)[None],
        b_out=np.zeros(1),
        parameters=parameters(np.full(n, ALPHA)),
        activation=activation,
        sigma_post=0.0,
    )


def parameters(alpha: np.ndarray, noise: float | np.ndarray = 0.0) -> dict[str, np.ndarray]:
    """Of units whose dt / tau is alpha."""
    n = len(alpha)
    return {
        "dt": np.ones(n),
        "tau": 1 / alpha,
        "sigma": np.broadcast_to(np.asarray(noise, float), n),
    }


def line() -> Dynamics:
    """Rectified units that keep their mean: every x1 = x2 >= 0 is a fixed point."""
    return dynamics([[0.5, 0.5], [0.5, 0.5]], activation="relu")


def bistable() -> Dynamics:
    """Two units that inhibit each other: stable at +-(a, -a), a saddle at 0."""
    return dynamics([[0, -INHIBITION], [-INHIBITION, 0]], [INHIBITION / 2] * 2)


def bistable_state() -> float:
    """The a of `bistable`: a = (w / 2) tanh(a / 2)."""
    return float(brentq(lambda a: INHIBITION / 2 * np.tanh(a / 2) - a, 1, 10, xtol=1e-14))


def rotation(gain: float, read_new: float) -> Dynamics:
    """A spiral around x = 0 whose Jacobian has eigenvalues -1 + gain +- i turn."""
    W = 4 * np.array([[gain, -read_new], [read_new, gain]])
    return dynamics(W, -W.sum(axis=1) / 2)


def starts(n_units: int = 2, low: float = -6, high: float = 6) -> np.ndarray:
    """Forty states in a box."""
    states: np.ndarray = np.random.default_rng(0).uniform(low, high, (40, n_units))
    return states


def recording(
    task: Any, networks: Sequence[Any], params: Params, backend: Any, test: Any = None
) -> Recording:
    """What analyses are given: networks that training left as they were."""
    return Recording(task, test, networks, networks, params.seed, params.analyze, backend)
