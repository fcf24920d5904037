"""How much each axis of a sweep matters: differences within networks, paired by seed, with intervals that hold.

Networks of one seed have the same random numbers at every point of a sweep: pattern and weights at the start, batches,
noise. So the seed of a network (`network_seed`) is the unit. Each seed gives one number, a weighted sum of its measures
over points, and intervals are those of the mean of these numbers over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import betaincinv, chdtri, stdtrit

LEVEL = 0.95  # of an interval by itself, and of a family of simultaneous ones
SHARES = ("converged",)  # measures of which a network has 0 or 1

Interval = tuple[float, float]
NONE: Interval = (math.nan, math.nan)


def mean_interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float, float]:
    """Mean, and the ends of its interval by Student's t; NaN ends where there are fewer than two values."""
    values = values[np.isfinite(values)]
    if not len(values):
        return math.nan, math.nan, math.nan
    mean = float(values.mean())
    if len(values) < 2:
        return mean, math.nan, math.nan
    standard_error = values.std(ddof=1) / math.sqrt(len(values))
    reach = float(stdtrit(len(values) - 1, 0.5 + level / 2) * standard_error)
    return mean, mean - reach, mean + reach


def share_interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float, float]:
    """Share of ones, and the ends of its exact interval (Clopper & Pearson 1934, Biometrika 26:404).

    values: 0 or 1 of each network, or a share of each, which varies less: then the interval is wider than it need be.
    """
    values = values[np.isfinite(values)]
    n, ones = len(values), float(values.sum())
    if not n:
        return math.nan, math.nan, math.nan
    tail = (1 - level) / 2
    low = float(betaincinv(ones, n - ones + 1, tail)) if ones > 0 else 0.0
    high = float(betaincinv(ones + 1, n - ones, 1 - tail)) if ones < n else 1.0
    return ones / n, low, high


def share_difference(
    differences: Float[np.ndarray, " network"], weights: Float[np.ndarray, " point"], level: float
) -> Interval:
    """Interval of a mean difference of shares, whose ends stay apart where no network differs.

    The adjusted Wald interval of paired shares (Bonett & Price 2012, J. Educ. Behav. Stat. 37:479): two more networks,
    which differ in opposite ways. Here with Student's t, which also holds for few networks, and of differences that
    are weighted sums over several points, of which such a network has the standard deviation of independent points.
    """
    n = len(differences) + 2
    extra = float((weights**2).sum())  # two squares, each half of it
    mean = float(differences.sum()) / n
    variance = (float((differences**2).sum()) + extra) / n - mean**2
    reach = float(stdtrit(n - 1, 0.5 + level / 2)) * math.sqrt(variance / n)
    most = float(np.abs(weights).sum()) / 2
    return max(mean - reach, -most), min(mean + reach, most)


def label(value: Any) -> str:
    """A value of an axis in words."""
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return f"{value:g}" if is_number else str(value)


@dataclass(frozen=True)
class Contrast:
    """A question to a sweep: the axis from its lowest to its highest value, as weights of points.

    kind: `axis`, over the other axes' levels that have networks at both values; `within` one level of another axis; or
    `interaction`, how much the difference changes from the lowest to the highest value of another axis. within: this
    level, or these values. weights: by number of the point; they add up to 0.
    """

    axis: str
    kind: str
    within: str
    lowest: Any
    highest: Any
    weights: Mapping[int, float]


def contrasts(points: pd.DataFrame) -> Iterator[Contrast]:
    """The contrasts of a table of points, a row each and a column per axis. An axis without an order has none."""
    number = {values: i for i, values in enumerate(points.itertuples(index=False, name=None))}
    at = {str(axis): i for i, axis in enumerate(points)}
    ordered = [axis for axis in at if pd.api.types.is_numeric_dtype(points[axis])]
    ends = {axis: (points[axis].min(), points[axis].max()) for axis in ordered}

    def moved(values: tuple[Hashable, ...], axis: str, end: int) -> tuple[Hashable, ...]:
        return (*values[: at[axis]], ends[axis][end], *values[at[axis] + 1 :])

    for axis in ordered:
        # By the values of the lowest point: the numbers of the two points.
        pairs = {
            values: (i, number[moved(values, axis, 1)])
            for values, i in number.items()
            if values[at[axis]] == ends[axis][0] and moved(values, axis, 1) in number
        }
        if not pairs:
            continue
        yield Contrast(axis, "axis", "", *ends[axis], _mean_of(pairs.values()))
        for other in (name for name in at if name != axis):
            levels = sorted(
                {values[at[other]] for values in pairs}, key=lambda v: (str(type(v)), v)
            )
            for level in levels if len(levels) > 1 else ():
                chosen = [pair for values, pair in pairs.items() if values[at[other]] == level]
                within = f"{other} = {label(level)}"
                yield Contrast(axis, "within", within, *ends[axis], _mean_of(chosen))
        for other in ordered[ordered.index(axis) + 1 :]:
            fours = [
                (*pair[::-1], *pairs[moved(values, other, 1)])
                for values, pair in pairs.items()
                if values[at[other]] == ends[other][0] and moved(values, other, 1) in pairs
            ]
            if fours:
                within = f"{other} = {label(ends[other][0])} to {label(ends[other][1])}"
                yield Contrast(axis, "interaction", within, *ends[axis], _mean_of(fours))


def _mean_of(groups: Collection[tuple[int, ...]]) -> dict[int, float]:
    """Weights of the mean over groups of points: in each -1 and 1 by turns."""
    return {
        point: sign / len(groups)
        for group in groups
        for point, sign in zip(group, (-1.0, 1.0) * 2, strict=False)
    }


