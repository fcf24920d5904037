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
    """A row per network: the trajectory of each condition in components 1-2 and 1-3.

    A dot marks the start of the trial, a triangle its end. explained_variance: shares, given on the
    axes. With one component only, it is drawn against time.
    """
    n_networks, _, _, n_components = projections.shape
    planes = [(0, k) for k in (1, 2) if k < n_components] or [(-1, 0)]
    columns = style.columns_for(conditions)
    figure = style.blank(2.4 * n_networks + style.legend_rows(len(conditions), columns))
    grid = figure.subplots(n_networks, len(planes), squeeze=False)
    for network, row in enumerate(grid):
        names = [
            f"PC {k + 1} ({share:.0%} of variance)"
            for k, share in enumerate(explained_variance[network])
        ]
        for axes, (i, k) in zip(row, planes, strict=True):
            x = projections[network, ..., i] if i >= 0 else None
            style.trajectories(axes, x, projections[network, ..., k], conditions)
            axes.set_xlabel(names[i] if i >= 0 else "time (steps)")
            axes.set_ylabel(names[k])
        row[0].set_title(f"network {network}", loc="left")
    style.legend_below(figure, grid[0, 0], columns)
    return figure
