"""Trajectories along the axes of the choice and of the task's variables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import style

MOST = 3  # networks drawn, and variables against the choice


@style.styled
def targeted(
    projections: Float[np.ndarray, "network variable condition time"],
    variables: Sequence[str],
    conditions: Sequence[str],
) -> Figure:
    """A row per network (the first three): the axis of each variable against that of the first, the choice.

    Dots mark the start of the trial, triangles its end. A single variable is drawn against time.
    """
    n_networks = min(MOST, len(projections))
    others = list(range(1, min(MOST + 1, len(variables)))) or [-1]
    figure, every = style.panels(n_networks * len(others), 2.1, conditions, len(others))
    for axes, (i, k) in zip(every, product(range(n_networks), others), strict=True):
        x = projections[i, 0] if k >= 0 else None
        style.trajectories(axes, x, projections[i, k], conditions)
        axes.set_xlabel("time (steps)" if k < 0 else f"{variables[0]} axis")
        axes.set_ylabel(f"{variables[max(k, 0)]} axis")
        if k == others[0]:
            axes.set_title(f"network {i}", loc="left")
    style.legend_below(figure, every[0], style.columns_for(conditions))
    return figure
