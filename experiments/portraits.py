"""Words and numbers about the fixed points of a population, from what `experiments.mechanism` keeps of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np


def both(report: dict[str, Any], key: str) -> list[Any]:
    """The values of both contexts, network after network."""
    return [value for epoch in report["fixed_points"].values() for value in epoch[key]]


def saddle_values(report: dict[str, Any], key: str) -> list[float]:
    """Values at the saddles."""
    pairs = zip(both(report, key), both(report, "linearised_at"), strict=True)
    return [value for value, at in pairs if at == "saddle"]


def span(values: list[float], form: str = ".2f") -> str:
    """Lowest, median and highest."""
    if not values:
        return "–"
    low, middle, high = (format(v, form) for v in (min(values), np.median(values), max(values)))
    return f"{middle} ({low} to {high})"


def selection_at_saddles(report: dict[str, Any]) -> list[float]:
    """The selection ratio of every context whose dynamics were linearised at a saddle."""
    ratios = [ratio for context in report["selection_ratio"].values() for ratio in context]
    pairs = zip(ratios, both(report, "linearised_at"), strict=True)
    return [ratio for ratio, at in pairs if at == "saddle"]


def verdicts(report: dict[str, Any]) -> str:
    """How many portraits have each verdict."""
    counts = Counter(both(report, "verdict")).most_common()
    return ", ".join(f"{n} {verdict}" for verdict, n in counts)
