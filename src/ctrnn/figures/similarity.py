"""How alike networks are, and how many dimensions they use."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import Results, span, style, times

TITLE = "Across networks"
PLACE = 13

WRITTEN = 10  # networks, at most, whose numbers are written into the matrix


@style.styled
def plot(
    before: Float[np.ndarray, "network network"],
    after: Float[np.ndarray, "network network"],
    averaged: Float[np.ndarray, "network component"],
    single: Float[np.ndarray, "network component"],
) -> Figure:
    """CKA of every two networks before and after training, and variance held by principal components.

    averaged, single: shares of the variance of trial-averaged and of single-trial rates.
    """
    figure, (left, middle, right) = style.panels(3, 2.4)
    for axes, matrix, title in (
        (left, before, "CKA before training"),
        (middle, after, "CKA after"),
    ):
        axes.imshow(matrix, cmap="cividis", vmin=0, vmax=1)
        if len(matrix) <= WRITTEN:
            for (row, column), value in np.ndenumerate(matrix):
                colour = "white" if value < 0.6 else "black"
                size = 8 if len(matrix) <= 4 else 5
                axes.text(
                    column,
                    row,
                    f"{value:.2f}",
                    ha="center",
                    va="center",
                    color=colour,
                    fontsize=size,
                )
        places = np.arange(0, len(matrix), -(-len(matrix) // 5))
        axes.set_xticks(places)
        axes.set_yticks(places)
        axes.set(xlabel="network", ylabel="network")
        axes.spines[:].set_visible(False)
        axes.set_title(title, loc="left")
    looks = (
        ("trial averages", averaged, "black", "-", "o"),
        ("single trials", single, style.VERMILION, "--", "s"),
    )
    for label, shares, colour, dashes, marker in looks:
        held = np.cumsum(shares, axis=1)
        components = np.arange(1, held.shape[1] + 1)
        right.plot(components, held.T, color=colour, lw=0.4, alpha=0.6)
        right.plot(
            components,
            held.mean(axis=0),
            color=colour,
            ls=dashes,
            lw=1.3,
            marker=marker,
            ms=3.5,
            label=label,
        )
    right.set(
        ylim=(0, 1.03),
        xlabel="principal components",
        xticks=components,
        ylabel="share of variance held",
    )
    right.legend(loc="lower right", fontsize=8)
    return figure


def draw(results: Results) -> Figure:
    """Networks compared, and dimensions."""
    stored, space = results.analysis_arrays["similarity"], results.analysis_arrays["state_space"]
    averaged, single = space["explained_variance"], space["single_trial_variance"]
    return plot(stored["before"], stored["after"], averaged, single)


def caption(results: Results) -> str:
    """How alike networks are, and the variance that components hold."""
    space, alike = results.analysis_arrays["state_space"], results.analysis["similarity"]
    averaged, single = space["explained_variance"], space["single_trial_variance"]
    compared = (
        f"Representations of two networks have a CKA of {times(alike['before'])} before and {times(alike['after'])} "
        "after training. "
        if alike["after"]["mean"] is not None
        else ""
    )
    return (
        f"{compared}{averaged.shape[1]} components hold {span(100 * averaged.sum(axis=1), '.0f')}% of the variance of "
        f"trial averages and {span(100 * single.sum(axis=1), '.0f')}% of that of single trials."
    )
