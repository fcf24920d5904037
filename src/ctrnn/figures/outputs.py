"""What trained networks answer on sample trials, against what they should."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from ctrnn.figures import Results, percent, span, style

TITLE = "Outputs"
SOURCE = "evaluate/{task}/outputs.npz"
PLACE = 2

COLUMNS = 3


@style.styled
def plot(
    outputs: Float[np.ndarray, "network time sample output"],
    targets: Float[np.ndarray, "time sample output"],
    labels: Sequence[str],
    windows: Int[np.ndarray, "sample 2"],
    names: Sequence[str],
    dt: float = 1.0,
) -> Figure:
    """A panel per network and output: the output on every sample trial, by condition; targets are dotted.

    labels [sample]: condition of each trial; windows: first step of the response window of each trial,
    and the first after it, shaded from the first of all to the last; names: of the outputs, which
    stand in the titles where there are several; dt: length of a step, ms.
    """
    n_outputs = outputs.shape[-1]
    n_panels = len(outputs) * n_outputs
    conditions = sorted(set(labels))
    look = dict(zip(conditions, style.lines(conditions), strict=True))
    columns = min(COLUMNS, n_panels)
    rows = -(-n_panels // columns)
    entries = [*conditions, "target"]
    n_legend = style.columns_for(entries)
    figure = style.blank(0.2 + 2.1 * rows + style.legend_rows(len(entries), n_legend))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= n_panels:
            axes.set_visible(False)
            continue
        network, output = divmod(place, n_outputs)
        axes.axvspan(windows[:, 0].min(), windows[:, 1].max(), color=style.SKY, alpha=0.2, lw=0)
        for label in conditions:
            samples = [sample for sample, its in enumerate(labels) if its == label]
            drawn = axes.plot(
                outputs[network][:, samples, output], lw=0.9, alpha=0.85, **look[label]
            )
            drawn[0].set_label(label)
        axes.plot(np.unique(targets[..., output], axis=1), color="black", lw=0.9, ls=":")
        axes.plot([], [], color="black", lw=0.9, ls=":", label="target")
        which = "" if n_outputs == 1 else f", {names[output]}"
        axes.set_title(f"network {network}{which}", loc="left")
        if place % columns == 0:
            axes.set_ylabel("output")
        if place + columns >= n_panels:
            style.time_axis(axes, dt)
            axes.tick_params(labelbottom=True)
    style.legend_below(figure, grid[0, 0], n_legend)
    return figure


def draw(results: Results) -> Figure:
    """Outputs of every network on the trials of outputs.npz."""
    outputs, targets = results.samples["outputs"], results.samples["targets"]
    return plot(outputs, targets, _labels(results), _windows(results), results.outputs, results.dt)


def caption(results: Results) -> str:
    """How far outputs are off their targets, and the condition that is answered worst."""
    outputs, targets = results.samples["outputs"], results.samples["targets"]
    shares = results.evaluation["accuracy_by_condition"]
    worst = min(shares, key=lambda label: shares[label])
    verdict = f"Least often right: {worst}, {percent(shares[worst])}."
    if shares[worst] == 1:
        verdict = "Every test trial of every condition is answered right."
    at, windows = np.arange(len(targets))[:, None], _windows(results)
    inside = (windows[:, 0] <= at) & (at < windows[:, 1])
    off = np.abs(outputs - targets)[:, inside].mean(axis=(1, 2))
    return (
        f"Outputs on {len(_labels(results))} test trials, targets dotted. In the response window (shaded) an "
        f"output is {span(off, '.2f')} off its target on average. {verdict}"
    )


def _windows(results: Results) -> Int[np.ndarray, "sample 2"]:
    windows: np.ndarray = results.windows[results.samples["trials"]]
    return windows


def _labels(results: Results) -> list[str]:
    labels: list[str] = results.test["condition"].to_numpy()[results.samples["trials"]].tolist()
    return labels
