"""The state space of firing rates: principal components of trial-averaged rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from ctrnn.network import Backend, Network, Trials
from ctrnn.streams import key
from ctrnn.tasks import Batch


@dataclass(frozen=True)
class StateSpace:
    """Trajectories of one network in its principal components.

    explained_variance: shares of the variance, largest first; participation_ratio: (sum v)^2 / sum v^2 over all
    of them, the number of dimensions in use (Gao & Ganguli 2015).
    """

    projections: Float[np.ndarray, "condition time component"]
    explained_variance: Float[np.ndarray, " component"]
    participation_ratio: float


def condition_averages(
    test: Batch,
    networks: Sequence[Network],
    seeds: Sequence[int],
    trials_per_condition: int,
    backend: Backend,
) -> tuple[list[str], Float[np.ndarray, "network condition time unit"]]:
    """Labels of the conditions, and rates averaged over the first trials of each."""
    groups = test.conditions.reset_index(drop=True).groupby("condition", sort=True)
    averages = []
    for label, rows in tqdm(groups, desc="rates by condition", unit="condition"):
        some = rows.index.to_numpy()[:trials_per_condition]
        inputs = test.inputs[:, some]
        trials = [Trials(inputs, key(seed, "analyze", str(label))) for seed in seeds]
        activity = backend.activity(networks, trials)
        averages.append([one.rates.mean(axis=1) for one in activity])
    return [str(label) for label in groups.groups], np.stack(averages, axis=1)


def principal_components(
    rates: Float[np.ndarray, "condition time unit"], n_components: int
) -> StateSpace:
    """PCA over conditions and time. Each axis points to where its largest loading is positive."""
    centred = rates.astype(np.float64) - rates.mean(axis=(0, 1), dtype=np.float64)
    flat = centred.reshape(-1, rates.shape[-1])
    variances, axes = np.linalg.eigh(flat.T @ flat / len(flat))
    variances, axes = np.maximum(variances[::-1], 0), axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    total = variances.sum()
    return StateSpace(
        projections=(centred @ axes[:, :n_components]).astype(np.float32),
        explained_variance=variances[:n_components] / total if total else variances[:n_components],
        participation_ratio=float(total**2 / np.square(variances).sum()) if total else 0.0,
    )
