"""Trajectories of firing rates in their principal components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import Results, span, style

TITLE = "State space"
PLACE = 5


@style.styled
def plot(
    projections: Float[np.ndarray, "network condition time component"],
    explained_variance: Float[np.ndarray, "network component"],
    conditions: Sequence[str],
    dt: float = 1.0,
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
            if i < 0:
                style.time_axis(axes, dt)
            else:
                axes.set_xlabel(names[i])
            axes.set_ylabel(names[k])
        row[0].set_title(f"network {network}", loc="left")
    style.legend_below(figure, grid[0, 0], columns)
    return figure


def draw(results: Results) -> Figure:
    """Trajectories of every network."""
    stored = results.analysis_arrays["state_space"]
    names = stored["conditions"].tolist()
    return plot(stored["projections"], stored["explained_variance"], names, results.dt)


def caption(results: Results) -> str:
    """Variance held by the components drawn, and the number of dimensions."""
    stored = results.analysis_arrays["state_space"]
    shares, n_conditions = stored["explained_variance"], len(stored["conditions"])
    n = min(3, shares.shape[1])
    dimensions = results.analysis["participation_ratio"]["per_network"]
    named = min(style.MOST_ENTRIES, n_conditions)
    which = "" if named == n_conditions else f"{named} of the {n_conditions} conditions are named. "
    return (
        f"Firing rates averaged over the trials of a condition, from start (dot) to end (triangle). {which}"
        f"{n} principal components hold {span(100 * shares[:, :n].sum(axis=1), '.0f')}% of the "
        f"variance; the participation ratio counts {span(dimensions, '.1f')} dimensions."
    )
