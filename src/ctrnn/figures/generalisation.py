"""Accuracy outside training, and psychometric functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import Results, style

TITLE = "Outside training"
PLACE = 3
HELD = 0.9  # share of correct trials at which a task counts as done
UNITS = {
    "delay": "delay (ms)",
    "response_delay": "response delay (ms)",
    "stim_dur": "stimulus duration / trained",
    "noise": "noise / trained",
}

WIDE = 20  # values that span more than this factor are drawn on a logarithmic axis
MEASURES = ("correct", "on the right side")


@style.styled
def plot(
    curves: Mapping[
        str, tuple[np.ndarray, Sequence[float], Float[np.ndarray, "network value measure"]]
    ],
) -> Figure:
    """A panel per setting (the mapping's keys, as written on the axis): values, trained ones, accuracies.

    Thick lines are means over networks, thin ones single networks. The trained value is a vertical line; of times that
    are drawn for every trial, the shortest and the longest. The measures are the first of MEASURES.
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
        for value in trained:
            axes.axvline(value, color=style.GREY, lw=0.9, ls=":")
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


def draw(results: Results) -> Figure | None:
    """Settings outside training; None where analyze.generalisation has no values for this task."""
    stored, curves = results.analysis_arrays["generalisation"], {}
    for name in results.analysis["generalisation"] if stored else ():
        values, trained = stored[f"{name}_values"], stored[f"{name}_trained"]
        curves[_unit(name, results)] = (values, trained.tolist(), stored[f"{name}_accuracy"])
    return plot(curves) if curves else None


def caption(results: Results) -> str:
    """The values at which HELD of the trials are correct."""
    stored, held_at, n_measures = results.analysis_arrays["generalisation"], [], 0
    for name in results.analysis["generalisation"]:
        values, accuracy = stored[f"{name}_values"], stored[f"{name}_accuracy"]
        held_at.append(f"{_unit(name, results)} {held(values, accuracy[..., 0].mean(axis=0))}")
        n_measures = accuracy.shape[-1]
    whole = n_measures > 1 and results.has_every_curve
    return (
        f"At least {HELD:.0%} of trials are correct at: {'; '.join(held_at)}."
        f"{'' if whole else results.left_out}"
    )


def held(values: Sequence[float] | np.ndarray, share: np.ndarray) -> str:
    """Values with at least HELD correct, in words."""
    good = [f"{value:g}" for value, correct in zip(values, share, strict=True) if correct >= HELD]
    if not good:
        return "none"
    return "all" if len(good) == len(share) else ", ".join(good)


def _unit(setting: str, results: Results) -> str:
    return {**UNITS, "evidence": results.evidence_unit}.get(setting, setting)
