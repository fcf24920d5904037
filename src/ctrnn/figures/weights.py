"""Distribution of excitatory and inhibitory synapses' strengths, before and after training."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from ctrnn.figures import Results, span, style

TITLE = "Synaptic weights"
PLACE = 15


@style.styled
def plot(
    bins: Float[np.ndarray, " edge"],
    before_excitatory: Int[np.ndarray, "network bin"],
    before_inhibitory: Int[np.ndarray, "network bin"],
    after_excitatory: Int[np.ndarray, "network bin"],
    after_inhibitory: Int[np.ndarray, "network bin"],
) -> Figure:
    """Share of synapses per bin of absolute effective weight, before and after training.

    bins [bin + 1]: edges. Lines are means over networks, bands span lowest to highest network. The
    scale of shares is logarithmic, since most synapses are weak and the few strong ones matter. A panel
    without synapses says so.
    """
    figure = style.blank(2.6)
    panels = figure.subplots(1, 2, sharey=True)
    kinds = (
        ("excitatory synapses", before_excitatory, after_excitatory, style.EXCITATORY),
        ("inhibitory synapses", before_inhibitory, after_inhibitory, style.INHIBITORY),
    )
    smallest = 1.0
    for axes, (title, before, after, colour) in zip(panels, kinds, strict=True):
        axes.set_title(title, loc="left")
        axes.set_xlabel("absolute effective weight")
        if not before.any() and not after.any():
            axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", va="center")
            continue
        times = (("before training", before, style.GREY), ("after training", after, colour))
        for label, counts, shade in times:
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            smallest = min(smallest, *shares[shares > 0], 1.0)
            band = {"fill": True, "color": shade, "alpha": 0.25, "lw": 0}
            axes.stairs(shares.max(axis=0), bins, baseline=shares.min(axis=0), **band)
            axes.stairs(shares.mean(axis=0), bins, color=shade, lw=1.3, label=label)
        used = np.flatnonzero(before.any(axis=0) | after.any(axis=0))
        axes.set_xlim(0, bins[used[-1] + 1] if len(used) else bins[-1])
        axes.legend(loc="upper right")
    panels[0].set(ylabel="share of synapses in the bin", yscale="log", ylim=(smallest / 2, 1.2))
    style.plain_decades(panels[0].yaxis)
    return figure


def draw(results: Results) -> Figure:
    """The distributions of both populations."""
    return plot(**results.analysis_arrays["weights"])


def caption(results: Results) -> str:
    """Density of synapses, whether Dale's principle and the pattern hold, and where trained parameters ended."""
    parts = []
    for population in ("excitatory", "inhibitory"):
        stats = results.analysis["weights"][population]
        before, after = (
            np.mean([network["density"] for network in stats[w]]) for w in ("before", "after")
        )
        units = span(network["units"] for network in stats["after"])
        parts.append(
            f"{units} {population} units, density {before:.3f} before and {after:.3f} after"
        )
    dale = results.analysis["dale"]
    rule = (
        "Dale's principle and the sparse pattern hold" if dale["applies"] else "The pattern holds"
    )
    verdict = (
        f"{rule} exactly"
        if dale["holds"]
        else f"BROKEN: {dale['sign_changes']} weights of the wrong sign, {dale['off_pattern']} off the pattern"
    )
    trained = [
        f"{name} of {population} units after training: "
        f"{span((network['mean'] for network in stats['after']), '.4g')}, standard deviation "
        f"{span((network['sd'] for network in stats['after']), '.2g')}"
        for name, populations in results.analysis.get("parameters", {}).items()
        for population, stats in populations.items()
    ]
    return " ".join(
        [f"Existing synapses: {'; '.join(parts)}. {verdict}.", *(f"{t}." for t in trained)]
    )
