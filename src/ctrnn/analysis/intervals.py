"""Intervals of means over few networks, and what overlaps random directions have."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ctrnn.analysis.dynamics import exp
from ctrnn.core.artifacts import rounded
from ctrnn.kernel import log

# In 95 of 100 draws the ratio of the overlaps of a random real direction with two that are orthogonal lies between
# these: it is that of two normal numbers, |Cauchy|, whatever the dimension; tan(.025 pi / 2) and its inverse.
RATIO_BY_CHANCE = (0.0392901, 25.4517)
OPPOSITE = 0.5  # what an answer by chance loses, of two


def student_quantile(n: int, level: float = 0.95) -> float:
    """By how many standard errors the interval of a mean of n values reaches to either side; n is 2 or more."""
    from scipy.special import stdtrit  # here, since params.yaml is checked by way of this module

    # Rounded, since the last bits of the quantile are the C library's.
    return float(rounded(float(stdtrit(n - 1, 0.5 + level / 2)), 9))


def difference_of_shares(
    one: Float[np.ndarray, "network ..."],
    other: Float[np.ndarray, "network ..."],
    n_trials: int,
) -> Float[np.ndarray, "... 2"]:
    """95% interval of the mean difference of two shares that every network has.

    Student's interval of the networks' own differences, in which what they have in common drops out; it ends at -1 and
    at 1, beyond which no difference is. Where networks agree by chance, as all do at a share of 1, their spread is at
    least that of shares of so many trials, with a success and a failure more in each (Agresti & Caffo 2000, Am Stat
    54:280). A lesion that a network either survives or not makes few networks agree by chance too: the interval reaches
    at least as far as with two networks more, of which one gains `OPPOSITE` and one loses it. One network says nothing
    of others: its interval is -1 to 1.

    Args:
        one: Shares of each network.
        other: Shares of the same networks, which are taken away.
        n_trials: Trials that a share is of.
    """
    differences, n = one - other, len(one)
    if n < 2:
        return np.broadcast_to(np.array([-1.0, 1.0]), (*differences.shape[1:], 2)).copy()
    shares = (n_trials * np.stack([one, other]) + 1) / (n_trials + 2)
    sampling = (shares * (1 - shares) / (n_trials + 2)).sum(axis=0).mean(axis=0)
    spread = np.sqrt(np.maximum(differences.var(axis=0, ddof=1), sampling) / n)
    middle, reach = differences.mean(axis=0), student_quantile(n) * spread
    centre = differences.sum(axis=0) / (n + 2)
    variance = (np.square(differences).sum(axis=0) + 2 * OPPOSITE**2) / (n + 2) - np.square(centre)
    wide = student_quantile(n + 2) * np.sqrt(variance / (n + 2))
    low, high = np.minimum(middle - reach, centre - wide), np.maximum(middle + reach, centre + wide)
    return np.clip(np.stack([low, high], axis=-1), -1.0, 1.0)


def geometric_mean(ratios: Float[np.ndarray, " network"]) -> tuple[float, float, float] | None:
    """Geometric mean of positive ratios, and its 95% interval: Student's, of their logarithms; None for fewer than two.

    Logarithms, since a ratio of 1/3 is as far from 1 as one of 3.
    """
    if len(ratios) < 2:
        return None
    logs = log(ratios)
    reach = student_quantile(len(logs)) * logs.std(ddof=1) / np.sqrt(len(logs))
    middle, low, high = exp(logs.mean() + np.array([0.0, -reach, reach])).tolist()
    return middle, low, high


def overlap_by_chance(size: int, is_complex: bool) -> tuple[float, float]:
    """Mean |cosine| of a random direction with a given one in so many dimensions, and the value that 95% are below.

    The square of a real direction's has the beta distribution of (1/2, (size - 1) / 2), that of a complex one's of (1,
    size - 1): a share of the sum of squares of normal numbers.
    """
    if size == 1:
        return 1.0, 1.0
    from scipy.special import (
        betaincinv,
        betaln,
    )  # here, since params.yaml is checked by way of this module

    a, b = (1.0, size - 1.0) if is_complex else (0.5, (size - 1) / 2)
    mean = float(exp(np.array([betaln(a + 0.5, b) - betaln(a, b)]))[0])
    # Rounded, since the last bits are the C library's.
    return float(rounded(mean, 9)), float(rounded(float(np.sqrt(betaincinv(a, b, 0.95))), 9))
