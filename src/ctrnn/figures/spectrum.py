"""Eigenvalues of the effective connectivity, before and after training."""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex
from matplotlib.figure import Figure

from ctrnn.figures import Results, span, style, times

TITLE = "Eigenvalues of the connectivity"
PLACE = 14
COLUMNS = 3


@style.styled
def plot(
    before: Complex[np.ndarray, "network unit"],
    after: Complex[np.ndarray, "network unit"],
    edge: float | None = None,
) -> Figure:
    """A panel per network: eigenvalues of W_eff, hollow before and filled after training.

    edge: the real part beyond which the dynamics linearised at x = 0 grow (1 over the slope of the
    activation there); drawn where given. Both axes have one scale, and all panels the same limits.
    """
    n_networks = len(before)
    columns = min(COLUMNS, n_networks)
    rows = -(-n_networks // columns)
    every = np.concatenate([before.ravel(), after.ravel()])
    left, right = _limits(every.real, [0.0] if edge is None else [0.0, edge])
    low, high = _limits(every.imag, [-0.25 * (right - left), 0.25 * (right - left)])
    panel = (style.WIDTH - 0.8) / COLUMNS * min(1.6, (high - low) / (right - left)) + 0.35
    figure = style.blank(0.25 + rows * panel + style.legend_rows(1, 3))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for network, axes in enumerate(grid.flat):
        if network >= n_networks:
            axes.set_visible(False)
            continue
        axes.axhline(0, color=style.GREY, lw=0.4)
        axes.axvline(0, color=style.GREY, lw=0.4)
        start, end = before[network], after[network]
        hollow = {"mfc": "none", "mec": style.GREY, "mew": 0.7, "label": "before training"}
        axes.plot(start.real, start.imag, "o", ms=3.5, **hollow)
        axes.plot(end.real, end.imag, "o", ms=2.8, color=style.BLUE, mew=0, label="after training")
        if edge is not None:
            label = f"grows at x = 0 (real part above {edge:g})"
            axes.axvline(edge, color="black", lw=0.9, ls=":", label=label)
        axes.set(xlim=(left, right), ylim=(low, high), aspect="equal")
        axes.set_title(f"network {network}", loc="left")
        if network % columns == 0:
            axes.set_ylabel("imaginary part")
        if network + columns >= n_networks:
            axes.set_xlabel("real part")
            axes.tick_params(labelbottom=True)
    style.legend_below(figure, grid[0, 0], 3)
    return figure


def _limits(values: np.ndarray, others: list[float]) -> tuple[float, float]:
    low, high = min(float(values.min()), *others), max(float(values.max()), *others)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin


def draw(results: Results) -> Figure:
    """Eigenvalues of every network, with the edge of growth around x = 0."""
    stored = results.analysis_arrays["spectrum"]
    edge = float(stored["edge"])
    return plot(stored["before"], stored["after"], None if np.isnan(edge) else edge)


def caption(results: Results) -> str:
    """Spectral radii, and how many eigenvalues are beyond the edge."""
    stored = results.analysis_arrays["spectrum"]
    edge, radius = float(stored["edge"]), results.analysis["spectral_radius"]
    radii = (
        f"Training took the spectral radius from {times(radius['before'])} to "
        f"{times(radius['after'])}"
    )
    if np.isnan(edge):
        return f"{radii}."
    beyond = [span((stored[when].real > edge).sum(axis=1)) for when in ("before", "after")]
    return (
        f"{radii}, and the number of eigenvalues right of {edge:g}, where activity "
        f"around x = 0 grows, from {beyond[0]} to {beyond[1]} a network."
    )
