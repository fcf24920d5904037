"""A trial of each condition: what goes in, what should come out, and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ctrnn.figures import Results, style

TITLE = "Sample trials"
SOURCE = "generate/{task}/test.npz"
PLACE = 0

COLUMNS = 4
MOST = 8  # trials drawn


@style.styled
def plot(
    inputs: Float[np.ndarray, "time trial channel"],
    targets: Float[np.ndarray, "time trial output"],
    labels: Sequence[str],
    channels: Sequence[str],
    windows: Int[np.ndarray, "trial 2"],
    outputs: Sequence[str],
    dt: float = 1.0,
    most: int = MOST,
) -> Figure:
    """A panel per trial: its input channels, under them its targets, the response window shaded.

    labels [trial]: titles, broken at spaces; channels, outputs: their names; windows: first step of dt (ms) of the
    response window, and the first after it. A trial is drawn until it ends, from where on it is nan. Several channels
    are drawn in lanes of one scale, each with its zero as a thin line; several outputs are named in a legend. Of more
    than `most` trials, that many are drawn, evenly spread.
    """
    shown = np.unique(np.linspace(0, len(labels) - 1, min(most, len(labels))).round().astype(int))
    inputs, targets, windows = inputs[:, shown], targets[:, shown], windows[shown]
    n_trials, n_channels = inputs.shape[1:]
    columns = min(COLUMNS, n_trials)
    rows = -(-n_trials // columns)
    tall = 0.55 + 0.3 * n_channels
    entries = [f"target of {name}" for name in outputs] if len(outputs) > 1 else []
    room = style.legend_rows(len(entries), style.columns_for(entries)) if entries else 0.0
    figure = style.blank(0.4 + rows * (tall + 1.25) + room)
    grid = figure.subplots(
        2 * rows,
        columns,
        sharex=True,
        sharey="row",
        squeeze=False,
        height_ratios=[tall, 0.6] * rows,
    )
    top = float(max(1.0, np.nanmax(np.abs(inputs))))
    for place in range(rows * columns):
        above, below = grid[2 * (place // columns) : 2 * (place // columns) + 2, place % columns]
        if place >= n_trials:
            above.set_visible(False)
            below.set_visible(False)
            continue
        _inputs(above, inputs[:, place], top, channels)
        above.set_title("\n".join(labels[shown[place]].split()), loc="left", fontsize=8)
        for output, colour in enumerate(_target_colours(targets.shape[2])):
            (line,) = below.plot(targets[:, place, output], color=colour, lw=1.2)
            if entries:
                line.set_label(entries[output])
        below.axvspan(*windows[place], color=style.SKY, alpha=0.25, lw=0)
        if place % columns == 0:
            above.set_ylabel("input" if n_channels == 1 else f"input\n(a lane is {2 * top:.2g})")
            below.set_ylabel("target")
        if place + columns >= n_trials:
            style.time_axis(below, dt)
            below.tick_params(labelbottom=True)
    low, high = float(np.nanmin(targets)), float(np.nanmax(targets))
    for below in grid[1::2].flat:
        below.set_ylim(low - 0.15 * max(high - low, 1), high + 0.15 * max(high - low, 1))
    figure.align_ylabels()
    if entries:
        style.legend_below(figure, grid[1, 0], style.columns_for(entries))
    return figure


def _target_colours(n_outputs: int) -> list[Any]:
    """Black for one output; of several, each has a colour: that of its channel where each has one, as bits have."""
    return ["black"] if n_outputs == 1 else style.colours(n_outputs)


def _inputs(
    axes: Axes, inputs: Float[np.ndarray, "time channel"], top: float, names: Sequence[str]
) -> None:
    """Channels of a trial from the top down, a lane of 2 top each; a single one in its own units."""
    n_channels = inputs.shape[1]
    zeros = -2 * top * np.arange(n_channels)
    for channel, zero in enumerate(zeros):
        axes.axhline(zero, color=style.GREY, lw=0.4)
        axes.plot(zero + inputs[:, channel], color=style.colours(n_channels)[channel], lw=0.8)
    if n_channels == 1:
        axes.set_ylim(-1.1 * top if np.nanmin(inputs) < 0 else -0.1 * top, 1.1 * top)
    else:
        axes.set_ylim(zeros[-1] - 1.1 * top, 1.1 * top)
        axes.set_yticks(zeros, [name.replace("_", "\n") for name in names])
        axes.tick_params(axis="y", length=0)


def draw(results: Results) -> Figure:
    """A trial of each condition, or of MOST of them."""
    return plot(
        results.inputs, results.targets, results.labels, results.channels, results.example_windows,
        results.outputs, results.dt,
    )  # fmt: skip


def caption(results: Results) -> str:
    """How many conditions and test trials there are."""
    n_trials, n = len(results.test), results.test["condition"].nunique()
    which = f"each of the {n}" if n <= MOST else f"{MOST} of the {n}"
    return (
        f"A trial of {which} conditions: inputs, and below them the target with the response window "
        f"shaded. The {n_trials} test trials have {n_trials // n} of each condition."
    )