def standardised(
    values: Float[np.ndarray, "network point"], difference: float, reach: float
) -> tuple[float, float, float]:
    """A mean difference in units of the standard deviation between networks of one point; its 95% interval.

    reach: half of the interval of the difference. NaN where networks do not vary within a point.

    The deviation is pooled over the points compared, and g is corrected for small samples (Hedges 1981, J. Educ. Stat.
    6, eq. 7). The interval adds, as squares, the errors of the mean, by Student's t over seeds, and of the deviation,
    by chi squared (Donner & Zou 2012, Stat. Methods Med. Res. 21:347). The degrees of freedom of the latter are 2 m^2/v
    of its mean and variance, which points of the same seeds share: (n - 1) tr(S)^2 / tr(S^2), S their covariance.
    """
    n, points = values.shape
    centred = values - values.mean(axis=0)
    covariance = centred.T @ centred / (n - 1)
    trace = float(np.trace(covariance))
    if trace == 0:
        return math.nan, math.nan, math.nan
    deviation = math.sqrt(trace / points)
    freedom = (n - 1) * trace**2 / float((covariance**2).sum())
    ratio = difference / deviation
    # What the error of the deviation makes of it, at either end.
    ends = ratio * np.sqrt(chdtri(freedom, [0.5 + LEVEL / 2, 0.5 - LEVEL / 2]) / freedom)
    below, above = sorted(float(end) - ratio for end in ends)
    reach /= deviation
    corrected = ratio * (1 - 3 / (4 * points * (n - 1) - 1))
    return corrected, ratio - math.hypot(reach, below), ratio + math.hypot(reach, above)


COLUMNS = (
    "task", "axis", "kind", "within", "measure", "lowest", "highest", "mean_lowest", "mean_highest", "networks",
    "left_out", "difference", "difference_from", "difference_to", "family", "simultaneous_from", "simultaneous_to", "g",
    "g_from", "g_to",
)  # fmt: skip


def effects(
    rows: pd.DataFrame,
    axes: Sequence[str],
    measures: Sequence[str],
    shares: Collection[str] = SHARES,
) -> pd.DataFrame:
    """A row per task, contrast and measure: the difference, paired by seed, its intervals, and Hedges' g.

    Args:
        rows: A row per network and point; network_seed, task, and columns of axes and measures.
        axes: Columns of axes that decide what a network is.
        measures: Columns to compare.
        shares: Those that are 0 or 1.

    Returns:
        COLUMNS. networks: seeds that have a value at every point compared, of which the row tells; left_out: those of
        the task that lack one. difference_from, difference_to: the 95% interval by itself, NaN where fewer than two
        networks are compared or all have the same difference. simultaneous_*: so that all intervals of a family hold
        together in 95% of sweeps (Bonferroni). family: how many they are; of `axis` rows all of the sweep, of other
        rows those of the task and measure. g has NaN for shares and where nothing varies.

    """
    lines = []
    for task, own in rows.groupby("task", sort=False):
        used = [axis for axis in axes if own[axis].nunique() > 1]
        if not used:
            continue
        points = own[used].drop_duplicates(ignore_index=True)
        point = own.groupby(used, sort=False).ngroup().to_numpy()
        network, seeds = pd.factorize(own["network_seed"])
        values = np.full((len(measures), len(seeds), len(points)), np.nan)
        values[:, network, point] = own[list(measures)].to_numpy(np.float64).T
        for contrast in contrasts(points):
            compared, weights = np.array(list(contrast.weights)), [*contrast.weights.values()]
            for measure, of_measure in zip(measures, values[:, :, compared], strict=True):
                line = _compared(of_measure, np.array(weights), measure in shares)
                if contrast.kind == "interaction":
                    line |= {"mean_lowest": math.nan, "mean_highest": math.nan}
                lines.append({"task": task, "measure": measure, **vars(contrast), **line})
    families: dict[Any, list[dict[str, Any]]] = {}
    for line in lines:
        if not math.isnan(line["difference_from"]):
            of = "axis" if line["kind"] == "axis" else (line["task"], line["measure"])
            families.setdefault(of, []).append(line)
    for family in families.values():
        for line in family:
            line["family"] = len(family)
            level = 1 - (1 - LEVEL) / len(family)
            line["simultaneous_from"], line["simultaneous_to"] = line["interval"](level)
    return pd.DataFrame(lines, columns=COLUMNS)


def _compared(
    values: Float[np.ndarray, "network point"], weights: Float[np.ndarray, " point"], is_share: bool
) -> dict[str, Any]:
    """What one contrast says of one measure."""
    complete = values[np.isfinite(values).all(axis=1)]
    n, differences = len(complete), complete @ weights
    # Equal differences of floats are not quite so.
    varies = n > 1 and np.ptp(differences) > 1e-12 * np.abs(complete).max()

    def interval(level: float) -> Interval:
        if is_share:
            return share_difference(differences, weights, level) if n > 1 else NONE
        return mean_interval(differences, level)[1:] if varies else NONE

    difference = float(differences.mean()) if n else math.nan
    low, high = interval(LEVEL)
    g, g_from, g_to = math.nan, math.nan, math.nan
    if varies and not is_share:
        g, g_from, g_to = standardised(complete, difference, (high - low) / 2)
    return {
        "mean_lowest": float(complete[:, weights < 0].mean()) if n else math.nan,
        "mean_highest": float(complete[:, weights > 0].mean()) if n else math.nan,
        "networks": n,
        "left_out": len(values) - n,
        "difference": difference,
        "difference_from": low,
        "difference_to": high,
        "interval": interval,
        "g": g,
        "g_from": g_from,
        "g_to": g_to,
    }
