"""Trajectories along the axes of the choice and of the task's variables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from ctrnn.figures import Results, span, style

TITLE = "Targeted axes"
PLACE = 9
LATE = 0.5  # irrelevant evidence that moves the state this share of relevant evidence has entered; less is kept out

MOST = 3  # networks drawn, and variables against the choice


@style.styled
def plot(
    projections: Float[np.ndarray, "network variable condition time"],
    variables: Sequence[str],
    conditions: Sequence[str],
    dt: float = 1.0,
) -> Figure:
    """A row per network (the first three): the axis of each variable against that of the first, the choice.

    Dots mark the start of the trial, triangles its end. A single variable is drawn against time.
    """
    n_networks = min(MOST, len(projections))
    others = list(range(1, min(MOST + 1, len(variables)))) or [-1]
    figure, every = style.panels(n_networks * len(others), 2.1, conditions, len(others))
    for axes, (i, k) in zip(every, product(range(n_networks), others), strict=True):
        x = projections[i, 0] if k >= 0 else None
        style.trajectories(axes, x, projections[i, k], conditions)
        if k < 0:
            style.time_axis(axes, dt)
        else:
            axes.set_xlabel(f"{variables[0]} axis")
        axes.set_ylabel(f"{variables[max(k, 0)]} axis")
        if k == others[0]:
            axes.set_title(f"network {i}", loc="left")
    style.legend_below(figure, every[0], style.columns_for(conditions))
    return figure


def draw(results: Results) -> Figure | None:
    """Axes of choice and variables; None where trials differ in nothing."""
    stored = results.analysis_arrays["targeted"]
    names = stored["variables"].tolist()
    labels = results.analysis_arrays["state_space"]["conditions"].tolist()
    return plot(stored["projections"], names, labels, results.dt) if names else None


def caption(results: Results) -> str:
    """Whether selection is late, or else when each axis is strongest."""
    stored = results.analysis_arrays["targeted"]
    names = stored["variables"].tolist()
    has_choice = any(name.split("=")[0] == "choice" for name in names)
    left_out = "" if has_choice else results.left_out
    late = results.analysis.get("late_selection", {}).values()
    own, choice = (
        [share for shares in late for share in shares.get(axis, ()) if share is not None]
        for axis in ("own_axis", "choice_axis")
    )
    if not own or not choice:
        peaks = ", ".join(f"{name} {span(stored['peak'][:, k])}" for k, name in enumerate(names))
        return f"Axes of the task's variables; each is strongest at, in ms: {peaks}.{left_out}"
    is_late = np.median(own) > LATE > np.median(choice)
    verdict = (
        "it enters and is not integrated: late selection" if is_late else "selection is not late"
    )
    return (
        f"Irrelevant evidence moves the state {span(own, '.2f')} times as far as relevant evidence along its own "
        f"axis, and {span(choice, '.2f')} times as far along the choice: {verdict}.{left_out}"
    )
