"""Intervals of means over few networks, in simulations of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from ctrnn.analysis.intervals import difference_of_shares, student_quantile

MANY = 4000  # simulations


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize(
    ("lesioned", "intact"),
    [((8, 4), (60, 2)), ((4, 4), (4, 4)), ((30, 1), (300, 1))],
    ids=["a strong lesion", "nothing", "near the ceiling"],
)
def test_intervals_hold_the_true_difference_in_95_of_100_and_stay_in_range(
    n: int, lesioned: tuple[float, float], intact: tuple[float, float]
) -> None:
    """Networks have true shares from beta distributions, and measured ones on 64 trials."""
    random = np.random.default_rng(n)
    shares = [random.binomial(64, random.beta(a, b, (n, MANY))) / 64 for a, b in (lesioned, intact)]
    low, high = difference_of_shares(*shares, n_trials=64).T
    (a, b), (c, d) = lesioned, intact
    truth = a / (a + b) - c / (c + d)
    assert ((low <= truth) & (truth <= high)).mean() >= 0.93
    assert low.min() >= -1 and high.max() <= 1


def test_what_networks_have_in_common_drops_out_of_their_differences() -> None:
    control = np.array([0.5, 0.7, 0.9])
    low, high = difference_of_shares(control - [0.1, 0.11, 0.09], control, 10**6)
    expected = 0.1 - t.ppf(0.975, 2) * 0.01 / np.sqrt(3)
    assert (-high, -low) == pytest.approx((expected, 0.2 - expected), rel=1e-3)
    single, _ = difference_of_shares(control[:1], control[:1], 64)
    assert single == -1


def test_networks_that_agree_by_chance_leave_an_interval() -> None:
    """None of three has an error on 20 trials, and none is known to make none."""
    low, high = difference_of_shares(np.ones(3), np.ones(3), 20)
    assert high == -low > 0.05


def test_the_quantile_is_students_to_nine_digits() -> None:
    assert student_quantile(2) == 12.7062047
