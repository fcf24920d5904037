"""What excitatory and inhibitory units are selective for, and the currents that they receive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import Results, percent, style

TITLE = "Roles of units"
PLACE = 10

MOST = 6  # variables drawn
LARGE = "5"  # of the sizes of `selective_units_by_effect`
KINDS = (
    ("excitatory units", 1, style.EXCITATORY, "-"),
    ("inhibitory units", -1, style.INHIBITORY, "--"),
)


@style.styled
def plot(
    d_prime: Float[np.ndarray, "network variable unit"],
    sign: Float[np.ndarray, "network unit"],
    variables: Sequence[str],
    smallest: float,
) -> Figure:
    """Share of units whose |d'| exceeds a value, a panel per variable, by kind of unit, all networks together.

    smallest: |d'| from which on a unit counts as selective, a grey line.
    """
    n = min(MOST, len(variables))
    figure, every = style.panels(n, 2.1, [name for name, *_ in KINDS], sharey=True)
    for k, axes in enumerate(every):
        largest = float(np.abs(d_prime[:, k]).max()) or 1.0
        for name, kind, colour, dashes in KINDS:
            values = np.sort(np.abs(d_prime[:, k][sign == kind]))
            if len(values):
                above = 1 - np.arange(len(values)) / len(values)
                axes.step(values, above, where="pre", color=colour, ls=dashes, lw=1.3, label=name)
        axes.axvline(smallest, color=style.GREY, lw=0.8)
        axes.set(xscale="symlog", xlim=(0, largest), ylim=(0, 1.03), xlabel="|d'|")
        axes.set_title(variables[k], loc="left")
    every[0].set_ylabel("share of units above")
    style.legend_below(figure, every[0], 2)
    return figure


def draw(results: Results) -> Figure | None:
    """Selectivity of excitatory and inhibitory units; None where trials differ in nothing."""
    stored = results.analysis_arrays["roles"]
    names = stored["variables"].tolist()
    smallest = float(stored["smallest_d_prime"])
    return plot(stored["d_prime"], stored["sign"], names, smallest) if names else None


def caption(results: Results) -> str:
    """Shares of selective units, also by the size of the effect, and how many are silent or saturated."""
    stored = results.analysis_arrays["roles"]
    large = results.analysis["selective_units_by_effect"]
    shares = "; ".join(
        f"{name} {_share(by_kind['excitatory'])} and {_share(by_kind['inhibitory'])} (|d'| of {LARGE} or more: "
        f"{_share(large[name]['excitatory'][LARGE])} and {_share(large[name]['inhibitory'][LARGE])})"
        for name, by_kind in results.analysis["selective_units"].items()
    )
    silent, saturated = int(stored["silent"].sum()), int(stored["saturated"].sum())
    smallest = float(stored["smallest_d_prime"])
    return (
        f"Selective of the excitatory and the inhibitory units, by permutations that choose the time bin anew and with "
        f"a |d'| of {smallest:g} (grey) or more: {shares}. Of {stored['sign'].size} units, {silent} "
        f"{'is' if silent == 1 else 'are'} silent and {saturated} saturated."
    )


def _share(over_networks: dict[str, Any]) -> str:
    return "none" if over_networks["mean"] is None else percent(over_networks["mean"])
