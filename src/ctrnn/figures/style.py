"""What the figures share: colours that colour-blind readers can tell apart, sizes for print, files with fixed bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from pathlib import Path
from typing import Any, ParamSpec

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

P = ParamSpec("P")

# Okabe & Ito's palette.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
)  # fmt: skip
GREY = "#7F7F7F"
SEVERAL = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, "black")
EXCITATORY, INHIBITORY = VERMILION, BLUE
DASHES = ("-", "--", "-.", ":")
WIDTH = 6.5  # inches: the text width of a printed page
STYLE: dict[str, Any] = {
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draws a figure in this style, whatever the reader's matplotlib is set to."""

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with rc_context(STYLE):
            return draw(*args, **kwargs)

    return in_style


def blank(height: float) -> Figure:
    """An empty figure of page width; height in inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


def colours(n: int) -> list[str]:
    """Colours of n things; they repeat after seven."""
    return [SEVERAL[i % len(SEVERAL)] for i in range(n)]


def lines(names: Sequence[str]) -> list[dict[str, str]]:
    """Colour and dashes of each of several lines, no two alike below 28."""
    dashes = [DASHES[i // len(SEVERAL) % len(DASHES)] for i in range(len(names))]
    return [
        {"color": colour, "linestyle": dash}
        for colour, dash in zip(colours(len(names)), dashes, strict=True)
    ]


def columns_for(labels: Sequence[str]) -> int:
    """Columns of a legend that fit the page's width."""
    longest = max(map(len, labels), default=1)
    return max(1, min(len(labels), int(95 // (longest + 7))))


def legend_rows(n_entries: int, columns: int) -> float:
    """Height of a legend, in inches."""
    return 0.2 * -(-n_entries // columns) + 0.1


def legend_below(figure: Figure, axes: Axes, columns: int) -> None:
    """The legend of one of the axes, below the figure."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def save(figure: Figure, path: Path, dpi: int = 110) -> None:
    """Write a PNG with no date and no software version in it."""
    figure.savefig(path, dpi=dpi, metadata={"Software": None})
