"""Trajectories of firing rates in their principal components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import style


@style.styled
def state_space(
    projections: Float[np.ndarray, "network condition time component"],
    explained_variance: Float[np.ndarray, "network component"],
    conditions: Sequence[str],
) -> Figure:
    """A row per network: the trajectory of each condition in components 1-2 and 1-3; a dot marks its start.

    explained_variance: shares, given on the axes.
    """
    n_networks, n_components = len(projections), projections.shape[-1]
    planes = [(0, k) for k in (1, 2) if k < n_components] or [(0, 0)]
    looks = style.lines(conditions)
    columns = style.columns_for(conditions)
    figure = style.blank(2.4 * n_networks + style.legend_rows(len(conditions), columns))
    grid = figure.subplots(n_networks, len(planes), squeeze=False)
    for network, row in enumerate(grid):
        share = explained_variance[network]
        for axes, (i, k) in zip(row, planes, strict=True):
            for line, look, name in zip(projections[network], looks, conditions, strict=True):
                axes.plot(line[:, i], line[:, k], lw=1, label=name, **look)
                axes.plot(line[0, i], line[0, k], "o", color="black", ms=3)
            axes.set_xlabel(f"component {i + 1} ({share[i]:.0%})")
            axes.set_ylabel(f"component {k + 1} ({share[k]:.0%})")
        row[0].set_title(f"network {network}", loc="left")
    style.legend_below(figure, grid[0, 0], columns)
    return figure
