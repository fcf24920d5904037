"""Arrays -> matplotlib figures: one module a figure. Nothing here reads a file, and only `style.save` writes one.

A module defines TITLE, `draw(results) -> Figure | None` (None: there is nothing to show) and `caption(results) -> str`,
a text with the numbers of this run. It is drawn from the analysis of its name, or SOURCE names another file below
artifacts/. Its place on the page is by PLACE, or else after the others.

`span`, `percent`, `times` and `tally` word the numbers of captions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, SupportsFloat

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from ctrnn.core.config import modules_with


@dataclass(frozen=True)
class Results:
    """Arrays and numbers of a task, whoever has read them.

    analysis_arrays: arrays of each analysis by its name. evaluation, analysis: metrics of reports/evaluate and
    reports/analyze. networks: a dict per network, with seed, iterations, converged and accuracies. history: rows of
    history.csv. test: table of the test trials. inputs, targets, labels: one trial of every condition. samples: arrays
    of outputs.npz. channels, outputs: names. windows,
    example_windows: first step of the response window of each test trial, and of the trial of every condition, and the
    first one after it. dt: length of a step, ms. seen:
    whether trials of a condition are seen under each constant input. has_every_curve: generalisation leaves nothing
    out. left_out: what analyses left out of the task, and held the times at which they hold what is drawn for every
    trial, as sentences that follow another one. best_accuracy: that of
    an ideal observer.
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
    windows: Int[np.ndarray, "trial 2"]
    example_windows: Int[np.ndarray, "condition 2"]
    dt: float
    evidence_unit: str
    seen: Bool[np.ndarray, "epoch condition"]
    has_every_curve: bool
    left_out: str
    held: str
    accuracy_criterion: float
    best_accuracy: float


@cache
def figures() -> dict[str, ModuleType]:
    """Every figure by its name, which is that of its module, in the order of the report."""
    modules = modules_with(__name__, "draw")
    return dict(sorted(modules.items(), key=lambda item: getattr(item[1], "PLACE", len(modules))))


def source(name: str, task: str) -> str:
    """The file that a figure of a task is drawn from, below the root of the checkout."""
    path: str = getattr(figures()[name], "SOURCE", f"analyze/{{task}}/{name}.npz")
    return f"artifacts/{path.format(task=task)}"


def span(values: Iterable[SupportsFloat], form: str = "g") -> str:
    """Lowest to highest, one number where they read the same: "100–125"; "none" where there is none."""
    numbers = [float(value) for value in values]
    if not numbers:
        return "none"
    low, high = format(min(numbers), form), format(max(numbers), form)
    return low if low == high else f"{low}–{high}"


def percent(share: float) -> str:
    """A share as a percentage."""
    return f"{100 * share:.1f}%"


def times(spread: dict[str, Any], digits: int = 2) -> str:
    """Mean and standard deviation over networks."""
    sd = spread["sd"]
    return f"{spread['mean']:.{digits}f}" + (f" ± {sd:.{digits}f}" if sd is not None else "")


def tally(names: Iterable[str]) -> str:
    """How often each name comes, the most frequent first: "bistable in 5 of 6, one stable point in 1"."""
    counted = Counter(names).most_common()
    total = sum(count for _, count in counted)
    (first, n), *rest = counted
    return ", ".join(
        [f"{first} in {n} of {total}", *(f"{name} in {count}" for name, count in rest)]
    )
