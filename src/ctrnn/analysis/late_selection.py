"""Whether irrelevant evidence is kept out of a network or only out of its choice.

In Mante et al. (2013, Nature 503:78) irrelevant evidence moves the state as relevant evidence does, and is not
integrated: the selection is late.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ctrnn.analysis.recording import Recording
from ctrnn.tasks import ConstantInput


def late_selection(
    recordings: Sequence[Recording],
    names: Sequence[str],
    projections: np.ndarray,
    epochs: Sequence[ConstantInput],
) -> dict[str, Any]:
    """How far evidence moves the state when it is irrelevant, as a share of how far when relevant.

    `own_axis`: along the axis of that evidence, near 1 where selection is late; `choice_axis`: along the choice, near
    0 where irrelevant evidence is not integrated. Lists over networks, by the variable.
    """
    report: dict[str, Any] = {}
    for epoch in epochs:
        variable = epoch.relevant
        ignored = next((e for e in epochs if variable and e.irrelevant == variable), None)
        if variable is None or ignored is None or variable not in names:
            continue
        for axis, name in (("own_axis", variable), ("choice_axis", "choice")):
            if name in names:
                along = projections[:, names.index(name)]
                far = [
                    [separation(one, path, e, variable) for e in (epoch, ignored)]
                    for one, path in zip(recordings, along, strict=True)
                ]
                report.setdefault(variable, {})[axis] = [i / r if r else None for r, i in far]
    return report


def separation(
    recording: Recording, path: np.ndarray, epoch: ConstantInput, variable: str
) -> float:
    """Largest distance over time between conditions of positive and of negative `variable`, path [condition, time]."""
    conditions = recording.rows.groupby("condition").first()
    some, value = epoch.picks(conditions), conditions[variable].to_numpy()
    apart = path[some & (value > 0)].mean(axis=0) - path[some & (value < 0)].mean(axis=0)
    return float(np.abs(apart).max())
