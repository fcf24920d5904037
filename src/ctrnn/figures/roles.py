"""What excitatory and inhibitory units are selective for, and the currents that they receive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import style

MOST = 6  # variables drawn
KINDS = (
    ("excitatory units", 1, style.EXCITATORY, "-"),
    ("inhibitory units", -1, style.INHIBITORY, "--"),
)
GROUPS = ("E +", "E −", "I +", "I −")


@style.styled
def roles(
    d_prime: Float[np.ndarray, "network variable unit"],
    sign: Float[np.ndarray, "network unit"],
    variables: Sequence[str],
) -> Figure:
    """Share of units whose |d'| exceeds a value, a panel per variable, by kind of unit, all networks together."""
    n = min(MOST, len(variables))
    figure, every = style.panels(n, 2.1, [name for name, *_ in KINDS], sharey=True)
    for k, axes in enumerate(every):
        largest = float(np.abs(d_prime[:, k]).max()) or 1.0
        for name, kind, colour, dashes in KINDS:
            values = np.sort(np.abs(d_prime[:, k][sign == kind]))
            if len(values):
                above = 1 - np.arange(len(values)) / len(values)
                axes.step(values, above, where="pre", color=colour, ls=dashes, lw=1.3, label=name)
        axes.set(xscale="symlog", xlim=(0, largest), ylim=(0, 1.03), xlabel="|d'|")
        axes.set_title(variables[k], loc="left")
    every[0].set_ylabel("share of units above")
    style.legend_below(figure, every[0], 2)
    return figure


@style.styled
def circuit(
    excitation: Float[np.ndarray, "network unit"],
    inhibition: Float[np.ndarray, "network unit"],
    excitation_in_time: Float[np.ndarray, "network time"],
    inhibition_in_time: Float[np.ndarray, "network time"],
    sign: Float[np.ndarray, "network unit"],
    group_weights: Float[np.ndarray, "network post_group pre_group"],
    variable: str,
) -> Figure:
    """Currents of every unit, currents over a trial (mean over units, a line per network), and weights between groups.

    group_weights: mean weight between units that prefer the positive or the negative end of `variable`.
    """
    entries = [*(name for name, *_ in KINDS), "excitatory current", "inhibitory current"]
    figure, (each, over_time, between) = style.panels(3, 2.4, entries)
    top = float(max(excitation.max(initial=0.0), -inhibition.min(initial=0.0))) or 1.0
    each.plot([0, top], [0, top], color=style.GREY, lw=0.8, ls=":")
    handles = []
    for _, kind, colour, _ in KINDS:
        some = sign == kind
        marker = "o" if kind > 0 else "^"
        handles += each.plot(
            excitation[some], -inhibition[some], marker, ms=2.2, mew=0, color=colour
        )
    each.set(xlabel="excitatory current", ylabel="size of inhibitory current")
    each.set_title("every unit, mean over trials", loc="left")
    inward = over_time.plot(excitation_in_time.T, color=style.EXCITATORY, lw=1)
    outward = over_time.plot(-inhibition_in_time.T, color=style.INHIBITORY, lw=1, ls="--")
    over_time.set(xlabel="time (steps)", ylabel="size of current")
    over_time.set_title("mean over units", loc="left")
    handles += [inward[0], outward[0]]
    columns = style.columns_for(entries)
    figure.legend(handles, entries, loc="outside lower center", ncols=columns, markerscale=2)
    mean = group_weights.mean(axis=0)
    largest = float(np.abs(mean).max()) or 1.0
    between.imshow(mean, cmap="PuOr", vmin=-largest, vmax=largest)
    for (row, column), value in np.ndenumerate(mean):
        dark = abs(value) > 0.6 * largest
        between.text(
            column,
            row,
            f"{value:.2f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark else "black",
        )
    between.set_xticks(range(4), GROUPS)
    between.set_yticks(range(4), GROUPS)
    between.set(xlabel="from", ylabel="to")
    between.spines[:].set_visible(False)
    between.tick_params(length=0)
    between.set_title(f"mean weight, by {variable}", loc="left")
    return figure
