from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ctrnn.analysis.roles import (
    RoleSettings,
    Selectivity,
    currents,
    group_weights,
    selectivity,
    silent_and_saturated,
    tracking,
)
from ctrnn.analysis.state_space import principal_components
from ctrnn.analysis.targeted import Design, design, targeted_axes

N_TRIALS = 200


def two_variables() -> Design:
    cells = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]] * (N_TRIALS // 4))
    rows = pd.DataFrame({"first": cells[:, 0], "second": cells[:, 1]})
    return design(rows, np.full(N_TRIALS, np.nan))


def wanted(
    permutations: int, false_discovery_rate: float = 0.05, floor: float = 0.0
) -> RoleSettings:
    return RoleSettings(
        permutations=permutations,
        false_discovery_rate=false_discovery_rate,
        silent_rate=0.05,
        saturated_rate=0.95,
        smallest_d_prime=floor,
    )


def selective_at_one_time(
    rates: np.ndarray, regressors: Design, permutations: int, rate: float = 0.05, floor: float = 0.0
) -> Selectivity:
    """Rates [trial, unit] of trials that have one bin."""
    peak, components = np.zeros(len(regressors.names), int), np.eye(rates.shape[1])
    random = np.random.default_rng(0)
    return selectivity(
        rates[None], regressors, peak, components, wanted(permutations, rate, floor), random
    )


def roles_of(rates: np.ndarray, floor: float = 0.0) -> Selectivity:
    return selective_at_one_time(rates, two_variables(), 2000, floor=floor)


def rates() -> np.ndarray:
    """Unit 0 is selective for `first` with d' = 2, unit 1 for `second` with d' = -1; 18 are for nothing."""
    noise = np.random.default_rng(1).standard_normal((N_TRIALS, 20))
    noise[:, :2] += two_variables().matrix[:, :2] * [1.0, -0.5]
    return noise


def test_selectivity_is_found_where_it_was_put() -> None:
    roles = roles_of(rates())
    np.testing.assert_allclose(np.diag(roles.d_prime), [2, -1], atol=0.35)
    assert roles.selective[0, 0] and roles.selective[1, 1]
    assert not roles.selective[0, 1] and not roles.selective[1, 0]
    assert roles.selective.sum() <= 4
    assert roles.p.min() == pytest.approx(1 / 2001)


def test_without_selectivity_p_is_uniform() -> None:
    roles = roles_of(np.random.default_rng(2).standard_normal((N_TRIALS, 400)))
    np.testing.assert_allclose(
        np.quantile(roles.p, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.08
    )
    assert roles.selective.mean() < 0.02


def test_permuting_units_permutes_their_roles() -> None:
    order = np.random.default_rng(3).permutation(20)
    one, other = roles_of(rates()), roles_of(rates()[:, order])
    np.testing.assert_allclose(one.d_prime[:, order], other.d_prime, atol=1e-12)
    np.testing.assert_array_equal(one.p[:, order], other.p)


def test_a_unit_that_never_varies_is_for_nothing() -> None:
    constant = rates()
    constant[:, 5] = 0.3
    roles = roles_of(constant)
    assert not roles.selective[:, 5].any()
    assert not roles.d_prime[:, 5].any()


def test_silent_and_saturated_units() -> None:
    averages = np.array([[[0.01, 0.5, 0.99]], [[0.04, 0.1, 0.96]]])
    silent, saturated = silent_and_saturated(averages, 0.05, 0.95)
    assert silent.tolist() == [True, False, False]
    assert saturated.tolist() == [False, False, True]


def test_currents_add_up_and_track_each_other() -> None:
    W = np.array([[0, 2.0, -1.0], [1.0, 0, -3.0], [0.5, 0.5, 0]])
    averages = np.random.default_rng(0).random((2, 7, 3))
    averages[..., 2] = averages[..., 0]  # inhibition of unit 1 follows its excitation
    excitation, inhibition = currents(averages, W)
    np.testing.assert_allclose(excitation + inhibition, averages @ W.T)
    assert excitation.min() >= 0 >= inhibition.max()
    followed = tracking(excitation, inhibition)
    assert followed[1] == pytest.approx(1)
    assert followed[2] == 0  # no inhibition


def test_group_weights_are_means_between_groups() -> None:
    sign = np.array([1.0, 1, -1, -1])
    W = np.arange(16.0).reshape(4, 4)
    preference, every = np.array([1.0, -1, 1, -1]), np.ones(4, bool)
    np.testing.assert_array_equal(group_weights(W, sign, preference, every), W)
    only = np.array([True, True, False, False])
    assert group_weights(W, sign, preference, only)[2:].tolist() == [[0] * 4] * 2


def test_currents_track_each_other_by_their_correlation_unless_one_is_constant() -> None:
    random = np.random.default_rng(0)
    excitation, inhibition = random.random((2, 5, 3)), -random.random((2, 5, 3))
    inhibition[..., 2] = -1.0
    expected = [
        np.corrcoef(excitation[..., i].ravel(), -inhibition[..., i].ravel())[0, 1] for i in range(2)
    ]
    np.testing.assert_allclose(tracking(excitation, inhibition), [*expected, 0])
    small = np.array([[[1e-5]], [[-1e-5]]])  # squares of 2e-10 are rounding
    assert tracking(small, -small).tolist() == [0]
    assert tracking(100 * small, -100 * small) == pytest.approx(1)


def test_as_many_regressors_as_trials_leave_nothing_to_tell_from_noise() -> None:
    one = design(pd.DataFrame({"a": [1.0, -1.0]}), np.full(2, np.nan))
    found = selective_at_one_time(np.ones((2, 1)), one, 10)
    assert found.d_prime.tolist() == [[0]]
    three = design(pd.DataFrame({"a": [1.0, -1.0, 0.0]}), np.full(3, np.nan))
    rates = np.array([2.0, 0.0, 4.0]).reshape(3, 1)  # 2 + a, and a residue of (-1, -1, 2)
    found = selective_at_one_time(rates, three, 10)
    assert found.d_prime[0, 0] == pytest.approx(2 / np.sqrt(6))
    bound = selective_at_one_time(rates, three, 10, float(found.p[0, 0]))
    assert bound.selective.tolist() == [[True]]


def test_what_other_regressors_explain_does_not_hide_a_regressor() -> None:
    """It is taken away before trials are permuted."""
    strong = rates()
    strong[:, 0] += 100 * two_variables().matrix[:, 1]  # unit 0 follows `first` with d' = 2
    found = roles_of(strong)
    assert found.p[0, 0] == pytest.approx(1 / 2001)
    assert found.selective[0, 0] and found.selective[1, 0]


def test_a_significant_effect_below_the_floor_is_not_selective() -> None:
    roles = roles_of(rates(), floor=1.5)
    assert roles.significant[0, 0] and roles.significant[1, 1]  # d' of 2 and of -1
    assert roles.selective[0, 0] and not roles.selective[1, 1]
    assert (roles.selective <= (np.abs(roles.d_prime) >= 1.5)).all()


def test_without_selectivity_a_bin_chosen_on_the_same_trials_makes_no_unit_selective() -> None:
    """Of 80 simulations of 30 units in 12 bins: 5% of units are below .05, and 5% of families have a selective one.

    A test that takes the bin where coefficients are longest for given has 19% of units below .05, and 16% of families.
    """
    random, cells = np.random.default_rng(5), two_variables()
    n, units, bins, settings = 64, 30, 12, wanted(499)
    regressors = Design(cells.names, cells.matrix[:n, :-1], np.ones(n, bool))
    below: list[float] = []
    families: list[bool] = []
    for _ in range(80):
        common = random.standard_normal((bins, n, 3)) @ random.standard_normal((3, units))
        rates = common + random.standard_normal((bins, n, units))
        space = principal_components(rates.transpose(1, 0, 2), 6)
        peak = targeted_axes(rates, regressors, space).peak
        roles = selectivity(rates, regressors, peak, space.axes, settings, random)
        below.append(float((roles.p < 0.05).mean()))
        families += [bool(family.any()) for family in roles.selective]
    assert np.mean(below) == pytest.approx(0.05, abs=0.02)
    assert np.mean(families) < 0.085  # of 160


def test_without_noise_units_are_told_by_the_size_of_their_effect() -> None:
    rows = pd.DataFrame({"a": [1.0, -1.0] * 8})
    rates = np.outer(rows["a"], [0.2, -0.1, 0.0]).astype(np.float64)[None]
    made = selectivity(
        rates,
        design(rows, np.full(16, np.nan)),
        np.array([0]),
        np.eye(3),
        wanted(99),
        np.random.default_rng(0),
    )
    first, second, third = made.d_prime[0]
    assert first > -second > 1 and third == 0


def test_an_effect_is_that_between_the_ends_of_a_regressor() -> None:
    """A choice of 0 or 1 moves a rate as far as one of -1 or 1."""
    random = np.random.default_rng(0)
    choice = np.tile([0.0, 1.0], 2000)
    rates = (choice + random.standard_normal(4000))[None, :, None]
    rows = pd.DataFrame({"condition": ["x"] * 4000})
    for coded in (choice, 2 * choice - 1):
        made = selectivity(rates, design(rows, coded), np.array([0]), np.eye(1), wanted(9), random)
        assert made.d_prime[0, 0] == pytest.approx(1, abs=0.1)
