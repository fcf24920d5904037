"""Numbers in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def span(values: Iterable[float], form: str = "g") -> str:
    """Lowest to highest, one number where they read the same: "100-125"."""
    values = list(values)
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low}–{high}"


def percent(share: float) -> str:
    """A share as a percentage."""
    return f"{100 * share:.1f}%"


def times(spread: dict[str, Any]) -> str:
    """Mean and standard deviation over networks."""
    sd = spread["sd"]
    return f"{spread['mean']:.2f}" + (f" ± {sd:.2f}" if sd is not None else "")


def headline(summary: list[dict[str, Any]], evaluation: dict[str, Any], criterion: float) -> str:
    """A task's result in a sentence."""
    reached = [run["iterations"] for run in summary if run["converged"]]
    count = f"{len(reached)} of {len(summary)} networks met the criterion"
    when = f" after {span(reached)} iterations" if reached else ""
    accuracy = evaluation["accuracy"]
    sd = f" ± {accuracy['sd']:.4f}" if accuracy["sd"] is not None else ""
    return (
        f"{count} of {criterion:g}{when}; on test trials they answer {accuracy['mean']:.4f}{sd} "
        "of the trials right."
    )
