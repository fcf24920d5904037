"""Eigenvalues of the effective connectivity, before and after training."""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex
from matplotlib.figure import Figure

from ctrnn.figures import style

COLUMNS = 3


@style.styled
def spectrum(
    before: Complex[np.ndarray, "network unit"],
    after: Complex[np.ndarray, "network unit"],
    edge: float | None = None,
) -> Figure:
    """A panel per network: eigenvalues of W_eff in the complex plane, hollow before and filled after training.

    edge: the real part beyond which the dynamics linearised at x = 0 grow (1 over the slope of the activation
    there); drawn where given. Both axes have the same scale, and all panels the same limits.
    """
    n_networks = len(before)
    columns = min(COLUMNS, n_networks)
    rows = -(-n_networks // columns)
    every = np.concatenate([before.ravel(), after.ravel()])
    figure = style.blank(0.3 + rows * 2.35 + style.legend_rows(1, 3))
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for network, axes in enumerate(grid.flat):
        if network >= n_networks:
            axes.set_visible(False)
            continue
        axes.axhline(0, color=style.GREY, lw=0.4)
        axes.axvline(0, color=style.GREY, lw=0.4)
        if edge is not None:
            name = f"growth at x = 0 (Re > {edge:g})"
            axes.axvline(edge, color="black", lw=0.9, ls=":", label=name)
        start, end = before[network], after[network]
        axes.plot(start.real, start.imag, "o", ms=3.5, mfc="none", mec=style.GREY, mew=0.7, label="before training")  # fmt: skip
        axes.plot(end.real, end.imag, "o", ms=3, color=style.BLUE, mew=0, label="after training")
        axes.set_aspect("equal", adjustable="box")
        axes.set_title(f"network {network}", loc="left")
        if network % columns == 0:
            axes.set_ylabel("imaginary part")
        if network + columns >= n_networks:
            axes.set_xlabel("real part")
            axes.tick_params(labelbottom=True)
    reach = 1.08 * max(float(np.abs(every).max()), edge or 0, 1e-9)
    grid[0, 0].set(xlim=(-reach, reach), ylim=(-reach, reach))
    style.legend_below(figure, grid[0, 0], 3)
    return figure
