"""What the fixed points under one input add up to: a line attractor, or a few points along a slow direction."""

from __future__ import annotations

import numpy as np

from ctrnn.analysis.fixed_points import NEUTRAL, FixedPoints

CONTINUUM = 5  # neutral points, at least, that make a line


def verdict(points: FixedPoints) -> str:
    """What the points under one input add up to, in a name.

    A line attractor is a continuum of points that stay apart down to the smallest tolerance, each with one mode that
    neither grows nor decays. Slow points that vanish or collapse onto a few fixed points as the tolerance falls are no
    line, however well they lie on one. Points outside the visited region do not count.
    """
    n_stable, neutral = len(points.stable), points.neutral
    if len(neutral) >= CONTINUUM and 2 * len(neutral) >= points.counted.sum():
        flat = np.median((np.abs(points.rates[neutral]) < NEUTRAL).sum(axis=1))
        return "line attractor" if flat == 1 else f"attractor of {flat:.0f} dimensions"
    few = {0: "no stable point nearby", 1: "one stable point", 2: "bistable"}
    return few.get(n_stable, f"{n_stable} stable points")
