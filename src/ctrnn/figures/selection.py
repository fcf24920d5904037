"""How much of each input the slow mode takes up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ctrnn.figures import Results, percent, span, style, tally

TITLE = "Selection vector"
SOURCE = "analyze/{task}/fixed_points.npz"
PLACE = 8


@style.styled
def plot(
    stored: Mapping[str, np.ndarray],
    channels: Sequence[str],
) -> Figure:
    """|cosine| of the selection vector with each input channel, a panel per constant input, a dot per network.

    Lines are what a random direction has: grey its mean, dashed what 95% are below.

    stored: arrays of fixed_points.npz. Networks without a point that is linearised are left out.
    """
    epochs = stored["epochs"].tolist()
    figure, every = style.panels(len(epochs), 2.1, sharey=True)
    places = np.arange(len(channels))
    for e, axes in enumerate(every):
        has = stored["linearised"][:, e] >= 0
        axes.set_xticks(places, [name.replace("_", "\n") for name in channels])
        axes.set_title(epochs[e].replace("_", " "), loc="left")
        if not has.any():
            continue
        overlap, (mean, limit) = (
            stored["overlap"][has, e],
            stored["overlap_chance"][has, e].mean(axis=0),
        )
        spread = np.linspace(-0.18, 0.18, len(overlap)) if len(overlap) > 1 else np.zeros(1)
        axes.bar(places, overlap.mean(axis=0), width=0.6, color=style.SKY, alpha=0.5)
        axes.axhline(mean, color=style.GREY, lw=0.8)
        axes.axhline(limit, color=style.GREY, lw=0.8, ls="--")
        for offset, row in zip(spread, overlap, strict=True):
            axes.plot(places + offset, row, "o", ms=3.5, color="black")
    every[0].set_ylabel("overlap, |cosine|")
    return figure


def draw(results: Results) -> Figure | None:
    """What the slow mode takes up; None where no network has a point to linearise at."""
    stored = results.analysis_arrays["fixed_points"]
    if (stored["linearised"] < 0).all():
        return None
    return plot(stored, list(results.channels))


def caption(results: Results) -> str:
    """Overlaps with relevant and irrelevant inputs, and how well linear predictions do."""
    stored = results.analysis_arrays["fixed_points"]
    has = stored["linearised"] >= 0
    overlap, (mean, limit) = stored["overlap"][has], stored["overlap_chance"][has].mean(axis=0)
    chance = f" A random direction overlaps by {mean:.3f}, and 95% of them by less than {limit:.3f} (dashed)."
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
        channel = int(overlap.mean(axis=0).argmax())
        most = f"{results.channels[channel]} overlaps most, {overlap[..., channel].mean():.2f}"
        return f"Selection vector ({where}): {most}.{chance}{closeness}"
    means = results.analysis["selection_ratio_mean"]
    by_input = ", ".join(
        f"{name} {_mean(means[name])}{span([v for v in ratio if v is not None], '.1f')}"
        for name, ratio in ratios.items()
        if any(ratio)
    )
    low, high = (next(iter(means.values()))[end] for end in ("low_by_chance", "high_by_chance"))
    return (
        f"Overlap of the selection vector ({where}) with the relevant input, as a multiple of that with the "
        f"irrelevant one: {by_input}. Of a random real direction, 95% of such ratios are {low:.2f}–{high:.0f}.{chance}"
        f"{closeness}"
    )


def _mean(ratio: Mapping[str, float | None]) -> str:
    """Geometric mean with its interval, before the range; empty for fewer than two networks."""
    if ratio["mean"] is None:
        return ""
    return f"{ratio['mean']:.1f} (geometric mean; 95% interval over networks {ratio['low']:.1f}–{ratio['high']:.1f}), "
