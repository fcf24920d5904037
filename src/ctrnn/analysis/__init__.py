"""Opening trained networks up: arrays in, arrays out."""

from ctrnn.analysis.connectivity import connectivity_metrics, spectra, weight_distributions
from ctrnn.analysis.state_space import StateSpace, condition_averages, principal_components

__all__ = [
    "StateSpace",
    "condition_averages",
    "connectivity_metrics",
    "principal_components",
    "spectra",
    "weight_distributions",
]
