"""Arrays -> matplotlib figures: one module a figure. Nothing here reads a file, and only `style.save` writes one.

A module defines TITLE, `draw(results) -> Figure | None` (None: there is nothing to show) and `caption(results) -> str`,
a text with the numbers of this run. It is drawn from the analysis of its name, or SOURCE names another file below
artifacts/. Its place on the page is by PLACE, or else after the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from ctrnn.core.config import modules_with


@dataclass(frozen=True)
class Results:
    """Arrays and numbers of a task, whoever has read them.

    analysis_arrays: arrays of each analysis by its name. evaluation, analysis: metrics of reports/evaluate and
    reports/analyze. networks: a dict per network, with seed, iterations, converged and accuracies. history: rows of
    history.csv. test: table of the test trials. inputs, targets, labels: one trial of every condition. samples: arrays
    of outputs.npz. channels, outputs: names. window: steps of the response window. seen: whether trials of a condition
    are seen under each constant input. has_every_curve: generalisation leaves nothing out. left_out: what analyses left
    out of the task, as a sentence that follows another one.
    """

    analysis_arrays: Mapping[str, dict[str, np.ndarray]]
    evaluation: dict[str, Any]
    analysis: dict[str, Any]
    networks: list[dict[str, Any]]
    history: pd.DataFrame
    test: pd.DataFrame
    inputs: Float[np.ndarray, "time condition channel"]
    targets: Float[np.ndarray, "time condition output"]
    labels: list[str]
    samples: dict[str, np.ndarray]
    channels: tuple[str, ...]
    outputs: tuple[str, ...]
    window: slice
    evidence_unit: str
    seen: Bool[np.ndarray, "epoch condition"]
    has_every_curve: bool
    left_out: str
    activation: str
    accuracy_criterion: float


@cache
def figures() -> dict[str, ModuleType]:
    """Every figure by its name, which is that of its module, in the order of the report."""
    modules = modules_with(__name__, "draw")
    return dict(sorted(modules.items(), key=lambda item: getattr(item[1], "PLACE", len(modules))))


def source(name: str, task: str) -> str:
    """The file that a figure of a task is drawn from, below the root of the checkout."""
    path: str = getattr(figures()[name], "SOURCE", f"analyze/{{task}}/{name}.npz")
    return f"artifacts/{path.format(task=task)}"
