"""How a number of a population is reported: mean, spread, interval, and the value of every network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit  # scipy.stats takes 0.3 s to import

DIGITS = 6  # of a reported number: more than that, LAPACK does not give alike on two machines


def spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean and standard deviation (n - 1; null below two values) over networks, and the values themselves."""
    known = [value for value in values if value is not None]
    return {
        "mean": float(np.mean(known)) if known else None,
        "sd": float(np.std(known, ddof=1)) if len(known) > 1 else None,
        "per_network": list(values),
    }


def interval(values: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Half the width of Student's interval of the mean over the first axis; 0 where there is one value only."""
    n = len(values)
    if n < 2:
        return np.zeros(np.shape(values)[1:])
    width: np.ndarray = (
        stdtrit(n - 1, 0.5 + level / 2) * np.std(values, axis=0, ddof=1) / np.sqrt(n)
    )
    return width


def rounded(content: Any, digits: int = DIGITS) -> Any:
    """The same, each float rounded to so many significant digits; one that is not finite becomes None."""
    if isinstance(content, dict):
        return {name: rounded(value, digits) for name, value in content.items()}
    if isinstance(content, list):
        return [rounded(value, digits) for value in content]
    if isinstance(content, float):
        return float(f"{content:.{digits}g}") if np.isfinite(content) else None
    return content
