"""The state space of firing rates: principal components of trial-averaged and of single-trial rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class StateSpace:
    """Trajectories of one network in its principal components.

    axes: unit vectors; explained_variance: shares of the variance, largest first; participation_ratio:
    (sum v)^2 / sum v^2 over all of them, the number of dimensions in use (Gao & Ganguli 2015).
    """

    mean: Float[np.ndarray, " unit"]
    axes: Float[np.ndarray, "unit component"]
    projections: Float[np.ndarray, "condition time component"]
    explained_variance: Float[np.ndarray, " component"]
    participation_ratio: float


def principal_components(
    rates: Float[np.ndarray, "condition time unit"], n_components: int
) -> StateSpace:
    """PCA over conditions (or trials) and time. Each axis points to where its largest loading is positive."""
    mean = rates.mean(axis=(0, 1), dtype=np.float64)
    centred = rates.astype(np.float64) - mean
    flat = centred.reshape(-1, rates.shape[-1])
    variances, axes = np.linalg.eigh(flat.T @ flat / len(flat))
    variances, axes = np.maximum(variances[::-1], 0), axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(axes))])
    total = variances.sum()
    return StateSpace(
        mean=mean,
        axes=axes[:, :n_components],
        projections=(centred @ axes[:, :n_components]).astype(np.float32),
        explained_variance=variances[:n_components] / total if total else variances[:n_components],
        participation_ratio=float(total * total / np.square(variances).sum()) if total else 0.0,
    )
