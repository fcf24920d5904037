"""How much of the memory of the first stimulus is in firing rates, and how much in synapses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import Results, percent, style, times

TITLE = "Memory in rates and synapses"
PLACE = 4
NAMES = {"rates": "rates", "synapses": "synapses", "slow_states": "slow states"}
COLOURS, DASHES = (style.BLUE, style.VERMILION), ("-", "--")
SURE = 0.05  # probability by chance below which a stimulus counts as decoded


@style.styled
def plot(
    sources: Sequence[str],
    middles: Float[np.ndarray, " bin"],
    decoded: Float[np.ndarray, "network source bin"],
    delay: Float[np.ndarray, " 2"],
    chance: float,
    answered: Float[np.ndarray, "network shuffled"] | None = None,
) -> Figure:
    """Share of trials decoded over time; beside it right answers with nothing and each of the sources shuffled.

    Thick lines are means over networks, thin ones single networks. middles: of the bins, ms. The delay is shaded.
    """
    labels = [NAMES[source] for source in sources]
    figure = style.blank(2.3 + style.legend_rows(len(labels) + 1, 3))
    wide = (3, 2) if answered is not None else (1,)
    (axes, *others) = figure.subplots(1, len(wide), width_ratios=wide, squeeze=False)[0]
    axes.axvspan(*delay, color=style.SKY, alpha=0.25, lw=0)
    axes.axhline(chance, color=style.GREY, lw=0.9, ls=":", label="chance")
    for s, (label, colour, dashes) in enumerate(zip(labels, COLOURS, DASHES, strict=False)):
        axes.plot(middles, decoded[:, s].T, color=colour, lw=0.4, alpha=0.6)
        mean = decoded[:, s].mean(axis=0)
        axes.plot(middles, mean, color=colour, ls=dashes, lw=1.4, label=label)
    axes.set(ylim=(-0.03, 1.05), xlabel="time (ms)", ylabel="share of trials decoded")
    for beside in others:
        assert answered is not None
        places = np.arange(answered.shape[1])
        beside.plot(places, answered.T, "o", color=style.GREY, ms=3, alpha=0.6)
        beside.plot(places, answered.mean(axis=0), "_", color="black", ms=16, mew=1.6)
        beside.set_xticks(places, ["nothing", *labels])
        beside.set(xlim=(-0.5, len(places) - 0.5), ylim=(-0.03, 1.05))
        beside.set(xlabel="shuffled at the end of the delay", ylabel="share of right answers")
    style.legend_below(figure, axes, 3)
    return figure


def draw(results: Results) -> Figure | None:
    """Decoding over time; None for a task without a delay between two stimuli."""
    stored = results.analysis_arrays["memory"]
    if not stored:
        return None
    chance, sources = results.analysis["memory_chance"], stored["sources"].tolist()
    return plot(
        sources,
        stored["times"],
        stored["decoded"],
        stored["delay"],
        chance,
        stored.get("answered"),
    )


def caption(results: Results) -> str:
    """What is decoded at the end of the delay, and what the answers need."""
    stored, metrics = results.analysis_arrays["memory"], results.analysis
    ends = stored["times"] + stored["times"][0]
    last = max(0, int((ends <= stored["delay"][1]).sum()) - 1)
    parts = []
    for s, (source, decoded) in enumerate(metrics["memory"].items()):
        sure = sum(p < SURE for p in metrics["memory_p"][source])
        low, high = (float(stored[end][:, s, last].mean()) for end in ("low", "high"))
        parts.append(
            f"from {NAMES[source]} {times(decoded)} (95% interval of a network {low:.2f} to {high:.2f}, above chance "
            f"in {sure} of {len(stored['decoded'])})"
        )
    text = (
        f"Share of trials whose first stimulus is decoded at the end of the delay: {' and '.join(parts)}; chance is "
        f"{percent(metrics['memory_chance'])}."
    )
    if "memory_answers" not in metrics:
        return text
    nothing, *others = (
        f"{times(share)} with {NAMES.get(what, what)} shuffled"
        for what, share in metrics["memory_answers"].items()
    )
    return f"{text} Right answers: {nothing}, {', '.join(others)} before the second stimulus."
