"""How much an axis of a sweep matters."""

from __future__ import annotations

import math

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


def table(rows: pd.DataFrame, axes: list[str], measures: list[str]) -> pd.DataFrame:
    """A row per task, axis and measure: means at the lowest and highest value of the axis, and Hedges' g of the two.

    The other axes are averaged over: networks of all their values count alike.
    """
    found = []
    for task, own in rows.groupby("task", sort=False):
        for axis in axes:
            lowest, highest = own[axis].min(), own[axis].max()
            for measure in measures:
                low, high = (
                    own.loc[own[axis] == value, measure].to_numpy(np.float64)
                    for value in (lowest, highest)
                )
                g, below, above = hedges_g(low, high)
                found.append(
                    {
                        "task": task,
                        "axis": axis,
                        "measure": measure,
                        "lowest": lowest,
                        "highest": highest,
                        "mean_lowest": mean_interval(low)[0],
                        "mean_highest": mean_interval(high)[0],
                        "g": g,
                        "g_from": below,
                        "g_to": above,
                    }
                )
    return pd.DataFrame(found)
