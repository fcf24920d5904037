"""A measure against the axes of a sweep: heat maps over two of them, lines with intervals along one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ctrnn.figures import style


@style.styled
def heat_maps(
    values: Mapping[str, Float[np.ndarray, "upwards along"]],
    upwards: tuple[str, Sequence[Any]],
    along: tuple[str, Sequence[Any]],
    words: str,
) -> Figure:
    """A panel per task, all of one scale. upwards, along: name and values of an axis; cells that are NaN stay grey."""
    figure, panels = style.panels(len(values), 2.2)
    every = np.concatenate([grid.ravel() for grid in values.values()])
    known = every[np.isfinite(every)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    for axes, (task, grid) in zip(panels, values.items(), strict=True):
        image = draw_map(axes, grid, upwards[1], along[1], (low, high), ".3g")
        axes.set(xlabel=along[0], ylabel=upwards[0])
        axes.set_title(task, loc="left")
    figure.colorbar(image, ax=panels, shrink=0.9, label=words)
    return figure


def draw_map(
    axes: Axes,
    grid: Float[np.ndarray, "upwards along"],
    upwards: Sequence[Any],
    along: Sequence[Any],
    scale: tuple[float, float],
    form: str,
) -> AxesImage:
    """A heat map with its numbers, in this format, in the cells; NaN stays grey. scale: lowest, highest."""
    low, high = scale
    image = axes.imshow(grid, origin="lower", cmap="cividis", vmin=low, vmax=high, aspect="auto")
    axes.set_facecolor("0.85")
    for (row, column), value in np.ndenumerate(grid):
        if np.isfinite(value):
            colour = "white" if value <= (low + high) / 2 else "black"
            words = format(value, form)
            axes.text(column, row, words, ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(along)), [_label(value) for value in along])
    axes.set_yticks(range(len(upwards)), [_label(value) for value in upwards])
    return image


@style.styled
def lines(
    means: Mapping[str, Float[np.ndarray, "line along bound"]],
    along: tuple[str, Sequence[Any]],
    labels: Sequence[str],
    words: str,
) -> Figure:
    """A panel per task, a line per label: mean, and the lower and upper end of its interval (`bound`: these three)."""
    figure, panels = style.panels(len(means), 2.2, labels if len(labels) > 1 else ())
    at = np.arange(len(along[1]))
    for axes, (task, drawn) in zip(panels, means.items(), strict=True):
        for line, colour, label in zip(drawn, style.colours(len(labels)), labels, strict=True):
            axes.plot(at, line[:, 0], color=colour, marker="o", markersize=3, label=label)
            axes.fill_between(at, line[:, 1], line[:, 2], color=colour, alpha=0.2, linewidth=0)
        axes.set_xticks(at, [_label(value) for value in along[1]])
        axes.set(xlabel=along[0], ylabel=words)
        axes.set_title(task, loc="left")
    if len(labels) > 1:
        style.legend_below(figure, panels[0], style.columns_for(labels))
    return figure


def _label(value: Any) -> str:
    return (
        f"{value:g}"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else str(value)
    )
