"""Numbers in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, SupportsFloat


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
