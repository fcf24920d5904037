"""What the figures share: sizes for a printed page, colours that colour-blind readers tell apart.

Colours are those of Okabe & Ito (2008, Color Universal Design).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from jaxtyping import Float
from matplotlib import colormaps, rc_context, rcdefaults
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, LogLocator, NullLocator
from PIL import Image

P = ParamSpec("P")
R = TypeVar("R")

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
)  # fmt: skip
GREY = "#7F7F7F"
SEVERAL = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, "black")
EXCITATORY, INHIBITORY = VERMILION, BLUE
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))
WIDTH = 6.9  # inches: the text width of a printed A4 page
DPI = 160  # sharp in print, and on screens with two pixels a point
STYLE: dict[Any, Any] = {
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8.5,
    "axes.titley": 1.0,  # fixed above the axes: not to be found anew in every pass of the layout
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
    "font.size": 8.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 2.4,
    "xtick.labelsize": 8,
    "xtick.major.width": 0.7,
    "ytick.labelsize": 8,
    "ytick.major.width": 0.7,
}


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Runs a function in this style alone, whatever the caller or a matplotlibrc has set."""

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> R:
        with rc_context():
            rcdefaults()
            with rc_context(STYLE):
                return draw(*args, **kwargs)

    return in_style


def blank(height: float) -> Figure:
    """An empty figure of page width; height in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


@styled
def png(figure: Figure, dpi: int = DPI) -> bytes:
    """The figure as a PNG, opaque, with no date and no software version in it."""
    figure.set_dpi(dpi)
    _lighten(figure)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # savefig would draw it twice
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]  # nothing shines through
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png", dpi=(dpi, dpi), compress_level=3)
    return stream.getvalue()


def _lighten(figure: Figure) -> None:
    """Few numbers on an axis, and no room for what has none and no label: two fifths of the layout's time."""
    for axes in figure.axes:
        for spine in axes.spines.values():
            spine.set_in_layout(False)
        for axis, sides, most in (
            (axes.xaxis, ("labelbottom", "labeltop"), 4),
            (axes.yaxis, ("labelleft", "labelright"), 5),
        ):
            locator = axis.get_major_locator()
            if isinstance(locator, AutoLocator):
                locator.set_params(nbins=most)
            ticks = axis.get_tick_params()
            shown = ticks.get(sides[0], True) or ticks.get(sides[1], False)
            axis.set_in_layout(bool(shown or axis.label.get_text()))


def save(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Write `png` of the figure."""
    path.write_bytes(png(figure, dpi))


def colours(n: int) -> list[Any]:
    """Okabe and Ito's colours as long as they last, then steps along cividis."""
    if n <= len(SEVERAL):
        return list(SEVERAL[:n])
    return list(colormaps["cividis"](np.linspace(0, 0.92, n)))


def lines(labels: Sequence[str]) -> list[dict[str, Any]]:
    """Colour and dashes of each condition, by its label ("context=motion motion=+0.5 colour=-0.5").

    Up to four conditions have a colour each. Of more, the first variable (the context) sets the
    dashes and the others the colour, so that what conditions share looks the same; where the first
    variable has more than four values or is the only one, colours alone tell.
    """
    split = [(first, rest) for first, _, rest in (label.partition(" ") for label in labels)]
    firsts, rests = (
        list(dict.fromkeys(f for f, _ in split)),
        list(dict.fromkeys(r for _, r in split)),
    )
    if len(labels) <= 4 or "" in rests or not 1 < len(firsts) <= len(DASHES):
        return [{"color": colour, "linestyle": "-"} for colour in colours(len(labels))]
    palette = colours(len(rests))
    return [
        {"color": palette[rests.index(rest)], "linestyle": DASHES[firsts.index(first)]}
        for first, rest in split
    ]


def time_axis(axes: Axes, dt: float) -> None:
    """Name an x axis, on which a step is 1, and number it in ms; dt: length of a step, ms."""
    axes.set_xlabel("time (ms)")
    if dt != 1:
        axes.xaxis.set_major_formatter(lambda step, _: f"{dt * step:g}")


def trajectories(
    axes: Axes,
    x: Float[np.ndarray, "condition time"] | None,
    y: Float[np.ndarray, "condition time"],
    labels: Sequence[str],
) -> None:
    """A line per condition, from a dot at the start of the trial to a triangle at its end; x: None for time steps."""
    if x is None:
        x = np.broadcast_to(np.arange(y.shape[1], dtype=y.dtype), y.shape)
    looks = lines(labels)
    for path, height, look, label in zip(x, y, looks, labels, strict=True):
        axes.plot(path, height, lw=1.1, label=label, **look)
    axes.plot(x[:, 0], y[:, 0], "o", color="black", ms=4, zorder=3)
    axes.scatter(
        x[:, -1], y[:, -1], s=25, marker="^", c=[look["color"] for look in looks], edgecolors="black", linewidths=0.5,
        zorder=3,
    )  # fmt: skip


def plain_decades(axis: Axis) -> None:
    """Numbers of a logarithmic axis as plain text: powers of ten have to be typeset, which takes ten times as long.

    Call it when all is drawn, since over less than two decades 2 and 5 have numbers too.
    """
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter("{x:g}")


MOST_ENTRIES = 16  # of a legend; of more, some are named, evenly spread


def columns_for(labels: Sequence[str]) -> int:
    """Columns of a legend that fit the page's width."""
    longest = max(map(len, labels), default=1)
    return max(1, min(len(labels), 4, int(100 // (longest + 7))))


def legend_rows(n_entries: int, columns: int) -> float:
    """Height of a legend, in inches."""
    return 0.19 * -(-min(n_entries, MOST_ENTRIES) // columns) + 0.1


def legend_below(figure: Figure, axes: Axes, columns: int) -> None:
    """The legend of one of the axes, below the figure."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > MOST_ENTRIES:
        kept = np.unique(np.linspace(0, len(labels) - 1, MOST_ENTRIES).round().astype(int))
        handles, labels = [handles[i] for i in kept], [labels[i] for i in kept]
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def panels(
    n: int, tall: float, legend: Sequence[str] = (), columns: int = 3, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of n panels, `tall` inches each, at most so many beside each other, with room for a legend below."""
    columns = min(columns, n)
    rows = -(-n // columns)
    room = legend_rows(len(legend), columns_for(legend)) if legend else 0.0
    figure = blank(0.15 + tall * rows + room)
    every = list(figure.subplots(rows, columns, squeeze=False, **shared).flat)
    for axes in every[n:]:
        axes.set_visible(False)
    return figure, every[:n]
