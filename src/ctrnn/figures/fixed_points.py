"""Fixed and slow points among the trajectories, and which of them stay as the tolerance falls."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure

from ctrnn.figures import Results, span, style, tally

TITLE = "Fixed points"
PLACE = 6

MOST = 3  # networks drawn
LOOKS: dict[str, dict[str, Any]] = {
    "stable": {"marker": "o", "mfc": style.BLUE, "mec": "black", "ms": 6},
    "saddle": {"marker": "X", "mfc": style.VERMILION, "mec": "black", "ms": 7},
    "slow": {"marker": "s", "mfc": "white", "mec": style.GREEN, "ms": 5},
}


@style.styled
def plot(
    trajectories: Float[np.ndarray, "network condition time component"],
    seen: Bool[np.ndarray, "epoch condition"],
    epochs: Sequence[str],
    network: Int[np.ndarray, " point"],
    epoch: Int[np.ndarray, " point"],
    kind: Sequence[str],
    points: Float[np.ndarray, "point component"],
) -> Figure:
    """Points in principal components 1 and 2, a panel per network (the first three) and constant input.

    trajectories: trial averages, of which those seen under the input are drawn in grey; points: their
    projections, with the network, input and kind of each. Kinds without a look are left out.
    """
    shown = list(product(range(min(MOST, len(trajectories))), range(len(epochs))))
    columns = 3 if len(epochs) == 1 else min(len(epochs), 3)
    figure, every = style.panels(len(shown), 2.2, list(LOOKS), columns)
    flat = points.shape[1] == 1
    for axes, (i, e) in zip(every, shown, strict=True):
        for path in trajectories[i][seen[e]]:
            x = np.arange(len(path)) if flat else path[:, 0]
            axes.plot(x, path[:, -1 if flat else 1], color="#A0A0A0", lw=0.8)
        for name, look in LOOKS.items():
            rows = (network == i) & (epoch == e) & (np.array(kind, dtype=str) == name)
            x = np.zeros(rows.sum()) if flat else points[rows, 0]
            axes.plot(
                x, points[rows, 0 if flat else 1], ls="", mew=0.8, zorder=3, label=name, **look
            )
        axes.set_title(f"network {i}, {epochs[e].replace('_', ' ')}", loc="left")
        axes.set(xlabel="PC 1", ylabel="PC 2")
    style.legend_below(figure, every[0], 3)
    return figure


def draw(results: Results) -> Figure:
    """Points among the trajectories of the state space."""
    stored = results.analysis_arrays["fixed_points"]
    return plot(
        results.analysis_arrays["state_space"]["projections"],
        results.seen,
        stored["epochs"].tolist(),
        stored["network"],
        stored["epoch"],
        stored["kinds"][stored["kind"]].tolist(),
        stored["projection"],
    )


def caption(results: Results) -> str:
    """What the points under each input add up to, and how saddles grow."""
    stored = results.analysis_arrays["fixed_points"]
    kinds = stored["kinds"][stored["kind"]]
    verdicts = "; ".join(
        f"{name.replace('_', ' ')}: {tally(results.analysis['fixed_points'][name]['verdict'])}"
        for name in stored["epochs"].tolist()
    )
    saddles = stored["rates_per_tau"][kinds == "saddle"]
    unstable = stored["unstable"][kinds == "saddle"]
    grow = (
        f" Unstable dimensions of the saddles ({len(saddles)}): {span(unstable)}, which grow at "
        f"{span(saddles[:, 0], '.2f')} per time constant."
        if len(saddles)
        else " There is no saddle."
    )
    reports = results.analysis["fixed_points"].values()
    slow = "".join(
        f" The leading mode of {len(ms)} {'portrait' if len(ms) == 1 else 'portraits'} {verb} ms "
        f"(median; {span(ms, '.0f')})."
        for key, verb in (("doubling_time", "doubles in"), ("decay_time", "falls to 1/e in"))
        if (ms := [t for report in reports for t in report[key] if t is not None])
        for verb in (f"{verb} {np.median(ms):.0f}",)
    )
    far = int((kinds == "outside").sum())
    outside = f" Points far from every state that trials visit, not drawn: {far}." if far else ""
    return f"Under a constant input, without noise: {verdicts}.{grow}{slow}{outside}"
