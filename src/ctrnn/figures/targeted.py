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
    looks = style.lines(conditions)
    for axes, (i, k) in zip(every, product(range(n_networks), others), strict=True):
        for c, (look, label) in enumerate(zip(looks, conditions, strict=True)):
            x, y = projections[i, 0, c], projections[i, k, c]
            if k < 0:
                x, y = np.arange(len(x), dtype=np.float32), x
            axes.plot(x, y, lw=1, label=label, **look)
            axes.plot(x[0], y[0], "o", color="black", ms=3.5, zorder=3)
            axes.plot(
                x[-1], y[-1], "^", ms=4.5, color=look["color"], mec="black", mew=0.5, zorder=3
            )
        axes.set_xlabel("time (steps)" if k < 0 else f"{variables[0]} axis")
        axes.set_ylabel(f"{variables[max(k, 0)]} axis")
        if k == others[0]:
            axes.set_title(f"network {i}", loc="left")
    style.legend_below(figure, every[0], style.columns_for(conditions))
    return figure
