"""Fixed and slow points among the trajectories, and which of them stay as the tolerance falls."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure

from ctrnn.figures import style

MOST = 3  # networks drawn
LOOKS: dict[str, dict[str, Any]] = {
    "stable": {"marker": "o", "mfc": style.BLUE, "mec": "black", "ms": 6},
    "saddle": {"marker": "X", "mfc": style.VERMILION, "mec": "black", "ms": 7},
    "slow": {"marker": "s", "mfc": "white", "mec": style.GREEN, "ms": 5},
}


@style.styled
def fixed_points(
    trajectories: Float[np.ndarray, "network condition time component"],
    seen: Bool[np.ndarray, "epoch condition"],
    epochs: Sequence[str],
    network: Int[np.ndarray, " point"],
    epoch: Int[np.ndarray, " point"],
    kind: Sequence[str],
    points: Float[np.ndarray, "point component"],
) -> Figure:
    """Points in principal components 1 and 2, a panel per network (the first three) and constant input.

    trajectories: trial averages, of which those seen under the input are drawn in grey; points: their
    projections, with the network, input and kind of each. Kinds without a look are left out.
    """
    shown = list(product(range(min(MOST, len(trajectories))), range(len(epochs))))
    columns = 3 if len(epochs) == 1 else min(len(epochs), 3)
    figure, every = style.panels(len(shown), 2.2, list(LOOKS), columns)
    flat = points.shape[1] == 1
    for axes, (i, e) in zip(every, shown, strict=True):
        for path in trajectories[i][seen[e]]:
            x = np.arange(len(path)) if flat else path[:, 0]
            axes.plot(x, path[:, -1 if flat else 1], color="#A0A0A0", lw=0.8)
        for name, look in LOOKS.items():
            some = (network == i) & (epoch == e) & (np.array(kind, dtype=str) == name)
            x = np.zeros(some.sum()) if flat else points[some, 0]
            axes.plot(
                x, points[some, 0 if flat else 1], ls="", mew=0.8, zorder=3, label=name, **look
            )
        axes.set_title(f"network {i}, {epochs[e].replace('_', ' ')}", loc="left")
        axes.set(xlabel="PC 1", ylabel="PC 2")
    style.legend_below(figure, every[0], 3)
    return figure


@style.styled
def slow_points(
    survivors: Int[np.ndarray, "network epoch tolerance"],
    tolerances: Float[np.ndarray, " tolerance"],
    epochs: Sequence[str],
) -> Figure:
    """Distinct states at which the speed q fell below each tolerance, a panel per input, a line per network.

    A line attractor's count stays; slow points that are none collapse onto a few fixed points.
    """
    labels = [f"network {i}" for i in range(len(survivors))]
    figure, every = style.panels(len(epochs), 2.2, labels, sharey=True)
    looks = style.colours(len(labels))
    most = max(int(survivors.max()), 2)
    for e, axes in enumerate(every):
        for i, colour in enumerate(looks):
            marker = "os^Dv<>"[i % 7]
            axes.plot(
                tolerances,
                survivors[i, e],
                marker=marker,
                ms=3.5,
                lw=1,
                color=colour,
                label=labels[i],
            )
        axes.set(xscale="log", xlabel="tolerance of q", ylim=(-0.05 * most, 1.05 * most))
        style.plain_decades(axes.xaxis)
        axes.invert_xaxis()
        axes.set_title(epochs[e].replace("_", " "), loc="left")
    every[0].set_ylabel("distinct points below it")
    style.legend_below(figure, every[0], style.columns_for(labels))
    return figure
