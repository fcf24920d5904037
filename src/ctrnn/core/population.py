"""How a number of a population is reported: mean, spread, and the value of every network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

DIGITS = 6  # of a reported number: more than that, LAPACK does not give alike on two machines


def mean_sd(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean and standard deviation (n - 1; null below two values) over networks, and the values themselves."""
    known = [value for value in values if value is not None]
    return {
        "mean": float(np.mean(known)) if known else None,
        "sd": float(np.std(known, ddof=1)) if len(known) > 1 else None,
        "per_network": list(values),
    }


def rounded(content: Any, digits: int = DIGITS) -> Any:
    """The same, each float rounded to so many significant digits; one that is not finite becomes None."""
    if isinstance(content, dict):
        return {name: rounded(value, digits) for name, value in content.items()}
    if isinstance(content, list):
        return [rounded(value, digits) for value in content]
    if isinstance(content, float):
        return float(f"{content:.{digits}g}") if np.isfinite(content) else None
    return content
