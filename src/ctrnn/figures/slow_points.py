"""Which slow points stay as the tolerance falls: those of a line attractor do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from ctrnn.figures import Results, span, style

TITLE = "Line attractor or slow points"
SOURCE = "analyze/{task}/fixed_points.npz"
PLACE = 7


@style.styled
def plot(
    survivors: Int[np.ndarray, "network epoch tolerance"],
    tolerances: Float[np.ndarray, " tolerance"],
    epochs: Sequence[str],
) -> Figure:
    """Distinct states at which the speed q fell below each tolerance, a panel per input, a line per network.

    A line attractor's count stays; slow points that are none collapse onto a few fixed points.
    """
    labels = [f"network {i}" for i in range(len(survivors))]
    figure, every = style.panels(len(epochs), 2.2, labels, sharey=True)
    looks = style.colours(len(labels))
    most = max(int(survivors.max()), 2)
    for e, axes in enumerate(every):
        for i, colour in enumerate(looks):
            marker = "os^Dv<>"[i % 7]
            axes.plot(
                tolerances,
                survivors[i, e],
                marker=marker,
                ms=3.5,
                lw=1,
                color=colour,
                label=labels[i],
            )
        axes.set(xscale="log", xlabel="tolerance of q", ylim=(-0.05 * most, 1.05 * most))
        style.plain_decades(axes.xaxis)
        axes.invert_xaxis()
        axes.set_title(epochs[e].replace("_", " "), loc="left")
    every[0].set_ylabel("distinct points below it")
    style.legend_below(figure, every[0], style.columns_for(labels))
    return figure


def draw(results: Results) -> Figure:
    """The test that tells a line attractor from slow points."""
    stored = results.analysis_arrays["fixed_points"]
    return plot(stored["survivors"], stored["tolerances"], stored["epochs"].tolist())


def caption(results: Results) -> str:
    """How many points there are at the largest and the smallest tolerance, and what that says."""
    stored = results.analysis_arrays["fixed_points"]
    survivors, tolerances = stored["survivors"], stored["tolerances"]
    verdicts = [
        v for report in results.analysis["fixed_points"].values() for v in report["verdict"]
    ]
    lines = sum("attractor" in verdict for verdict in verdicts)
    says = (
        f"{lines} of {len(verdicts)} are line attractors" if lines else "none is a line attractor"
    )
    return (
        f"Distinct states slower than q = {tolerances[0]:g}: {span(survivors[..., 0].ravel())}; below "
        f"q = {tolerances[-1]:g} {span(survivors[..., -1].ravel())} are left, and {says}, which would keep them all."
    )
