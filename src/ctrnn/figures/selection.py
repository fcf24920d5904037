"""How much of each input the slow mode takes up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import Results, percent, span, style, tally

TITLE = "Selection vector"
SOURCE = "analyze/{task}/fixed_points.npz"
PLACE = 8


@style.styled
def plot(
    overlap: Float[np.ndarray, "network epoch channel"],
    epochs: Sequence[str],
    channels: Sequence[str],
) -> Figure:
    """|cosine| of the selection vector with each input channel, a panel per constant input, a dot per network."""
    figure, every = style.panels(len(epochs), 2.1, sharey=True)
    for e, axes in enumerate(every):
        places = np.arange(len(channels))
        spread = np.linspace(-0.18, 0.18, len(overlap)) if len(overlap) > 1 else np.zeros(1)
        axes.bar(places, overlap[:, e].mean(axis=0), width=0.6, color=style.SKY, alpha=0.5)
        for offset, row in zip(spread, overlap[:, e], strict=True):
            axes.plot(places + offset, row, "o", ms=3.5, color="black")
        axes.set_xticks(places, [name.replace("_", "\n") for name in channels])
        axes.set_title(epochs[e].replace("_", " "), loc="left")
    every[0].set_ylabel("overlap, |cosine|")
    return figure


def draw(results: Results) -> Figure | None:
    """What the slow mode takes up; None where no network has a point to linearise at."""
    stored = results.analysis_arrays["fixed_points"]
    if (stored["linearised"] < 0).all():
        return None
    return plot(stored["overlap"], stored["epochs"].tolist(), list(results.channels))


def caption(results: Results) -> str:
    """Overlaps with relevant and irrelevant inputs, and how well linear predictions do."""
    overlap = results.analysis_arrays["fixed_points"]["overlap"]
    reports = results.analysis["fixed_points"].values()
    where = tally([w or "no point" for report in reports for w in report["linearised_at"]])
    errors = [error for report in reports for error in report["linear_error"] if error is not None]
    closeness = (
        f" Linear predictions are within {percent(max(errors))} of simulated pulses."
        if errors
        else ""
    )
    ratios = results.analysis.get("selection_ratio")
    if ratios is None:
        channel = int(overlap.mean(axis=(0, 1)).argmax())
        most = f"{results.channels[channel]} overlaps most, {overlap[..., channel].mean():.2f}"
        return f"Selection vector ({where}): {most}.{closeness}"
    by_input = ", ".join(
        f"{name} {span([v for v in ratio if v is not None], '.1f')}"
        for name, ratio in ratios.items()
        if any(ratio)
    )
    return (
        f"Overlap of the selection vector ({where}) with the relevant input, as a multiple of that with the "
        f"irrelevant one: {by_input}.{closeness}"
    )
