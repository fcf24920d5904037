"""How much of each input the slow mode takes up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import style


@style.styled
def selection(
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
