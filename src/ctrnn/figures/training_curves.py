"""How the networks of a population learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure

from ctrnn.figures import Results, span, style

TITLE = "Training"
SOURCE = "train/{task}/history.csv"
PLACE = 1


@style.styled
def plot(
    iteration: Int[np.ndarray, " row"],
    network: Int[np.ndarray, " row"],
    loss: Float[np.ndarray, " row"],
    accuracy: Float[np.ndarray, " row"],
    gradient_norm: Float[np.ndarray, " row"],
    accuracy_criterion: float,
    failed: Sequence[int] = (),
    coarse: Bool[np.ndarray, " row"] | None = None,
) -> Figure:
    """Loss, accuracy on validation trials and gradient norm against iteration, a line per network.

    A dot on the loss marks where a network went on at its own time step; coarse: rows before. accuracy is nan at
    iterations without a check. Networks in `failed` did not converge: they are drawn dashed and named so. The norm is
    that before clipping.
    """
    networks = np.unique(network)
    labels = [f"network {i}" + (" (not converged)" if i in failed else "") for i in networks]
    columns = style.columns_for(labels)
    figure = style.blank(2.45 + style.legend_rows(len(labels), columns))
    panels = figure.subplots(1, 3)
    for i, label, colour in zip(networks, labels, style.colours(len(networks)), strict=True):
        rows = network == i
        line = {"color": colour, "label": label, "linestyle": "--" if i in failed else "-"}
        for axes, values in zip(panels, (loss, accuracy, gradient_norm), strict=True):
            measured = rows & np.isfinite(values)
            marker = "." if axes is panels[1] else ""
            axes.plot(iteration[measured], values[measured], lw=1, marker=marker, ms=4, **line)
        if coarse is not None and 0 < coarse[rows].sum() < rows.sum():
            first = np.flatnonzero(rows & ~coarse)[0]
            panels[0].plot(iteration[first], loss[first], "o", ms=4, color=colour)
    panels[0].set(ylabel="loss")
    panels[1].axhline(accuracy_criterion, color=style.GREY, lw=0.8, ls=":")
    panels[1].set_title(f"criterion {accuracy_criterion:g} dotted", fontsize=8)
    panels[1].set(ylabel="accuracy, validation trials", ylim=(-0.03, 1.03))
    panels[2].set(ylabel="gradient norm")
    for axes, values in ((panels[0], loss), (panels[2], gradient_norm)):
        if (values > 0).any():  # else a logarithmic axis has no place for them
            axes.set_yscale("log")
            style.plain_decades(axes.yaxis)
    for axes in panels:
        axes.set_xlabel("iteration")
        axes.set_xlim(left=0)
    style.legend_below(figure, panels[0], columns)
    return figure


def draw(results: Results) -> Figure:
    """The curves of every network."""
    history = results.history
    return plot(
        history["iteration"].to_numpy(),
        history["network"].to_numpy(),
        history["loss"].to_numpy(),
        history["accuracy"].to_numpy(np.float64),
        history["gradient_norm"].to_numpy(),
        results.accuracy_criterion,
        [run["network"] for run in results.networks if not run["converged"]],
        (history["dt"] != results.dt).to_numpy(),
    )


def caption(results: Results) -> str:
    """How far the loss fell, and how many synapses vanished."""
    last = results.history.groupby("network").tail(1)
    began = _coarse(results)
    return (
        f"In {span(run['iterations'] for run in results.networks)} iterations the loss on training "
        f"batches fell to {span(last['loss'], '.2g')}; by then "
        f"{span(100 * last['vanished_synapses'], '.1f')}% of the synapses had vanished.{began}"
    )


def _coarse(results: Results) -> str:
    """How long training was at a coarse time step, and which networks ended there; empty where it was at none."""
    history = results.history
    coarse = history[history["dt"] != results.dt]
    if coarse.empty:
        return ""
    went_on = history.loc[history["dt"] == results.dt, "network"].unique()
    iterations = coarse.groupby("network").size()
    on, ended = iterations[iterations.index.isin(went_on)], ~iterations.index.isin(went_on)
    parts = [f" Training began at steps of {span(coarse['dt'], 'g')} ms"]
    if len(on):
        parts.append(f"went on at {results.dt:g} ms (dots) after {span(on)} iterations")
    if ended.any():
        parts.append(f"ended there for {ended.sum()} of {len(results.networks)} networks")
    return f"{', and '.join(parts)}."
