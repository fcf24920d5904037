"""The state space of firing rates: principal components of trial-averaged and of single-trial rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ctrnn.analysis.recording import Recording, Result
from ctrnn.core.artifacts import mean_sd

MEASURES = {
    "mean_rate": ("mean_rate/network_{}", "mean firing rate"),
    "participation_ratio": ("participation_ratio/network_{}", "dimensions of activity"),
}


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


def spaces(recording: Recording) -> list[StateSpace]:
    """State space of every trained network, of rates averaged over the trials of a condition."""
    n_components = recording.settings.n_components
    return [principal_components(recorded.averages, n_components) for recorded in recording.rates]


def compute(recording: Recording) -> Result:
    """Trajectories in principal components, and how much of the variance these hold.

    Returns:
        conditions: labels. projections: [network, condition, time, component]. explained_variance,
        single_trial_variance: shares [network, component] of the variance of trial averages and of single trials. And
        the metrics explained_variance, participation_ratio and mean_rate (0 to 1 for a sigmoid) of every network.
    """
    each, rates = recording.once(spaces), recording.rates
    single = [
        principal_components(recorded.binned, recording.settings.n_components) for recorded in rates
    ]
    averages = np.stack([recorded.averages for recorded in rates])
    return {
        "conditions": np.array(rates[0].labels),
        "projections": np.stack([space.projections for space in each]),
        "explained_variance": np.stack([space.explained_variance for space in each]),
        "single_trial_variance": np.stack([space.explained_variance for space in single]),
    }, {
        "explained_variance": [space.explained_variance.tolist() for space in each],
        "participation_ratio": mean_sd([space.participation_ratio for space in each]),
        "mean_rate": mean_sd(averages.mean(axis=(1, 2, 3), dtype=np.float64).tolist()),
    }
