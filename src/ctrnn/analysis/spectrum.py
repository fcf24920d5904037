"""Eigenvalues of the recurrent weights before and after training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Complex

from ctrnn.analysis.dynamics import by_size
from ctrnn.analysis.recording import Recording, Result
from ctrnn.core.artifacts import mean_sd
from ctrnn.dynamics.activations import slope_at_zero
from ctrnn.network import Network
from ctrnn.network.settings import NetworkSettings

MEASURES = {
    "spectral_radius": ("spectral_radius/after/network_{}", "spectral radius after training")
}


def spectra(networks: Sequence[Network]) -> Complex[np.ndarray, "network unit"]:
    """Eigenvalues of W_eff, by falling absolute value, then by imaginary part."""
    values = np.stack([np.linalg.eigvals(net.W_eff.astype(np.float64)) for net in networks])
    return np.take_along_axis(values, by_size(values), axis=1).astype(np.complex128)


def edge(settings: NetworkSettings) -> float:
    """1 over the slope of the activation at x = 0; nan where it is 0, or where units have further states."""
    slope = slope_at_zero(settings.activation)
    return 1 / slope if slope and settings.model == "rate" else np.nan


def compute(recording: Recording) -> Result:
    """Eigenvalues of W_eff.

    Returns:
        before, after: [network, unit]. edge: a number, the real part beyond which the dynamics linearised at x = 0
        grow, nan where the activation has no slope there or the model is not `rate`. And the metric spectral_radius of
        every network, before and after.
    """
    parts = {"before": spectra(recording.before), "after": spectra(recording.after)}
    radii = {when: np.abs(values[:, 0]).tolist() for when, values in parts.items()}
    arrays = {**parts, "edge": np.array(edge(recording.after[0].wiring.settings))}
    return arrays, {"spectral_radius": {when: mean_sd(radius) for when, radius in radii.items()}}
