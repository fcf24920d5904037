"""Accuracy after lesions in growing doses, against random units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import Results, percent, style

TITLE = "Lesions"
PLACE = 12

LOOKS = (
    ("the group", "black", "-", "o"),
    ("as many other units", style.BLUE, "--", "s"),
    ("others of the same summed weight", style.ORANGE, ":", "^"),
)


@style.styled
def plot(
    doses: Float[np.ndarray, " dose"],
    accuracy: Float[np.ndarray, "group dose kind"],
    half_width: Float[np.ndarray, "group dose kind"],
    groups: Sequence[str],
    intact: float,
    counted: str,
) -> Figure:
    """A panel per group: share of the trials that count by the share silenced, and by the controls of each dose.

    kind: the group, as many other units, others of the same summed outgoing weight. Bars are intervals over networks.
    counted: which trials count, in words, as "on the right side".
    """
    figure, every = style.panels(len(groups), 2.0, [name for name, *_ in LOOKS], sharey=True)
    for g, axes in enumerate(every):
        axes.axhline(intact, color=style.GREY, lw=0.8)
        for k, (label, colour, dashes, marker) in enumerate(LOOKS):
            axes.errorbar(
                100 * doses + (k - 1) * 0.6, accuracy[g, :, k], half_width[g, :, k], color=colour, ls=dashes, lw=1.1,
                marker=marker, ms=3.5, elinewidth=0.7, capsize=1.5, label=label,
            )  # fmt: skip
        axes.set(ylim=(0.0, 1.05), xlim=(0, None), xlabel="silenced (%)")
        axes.set_title(groups[g], loc="left")
    for axes in every[::3]:
        axes.set_ylabel(f"share {counted}")
    style.legend_below(figure, every[0], 3)
    return figure


def draw(results: Results) -> Figure:
    """Silenced groups against random units."""
    stored = results.analysis_arrays["lesions"]
    mean, intact = stored["accuracy"][..., -1].mean(axis=0), float(stored["intact"][:, -1].mean())
    counted, width = _counted(stored)
    return plot(stored["doses"], mean, stored[width], stored["groups"].tolist(), intact, counted)


def caption(results: Results) -> str:
    """Shares that are left after the smallest dose."""
    stored = results.analysis_arrays["lesions"]
    mean, intact = stored["accuracy"][..., -1].mean(axis=0), float(stored["intact"][:, -1].mean())
    counted, width = _counted(stored)
    by_group = "; ".join(
        f"{group} {percent(mean[g, 0, 0])} (as many others {percent(mean[g, 0, 1])})"
        for g, group in enumerate(stored["groups"].tolist())
    )
    return (
        f"{counted.capitalize()} after silencing {percent(stored['doses'][0])} of a group, against {percent(intact)} "
        f"when intact: {by_group}. Bars are 95% intervals over networks."
        f"{'' if width == 'side_half_width' else results.left_out}"
    )


def _counted(stored: Mapping[str, np.ndarray]) -> tuple[str, str]:
    """Which trials count, in words, and the name of the intervals."""
    if "side_half_width" in stored:
        return "on the right side", "side_half_width"
    return "correct", "half_width"
