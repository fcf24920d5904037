"""Targeted dimensionality reduction: one axis for each variable that a trial varies.

Mante, Sussillo, Shenoy & Newsome (2013, Nature 503:78), supplementary section 6: rates are regressed on the variables
at every time, coefficients are confined to the leading principal components, each variable takes its coefficients at
the time where they are longest, and the axes are made orthogonal in the order of the variables. Rates are not divided
by their standard deviation here, since all units have the same range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ctrnn.analysis.regression import Design, coefficients
from ctrnn.analysis.state_space import StateSpace


@dataclass(frozen=True)
class Targeted:
    """axes: orthogonal unit vectors; strength: length of the coefficients; peak: the bin where that is largest.

    Of more regressors than units, the later ones have no direction left: their axes are 0.
    """

    axes: Float[np.ndarray, "regressor unit"]
    strength: Float[np.ndarray, "bin regressor"]
    peak: Int[np.ndarray, " regressor"]


def targeted_axes(
    binned: Float[np.ndarray, "bin trial unit"], design: Design, space: StateSpace
) -> Targeted:
    """Axes for the regressors of `design`; `space` has the principal components that they are confined to."""
    betas = coefficients(design, binned[:, design.trials])
    betas = betas @ space.axes @ space.axes.T
    strength = np.linalg.norm(betas, axis=2)
    peak = np.round(strength, 6).argmax(axis=0)
    longest = betas[peak, np.arange(betas.shape[1])]
    axes = np.zeros_like(longest)
    if len(longest):
        found, along = np.linalg.qr(longest.T)
        axes[: found.shape[1]] = (found * np.where(np.diag(along) < 0, -1, 1)).T
    return Targeted(axes, strength, peak)


def project(
    averages: Float[np.ndarray, "condition time unit"], targeted: Targeted, space: StateSpace
) -> Float[np.ndarray, "condition time regressor"]:
    """Trial-averaged rates along the axes, from their mean."""
    return ((averages - space.mean) @ targeted.axes.T).astype(np.float32)
