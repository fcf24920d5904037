"""What trained networks answer on sample trials, against what they should."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import style

COLUMNS = 3


@style.styled
def outputs(
    outputs: Float[np.ndarray, "network time sample"],
    targets: Float[np.ndarray, "time sample"],
    labels: Sequence[str],
    window: slice,
) -> Figure:
    """A panel per network: its output on every sample trial, by condition; targets are dotted.

    labels [sample]: condition of each trial; window: steps of the response window, shaded.
    """
    n_networks = len(outputs)
    conditions = sorted(set(labels))
    look = dict(zip(conditions, style.lines(conditions), strict=True))
    columns = min(COLUMNS, n_networks)
    rows = -(-n_networks // columns)
    entries = [*conditions, "target"]
    n_legend = style.columns_for(entries)
    figure = style.blank(0.2 + 2.1 * rows + style.legend_rows(len(entries), n_legend))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= n_networks:
            axes.set_visible(False)
            continue
        axes.axvspan(window.start, window.stop, color=style.SKY, alpha=0.2, lw=0)
        for label in conditions:
            samples = [sample for sample, its in enumerate(labels) if its == label]
            drawn = axes.plot(outputs[place][:, samples], lw=0.9, alpha=0.85, **look[label])
            drawn[0].set_label(label)
        axes.plot(np.unique(targets, axis=1), color="black", lw=0.9, ls=":")
        axes.plot([], [], color="black", lw=0.9, ls=":", label="target")
        axes.set_title(f"network {place}", loc="left")
        if place % columns == 0:
            axes.set_ylabel("output")
        if place + columns >= n_networks:
            axes.set_xlabel("time (steps)")
            axes.tick_params(labelbottom=True)
    style.legend_below(figure, grid[0, 0], n_legend)
    return figure
