"""Psychometric functions: answers by the strength of evidence, in each context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
from matplotlib.figure import Figure

from ctrnn.figures import Results, percent, span, style

TITLE = "Psychometric functions"
PLACE = 4

KINDS = ((style.VERMILION, "-", "o"), (style.BLUE, "--", "s"), (style.GREEN, ":", "^"))
MOST = 3  # networks drawn
BIAS = "without evidence, by the fit"


@style.styled
def plot(stored: Mapping[str, np.ndarray], kinds: Sequence[str], unit: str) -> Figure:
    """Share of positive answers by the evidence of each kind, a panel per context of the first three networks.

    Lines are the fits, averaged like the dots over the strengths of the other kind; the diamond is the fit without any
    evidence, with the 95% interval of the bias.

    stored: arrays of psychometric.npz. kinds: in words. unit: of the evidence, as written on the axis.
    """
    contexts, levels = stored["contexts"].tolist(), stored["levels"]
    shown = list(product(range(min(MOST, len(stored["positive"]))), range(len(contexts))))
    columns = 3 if len(contexts) == 1 else min(len(contexts), 3)
    figure, every = style.panels(len(shown), 2.2, [*kinds, BIAS], columns, sharey=True)
    for axes, (i, c) in zip(every, shown, strict=True):
        for k, kind in enumerate(kinds):
            colour, dashes, marker = KINDS[k % len(KINDS)]
            axes.plot(
                stored["curve_levels"], stored["curves"][i, c, k], color=colour, ls=dashes, lw=1.2
            )
            axes.plot(levels, stored["positive"][i, c, k], marker, color=colour, ms=4)
            axes.plot([], [], marker=marker, color=colour, ls=dashes, label=kind)
        middle, low, high = stored["at_zero"][i, c]
        axes.errorbar(
            [0.0], [middle], [[middle - low], [high - middle]], color="black", marker="D", ms=4, ls="",
            elinewidth=1, capsize=2, label=BIAS,
        )  # fmt: skip
        axes.set(xlabel=unit, ylim=(-0.03, 1.03))
        context = f", {contexts[c]} context" if len(contexts) > 1 else ""
        axes.set_title(f"network {i}{context}", loc="left")
    for axes in every[::columns]:
        axes.set_ylabel(f"share with mean output > {float(stored['between']):g}")
    style.legend_below(figure, every[0], len(kinds) + 1)
    return figure


def draw(results: Results) -> Figure | None:
    """Answers by evidence; None for a task that has no such curve."""
    stored = results.analysis_arrays["psychometric"]
    if not stored:
        return None
    kinds = stored["kinds"].tolist()
    names = [f"{kind} evidence" for kind in kinds] if len(kinds) > 1 else kinds
    return plot(stored, names, results.evidence_unit)


def caption(results: Results) -> str:
    """Slopes and biases of the fits in each context, how many biases are none, and which trials have no choice."""
    stored = results.analysis_arrays["psychometric"]
    contexts = stored["contexts"].tolist()
    slopes = "; ".join(
        f"{f'{context}: ' if len(contexts) > 1 else ''}"
        + ", ".join(
            f"{kind} {span(stored['slopes'][:, c, k], '.1f')}"
            for k, kind in enumerate(stored["kinds"].tolist())
        )
        for c, context in enumerate(contexts)
    )
    intervals = stored["bias_intervals"]
    biased = int(((intervals[..., 0] > 0) | (intervals[..., 1] < 0)).sum())
    width = np.ptp(stored["slope_intervals"], axis=-1).max()
    by_context = " in each context" if len(contexts) > 1 else ""
    return (
        f"Slopes of the logistic fits{by_context}, per unit of the axis: {slopes} (95% intervals by the profile of the "
        f"likelihood, at most {width:.1f} wide). Biases {span(stored['bias'].ravel(), '.2f')} logits; the interval of "
        f"{biased} of {intervals[..., 0].size} leaves out 0. Lapses {span(100 * stored['lapse'].ravel(), '.1f')}%. A "
        f"trial counts by its mean output, above {float(stored['between']):g} or not; by the task's threshold "
        f"{percent(stored['undecided'].mean())} of the trials are no choice."
    )
