"""How much an axis of a sweep matters."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

CONFIDENCE = 0.95


def mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean, and the ends of its 95% interval by Student's t; NaN ends where there are fewer than two values."""
    values = values[np.isfinite(values)]
    if not len(values):
        return math.nan, math.nan, math.nan
    mean = float(values.mean())
    if len(values) < 2:
        return mean, math.nan, math.nan
    reach = stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1) * stats.sem(values)
    return mean, mean - float(reach), mean + float(reach)


def hedges_g(low: np.ndarray, high: np.ndarray) -> tuple[float, float, float]:
    """Standardised difference of means, high minus low, corrected for small samples, and its 95% interval.

    Hedges (1981, J. Educ. Stat. 6, eq. 7), with the large-sample variance of Hedges and Olkin (1985, p. 86). NaN where
    a group has fewer than two values or nothing varies.
    """
    low, high = low[np.isfinite(low)], high[np.isfinite(high)]
    n, m = len(low), len(high)
    if n < 2 or m < 2:
        return math.nan, math.nan, math.nan
    pooled = math.sqrt(((n - 1) * low.var(ddof=1) + (m - 1) * high.var(ddof=1)) / (n + m - 2))
    if pooled == 0:
        return math.nan, math.nan, math.nan
    g = float((high.mean() - low.mean()) / pooled * (1 - 3 / (4 * (n + m) - 9)))
    reach = stats.norm.ppf(0.5 + CONFIDENCE / 2) * math.sqrt(
        (n + m) / (n * m) + g**2 / (2 * (n + m))
    )
    return g, g - float(reach), g + float(reach)


COLUMNS = (
    "task", "axis", "measure", "lowest", "highest", "mean_lowest", "mean_highest", "g", "g_from", "g_to",
)  # fmt: skip


def table(rows: pd.DataFrame, axes: Sequence[str], measures: Sequence[str]) -> pd.DataFrame:
    """A row per task, axis and measure: means at the lowest and highest value of the axis, and Hedges' g of the two.

    Of the other axes the combinations count that have networks at both values; they are averaged over, and networks of
    all count alike. An axis whose values have no order, or of which a task has fewer than two, has no row.
    """
    found = []
    for task, own in rows.groupby("task", sort=False):
        used = [axis for axis in axes if own[axis].nunique() > 1]
        for axis in (axis for axis in used if pd.api.types.is_numeric_dtype(own[axis])):
            lowest, highest = own[axis].min(), own[axis].max()
            others = list(
                own[[one for one in used if one != axis]].itertuples(index=False, name=None)
            )
            sides = [own[axis] == value for value in (lowest, highest)]
            both = set.intersection(
                *({o for o, at in zip(others, side, strict=True) if at} for side in sides)
            )
            shared = np.array([one in both for one in others])
            if not shared.any():
                continue
            for measure in measures:
                low, high = (own.loc[side & shared, measure].to_numpy(np.float64) for side in sides)
                effect = hedges_g(low, high)
                means = mean_interval(low)[0], mean_interval(high)[0]
                found.append((task, axis, measure, lowest, highest, *means, *effect))
    return pd.DataFrame(found, columns=COLUMNS)
