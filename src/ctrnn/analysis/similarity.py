"""How alike the representations of two networks are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ctrnn.analysis.recording import Recording, Result
from ctrnn.core.artifacts import mean_sd


def linear_cka(
    first: Float[np.ndarray, "sample unit"], second: Float[np.ndarray, "sample unit2"]
) -> float:
    """Linear centred kernel alignment (Kornblith et al. 2019, ICML, eq. 4): 1 for rotations and scalings of each other.

    nan where one does not vary.
    """
    X, Y = (a.astype(np.float64) - a.mean(axis=0, dtype=np.float64) for a in (first, second))
    scale = np.linalg.norm(X.T @ X) * np.linalg.norm(Y.T @ Y)
    return float(np.square(np.linalg.norm(Y.T @ X)) / scale) if scale else float("nan")


def similarities(
    rates: Sequence[Float[np.ndarray, "condition time unit"]],
) -> Float[np.ndarray, "network network"]:
    """Linear CKA of every two networks, over conditions and time; 0 where a network does not vary."""
    flat = [averages.reshape(-1, averages.shape[-1]) for averages in rates]
    return np.nan_to_num([[linear_cka(a, b) for b in flat] for a in flat])


def compute(recording: Recording) -> Result:
    """How alike the networks are before and after training.

    Returns:
        before, after: linear CKA [network, network]. And the metric similarity: that of every two networks.
    """
    matrices = {
        when: similarities([recorded.averages for recorded in rates])
        for when, rates in (("before", recording.rates_before), ("after", recording.rates))
    }
    above = np.triu_indices(len(recording.after), 1)
    pairs = {when: mean_sd(matrix[above].tolist()) for when, matrix in matrices.items()}
    return matrices, {"similarity": pairs}
