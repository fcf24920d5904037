"""Intervals of means over few networks."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from ctrnn.core.artifacts import rounded


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
    54:280). One network says nothing of others: its interval is -1 to 1.

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
    return np.clip(np.stack([middle - reach, middle + reach], axis=-1), -1.0, 1.0)
