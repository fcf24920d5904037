"""Psychometric functions: choices by the strength of evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import Results, span, style

TITLE = "Psychometric functions"
PLACE = 4

KINDS = ((style.VERMILION, "-", "o"), (style.BLUE, "--", "s"), (style.GREEN, ":", "^"))
MOST = 3  # networks drawn


@style.styled
def plot(
    levels: Float[np.ndarray, " level"],
    positive: Float[np.ndarray, "network kind level"],
    fitted: Float[np.ndarray, "network kind level"],
    kinds: Sequence[str],
    unit: str,
) -> Figure:
    """Share of positive choices by the evidence of each kind, a panel per network (the first three); lines are fits.

    unit: of the evidence, as written on the axis.
    """
    shown = min(MOST, len(positive))
    figure, every = style.panels(shown, 2.2, kinds, sharey=True)
    for i, axes in enumerate(every):
        for k, kind in enumerate(kinds):
            colour, dashes, marker = KINDS[k % len(KINDS)]
            axes.plot(levels, fitted[i, k], color=colour, ls=dashes, lw=1.2)
            axes.plot(levels, positive[i, k], marker, color=colour, ms=4)
            axes.plot([], [], marker=marker, color=colour, ls=dashes, label=kind)
        axes.set(xlabel=unit, ylim=(-0.03, 1.03))
        axes.set_title(f"network {i}", loc="left")
    every[0].set_ylabel("share of positive choices")
    style.legend_below(figure, every[0], len(kinds))
    return figure


def draw(results: Results) -> Figure | None:
    """Choices by evidence; None for a task that has no such curve."""
    stored = results.analysis_arrays["psychometric"]
    if not stored:
        return None
    kinds = stored["kinds"].tolist()
    names = [f"{kind} evidence" for kind in kinds] if len(kinds) > 1 else kinds
    return plot(
        stored["levels"], stored["positive"], stored["fitted"], names, results.evidence_unit
    )


def caption(results: Results) -> str:
    """Slopes and lapses of the fits."""
    stored = results.analysis_arrays["psychometric"]
    slopes = "; ".join(
        f"{kind} {span(stored['slopes'][:, k], '.1f')}"
        for k, kind in enumerate(stored["kinds"].tolist())
    )
    width = np.ptp(stored["slope_intervals"], axis=2).max()
    return (
        f"Slopes of the logistic fits, per unit of the axis: {slopes} (95% intervals at most {width:.1f} wide); lapses "
        f"{span(100 * stored['lapse'], '.1f')}%."
    )
