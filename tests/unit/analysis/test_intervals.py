"""Intervals of means over few networks, in simulations of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from ctrnn.analysis.intervals import (
    RATIO_BY_CHANCE,
    difference_of_shares,
    geometric_mean,
    overlap_by_chance,
    student_quantile,
)

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
    one, other = (
        random.binomial(64, random.beta(a, b, (n, MANY))) / 64 for a, b in (lesioned, intact)
    )
    low, high = difference_of_shares(one, other, n_trials=64).T
    (a, b), (c, d) = lesioned, intact
    truth = a / (a + b) - c / (c + d)
    assert ((low <= truth) & (truth <= high)).mean() >= 0.93
    assert low.min() >= -1 and high.max() <= 1


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("hit", [0.1, 0.3, 0.5])
def test_intervals_hold_a_loss_that_a_network_has_wholly_or_not_at_all(n: int, hit: float) -> None:
    """As of a lesion after which some networks answer by chance; three that agree say little."""
    intact = np.ones((n, MANY))
    lost = 0.5 * (np.random.default_rng(n).random((n, MANY)) < hit)
    low, high = difference_of_shares(intact - lost, intact, n_trials=48).T
    assert ((low <= -0.5 * hit) & (-0.5 * hit <= high)).mean() >= 0.93


def test_what_networks_have_in_common_drops_out_of_their_differences() -> None:
    unlike, alike = np.array([0.5, 0.7, 0.9]), np.full(3, 0.7)
    lost = np.array([0.1, 0.2, 0.6])
    interval = difference_of_shares(unlike - lost, unlike, 10**6)
    np.testing.assert_allclose(interval, difference_of_shares(alike - lost, alike, 10**6))
    reach = t.ppf(0.975, 2) * lost.std(ddof=1) / np.sqrt(3)
    assert interval[0] == pytest.approx(-0.3 - reach)  # Student's, where it is the wider one
    control = unlike
    single, _ = difference_of_shares(control[:1], control[:1], 64)
    assert single == -1


def test_networks_that_agree_by_chance_leave_an_interval() -> None:
    """None of three has an error on 20 trials, and none is known to make none."""
    low, high = difference_of_shares(np.ones(3), np.ones(3), 20)
    assert high == -low > 0.05


def test_the_quantile_is_students_to_nine_digits() -> None:
    assert student_quantile(2) == 12.7062047


@pytest.mark.parametrize(("size", "turns"), [(2, False), (2, True), (200, False), (200, True)])
def test_random_directions_overlap_as_much_as_is_said_of_chance(size: int, turns: bool) -> None:
    random = np.random.default_rng(size)
    drawn = random.standard_normal((MANY, size)) + 1j * turns * random.standard_normal((MANY, size))
    overlaps = np.abs(drawn[:, :2]) / np.linalg.norm(drawn, axis=1)[:, None]
    mean, limit = overlap_by_chance(size, turns)
    assert overlaps.mean() == pytest.approx(mean, rel=0.02)
    assert (overlaps < limit).mean() == pytest.approx(0.95, abs=0.01)
    if not turns:
        low, high = RATIO_BY_CHANCE
        ratios = overlaps[:, 0] / overlaps[:, 1]
        assert ((low < ratios) & (ratios < high)).mean() == pytest.approx(0.95, abs=0.012)


def test_chance_is_056_at_200_dimensions_and_all_at_one() -> None:
    assert overlap_by_chance(200, False)[0] == pytest.approx(0.0564, abs=1e-4)
    assert overlap_by_chance(1, False) == (1.0, 1.0)


def test_the_interval_of_ratios_holds_1_in_95_of_100_draws_of_random_directions() -> None:
    ratios = np.abs(np.random.default_rng(1).standard_cauchy((2000, 5)))
    intervals = np.array([geometric_mean(row) for row in ratios])
    assert ((intervals[:, 1] <= 1) & (intervals[:, 2] >= 1)).mean() >= 0.93
    middle, low, high = geometric_mean(np.array([4.0, 9.0])) or (0.0, 0.0, 0.0)
    assert middle == pytest.approx(6.0) == pytest.approx(np.sqrt(low * high))
    assert geometric_mean(np.array([4.0])) is None
