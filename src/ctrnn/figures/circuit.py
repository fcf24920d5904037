"""The currents that excitatory and inhibitory units receive, and the weights between selective groups."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import Results, style, times
from ctrnn.figures.roles import KINDS

TITLE = "Currents and wiring"
SOURCE = "analyze/{task}/roles.npz"
PLACE = 11

GROUPS = ("E +", "E −", "I +", "I −")


@style.styled
def plot(
    excitation: Float[np.ndarray, "network unit"],
    inhibition: Float[np.ndarray, "network unit"],
    excitation_in_time: Float[np.ndarray, "network time"],
    inhibition_in_time: Float[np.ndarray, "network time"],
    sign: Float[np.ndarray, "network unit"],
    group_weights: Float[np.ndarray, "network post_group pre_group"],
    variable: str,
    dt: float = 1.0,
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
        units = sign == kind
        marker = "o" if kind > 0 else "^"
        handles += each.plot(
            excitation[units], -inhibition[units], marker, ms=2.2, mew=0, color=colour
        )
    each.set(xlabel="excitatory current", ylabel="size of inhibitory current")
    each.set_title("every unit, mean over trials", loc="left")
    inward = over_time.plot(excitation_in_time.T, color=style.EXCITATORY, lw=1)
    outward = over_time.plot(-inhibition_in_time.T, color=style.INHIBITORY, lw=1, ls="--")
    over_time.set_ylabel("size of current")
    style.time_axis(over_time, dt)
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


def draw(results: Results) -> Figure | None:
    """Currents, and wiring between selective groups; None where trials differ in nothing."""
    stored = results.analysis_arrays["roles"]
    if not len(stored["variables"]):
        return None
    currents = ("excitation", "inhibition", "excitation_in_time", "inhibition_in_time", "sign")
    return plot(
        **{name: stored[name] for name in currents},
        group_weights=stored["group_weights"][:, 0],
        variable=str(stored["variables"][0]),
        dt=results.dt,
    )


def caption(results: Results) -> str:
    """How currents balance, and whether units of opposite preference inhibit each other."""
    stored = results.analysis_arrays["roles"]
    weights, variable = stored["group_weights"][:, 0], str(stored["variables"][0])
    ratio = results.analysis["inhibition_over_excitation"]
    follow = results.analysis["current_tracking"]
    return (
        f"Inhibitory current is {times(ratio)} of the excitatory one, and over a trial the two correlate with "
        f"{times(follow)} in the median unit. Weights onto units of the opposite {variable}, as a multiple of those "
        f"onto units of the same: excitatory {opposite(weights, 0)}, inhibitory {opposite(weights, 2)}."
    )


def opposite(weights: np.ndarray, first: int) -> str:
    """Mean weight onto units of the other preference over that onto units of the same, from groups `first` and next."""
    same = weights[:, [0, 1, 2, 3], [first, first + 1] * 2].mean()
    other = weights[:, [1, 0, 3, 2], [first, first + 1] * 2].mean()
    return f"{other / same:.2f}" if same else "none"
