"""Eigenvalues of the recurrent weights before and after training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Complex

from ctrnn.analysis.dynamics import by_size
from ctrnn.analysis.recording import Recording, Result
from ctrnn.core.artifacts import mean_sd
from ctrnn.network import Network, Wiring
from ctrnn.network.at_zero import at_zero

MEASURES = {
    "spectral_radius": ("spectral_radius/after/network_{}", "spectral radius after training")
}


def spectra(networks: Sequence[Network]) -> Complex[np.ndarray, "network unit"]:
    """Eigenvalues of W_eff, by falling absolute value, then by imaginary part."""
    values = np.stack([np.linalg.eigvals(net.W_eff.astype(np.float64)) for net in networks])
    return np.take_along_axis(values, by_size(values), axis=1).astype(np.complex128)


def edge(wiring: Wiring) -> float:
    """1 over the slope of what units send at x = 0; nan where they differ, where it is 0, or with further states."""
    settings = wiring.settings
    (slope, *others) = set(at_zero(settings.model, settings.activation, wiring.parameters).slope)
    return 1 / slope if slope and not others and settings.model == "rate" else np.nan


def compute(recording: Recording) -> Result:
    """Eigenvalues of W_eff.

    Returns:
        before, after: [network, unit]. edge: [network], the real part beyond which the dynamics linearised at x = 0
        grow, nan where units differ or the activation has no slope there. And the metric spectral_radius of every
        network, before and after.
    """
    found = {"before": spectra(recording.before), "after": spectra(recording.after)}
    radii = {when: np.abs(values[:, 0]).tolist() for when, values in found.items()}
    arrays = {**found, "edge": np.array([edge(network.wiring) for network in recording.after])}
    return arrays, {"spectral_radius": {when: mean_sd(radius) for when, radius in radii.items()}}
