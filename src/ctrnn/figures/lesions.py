"""What growing lesions change, against lesions of random units in the same networks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ctrnn.figures import Results, percent, style

TITLE = "Lesions"
PLACE = 12

LOOKS = (
    ("the group", "black", "-", "o"),
    ("as many other units", style.BLUE, "--", "s"),
    ("others of the same summed weight", style.ORANGE, ":", "^"),
)
COUNTED = {"right_side": "on the right side", "correct": "correct"}


@style.styled
def plot(stored: Mapping[str, np.ndarray]) -> Figure:
    """Change of the share of trials that count, from the intact network, by dose; a panel per group.

    Doses are numbered by the units of the group, and by their share of all outgoing weight. Bars are 95% intervals of
    the mean over networks; of one network there are none.

    stored: arrays of lesions.npz.
    """
    groups, n = stored["groups"].tolist(), len(stored["differences"])
    figure, every = style.panels(len(groups), 2.2, [name for name, *_ in LOOKS], sharey=True)
    places, means = np.arange(len(stored["doses"])), stored["differences"].mean(axis=0)
    highest = 0.55 if n == 1 else max(0.55, 1.05 * float(stored["intervals"][..., 1].max()))
    for g, axes in enumerate(every):
        axes.axhline(0.0, color=style.GREY, lw=0.8)
        for k, (label, colour, dashes, marker) in enumerate(LOOKS):
            low, high = stored["intervals"][g, :, k].T
            bars = np.stack([means[g, :, k] - low, high - means[g, :, k]]) if n > 1 else None
            axes.errorbar(
                places + (k - 1) * 0.12, means[g, :, k], bars, color=colour, ls=dashes, lw=1.1,
                marker=marker, ms=3.5, elinewidth=0.7, capsize=1.5, label=label,
            )  # fmt: skip
        units = stored["n_units"][:, g].mean(axis=0)
        weight = stored["weight"][:, g, :, 0].mean(axis=0)
        labels = [f"{u:g}\n{100 * w:.0f}%" for u, w in zip(units.round(1), weight, strict=True)]
        axes.set_xticks(places, labels)
        axes.set(ylim=(-1.05, highest), xlabel="units; share of weight")
        axes.set_title(groups[g], loc="left")
    for axes in every[::3]:
        axes.set_ylabel(f"change, {COUNTED[str(stored['counted'])]}")
    style.legend_below(figure, every[0], 3)
    return figure


def draw(results: Results) -> Figure:
    """Silenced groups against random units."""
    return plot(results.analysis_arrays["lesions"])


def caption(results: Results) -> str:
    """What the smallest dose changes, and how far that is from others of the same weight, with intervals."""
    stored = results.analysis_arrays["lesions"]
    place = stored["contrasts"].tolist().index
    by_group = "; ".join(
        f"{group} {_change(stored, g, place('group_minus_intact'))}, which differs from others of the same weight by "
        f"{_change(stored, g, place('group_minus_same_weight'))}"
        for g, group in enumerate(stored["groups"].tolist())
    )
    intact = percent(stored["intact"][:, -1].mean())
    counted, one = COUNTED[str(stored["counted"])], len(stored["differences"]) == 1
    told = (
        "one network has no intervals"
        if one
        else "in brackets and bars, 95% intervals over networks"
    )
    return (
        f"Change of the share of trials {counted} from {intact} in the intact network, in "
        f"percentage points, after silencing {percent(stored['doses'][0])} of a group: {by_group} ({told}). The axis "
        "gives the units that are silenced, and their share of all outgoing recurrent weight."
        f"{'' if counted == COUNTED['right_side'] else results.left_out}"
    )


def _change(stored: Mapping[str, np.ndarray], group: int, contrast: int) -> str:
    """At the smallest dose: "-4.2 [-7.0, -1.4]"; without the interval for one network."""
    differences, (low, high) = stored["differences"], stored["intervals"][group, 0, contrast]
    mean = f"{100 * differences[:, group, 0, contrast].mean():+.1f}"
    return mean if len(differences) == 1 else f"{mean} [{100 * low:.1f}, {100 * high:.1f}]"
