"""Accuracy outside training, and psychometric functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import style

WIDE = 20  # values that span more than this factor are drawn on a logarithmic axis
MEASURES = ("correct", "on the right side")
KINDS = ((style.VERMILION, "-", "o"), (style.BLUE, "--", "s"), (style.GREEN, ":", "^"))
MOST = 3  # networks drawn


@style.styled
def generalisation(
    curves: Mapping[
        str, tuple[np.ndarray, float | None, Float[np.ndarray, "network value measure"]]
    ],
) -> Figure:
    """A panel per setting (the mapping's keys, as written on the axis): values, the trained one or None, accuracies.

    Thick lines are means over networks, thin ones single networks. The trained value is a vertical line. The measures
    are the first of MEASURES.
    """
    n = min(accuracy.shape[-1] for _, _, accuracy in curves.values())
    figure, every = style.panels(len(curves), 2.1, [*MEASURES[:n], "trained at"], sharey=True)
    for axes, (name, (values, trained, accuracy)) in zip(every, curves.items(), strict=True):
        looks = zip(MEASURES, ("black", style.VERMILION), ("-", "--"), "os", strict=True)
        for m, (label, colour, dashes, marker) in enumerate(islice(looks, n)):
            axes.plot(values, accuracy[..., m].T, color=colour, lw=0.4, alpha=0.6)
            axes.plot(
                values, accuracy[..., m].mean(axis=0), color=colour, ls=dashes, lw=1.4, marker=marker, ms=3.5,
                label=label,
            )  # fmt: skip
        if trained is not None:
            axes.axvline(trained, color=style.GREY, lw=0.9, ls=":")
        axes.plot([], [], color=style.GREY, lw=0.9, ls=":", label="trained at")
        positive = values[values > 0]
        if len(positive) and values.max() > WIDE * positive.min():
            axes.set_xscale("symlog", linthresh=positive.min())
            ticks = values if len(values) < 6 else values[[0, len(values) // 2, -1]]
            axes.set_xticks(ticks, [f"{value:g}" for value in ticks], minor=False)
            axes.set_xticks([], minor=True)
        axes.set(ylim=(-0.03, 1.05), xlabel=name)
    for axes in every[::3]:
        axes.set_ylabel("share of trials")
    style.legend_below(figure, every[0], 3)
    return figure


@style.styled
def psychometric(
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
