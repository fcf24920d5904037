"""The dynamics linearised at a point: how the slow mode takes up each input.

The left eigenvector of the slow mode is the selection vector of Mante et al. (2013, Nature 503:78): what an input adds
along it is kept, what it adds across it decays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from ctrnn.analysis.dynamics import Dynamics, by_size

PULSE = 0.1  # of the simulated perturbation, in units of the input
TAUS = 2  # its length, in time constants
AT_ONCE = 1000  # steps of it that are in memory at a time


@dataclass(frozen=True)
class Linearisation:
    """At one point.

    eigenvalue: of the slow mode, for one step. left, right: its eigenvectors, of length 1. overlap: |cosine| of the
    left one with what a pulse on each channel adds to x in a step. error: of the linear prediction, against a
    simulated pulse on each channel, as a share of the displacement it leaves after two time constants.
    """

    eigenvalue: complex
    left: Complex[np.ndarray, " unit"]
    right: Complex[np.ndarray, " unit"]
    overlap: Float[np.ndarray, " channel"]
    error: Float[np.ndarray, " channel"]


def linearise(
    dynamics: Dynamics, x: Float[np.ndarray, " unit"], inputs: Float[np.ndarray, " channel"]
) -> Linearisation:
    """Linearise at the state x under a constant input; the slow mode is that with the largest eigenvalue in size."""
    (M,) = dynamics.map_jacobian(x[None])
    values, rights = np.linalg.eig(M)
    lefts = np.linalg.inv(rights).conj().T  # columns: left'M = value left'
    slow = by_size(values)[0]
    left = lefts[:, slow] / np.linalg.norm(lefts[:, slow])
    push = dynamics.alpha[:, None] * dynamics.W_in
    lengths = np.linalg.norm(push, axis=0)
    return Linearisation(
        eigenvalue=complex(values[slow]),
        left=left.astype(np.complex128),
        right=rights[:, slow].astype(np.complex128),
        overlap=shares(np.abs(left.conj() @ push), lengths),
        error=perturbation_errors(dynamics, x, inputs, M),
    )


def perturbation_errors(
    dynamics: Dynamics,
    x: Float[np.ndarray, " unit"],
    inputs: Float[np.ndarray, " channel"],
    M: Float[np.ndarray, "post pre"],
    pulse: float = PULSE,
) -> Float[np.ndarray, " channel"]:
    """Distance of the simulated from the linear displacement after a pulse of one step, as a share of the former."""
    n_channels = dynamics.W_in.shape[1]
    steps = round(TAUS / dynamics.per_tau)
    # A trial per channel, and one without a pulse.
    trials = np.tile(inputs, (min(steps, AT_ONCE), n_channels + 1, 1))
    trials[0, np.arange(n_channels), np.arange(n_channels)] += pulse
    last = np.tile(x, (n_channels + 1, 1))
    for start in range(0, steps, AT_ONCE):
        last = dynamics.simulate(trials[: steps - start], last)[-1]
        trials[0] = inputs
    moved = last[:-1] - last[-1]
    linear = (
        pulse * np.linalg.matrix_power(M, steps - 1) @ (dynamics.alpha[:, None] * dynamics.W_in)
    )
    return shares(np.linalg.norm(moved - linear.T, axis=1), np.linalg.norm(moved, axis=1))


def shares(
    parts: Float[np.ndarray, " channel"], wholes: Float[np.ndarray, " channel"]
) -> Float[np.ndarray, " channel"]:
    """Each part of its whole; 0 where the whole is 0."""
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)
