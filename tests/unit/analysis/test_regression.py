"""Designs and coefficients of trials that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ctrnn.analysis.roles import silent_and_saturated
from ctrnn.analysis.targeted import coefficients, design
from tests.unit.analysis.test_roles import selective_at_one_time


def test_regressors_are_scaled_to_a_largest_size_of_one() -> None:
    rows = pd.DataFrame({"motion": [0.5, -0.25, 0.5, -0.25], "trial": range(4)})
    regressors = design(rows, np.array([2.0, -2.0, -2.0, 2.0]))
    assert regressors.names == ("choice", "motion")
    assert regressors.matrix[:, :-1].tolist() == [[1, 1], [-1, -0.5], [-1, 1], [1, -0.5]]
    assert regressors.matrix[:, -1].tolist() == [1] * 4


def test_what_never_varies_or_follows_from_others_is_left_out() -> None:
    first, second = [1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]
    both = np.add(first, second)
    rows = pd.DataFrame({"constant": 3.0, "zero": 0.0, "a": first, "b": second, "sum": both})
    assert design(rows, np.full(4, np.nan)).names == ("a", "b")


def test_columns_of_the_trial_table_that_tell_no_condition_are_no_regressors() -> None:
    rows = pd.DataFrame({name: [1.0, -1.0] for name in ("trial", "noise_seed", "motion")})
    rows["split"], rows["condition"] = ["a", "b"], ["c", "d"]
    assert design(rows, np.full(2, np.nan)).names == ("motion",)


def test_words_are_signs_or_one_regressor_for_each_but_the_first() -> None:
    two = design(pd.DataFrame({"context": ["b", "a", "a", "b"]}), np.full(4, np.nan))
    assert two.names == ("context",)
    assert two.matrix[:, 0].tolist() == [-1, 1, 1, -1]
    three = design(pd.DataFrame({"context": ["c", "b", "a"] * 2}), np.full(6, np.nan))
    assert three.names == ("context=b", "context=c")
    assert three.matrix[:, :-1].tolist() == [[0, 1], [1, 0], [0, 0]] * 2


def test_trials_without_any_variable_have_an_empty_design() -> None:
    regressors = design(pd.DataFrame({"trial": [0, 1]}), np.full(2, np.nan))
    assert regressors.names == ()
    assert regressors.matrix[:, :-1].shape == (2, 0)


def test_coefficients_are_those_that_made_the_rates() -> None:
    regressors = design(
        pd.DataFrame({"a": [1.0, 1, -1, -1], "b": [1.0, -1, 1, -1]}), np.full(4, np.nan)
    )
    made = np.array([[[2.0, 0.0], [0.0, -3.0]], [[1.0, 1.0], [0.5, 0.0]]])  # [bin, regressor, unit]
    rates = regressors.matrix[:, :-1] @ made + 7
    np.testing.assert_allclose(coefficients(regressors, rates), made, atol=1e-12)


def test_d_prime_is_a_difference_in_standard_deviations() -> None:
    regressors = design(pd.DataFrame({"a": [1.0, 1, -1, -1]}), np.full(4, np.nan))
    residue = np.array([1.0, -1, 1, -1])  # variance 4 / (4 - 2)
    rates = (3 + 2 * regressors.matrix[:, 0] + residue)[:, None]
    roles = selective_at_one_time(rates, regressors, permutations=999)
    assert roles.d_prime[0, 0] == pytest.approx(2 * 2 / np.sqrt(2))
    # Of six ways to part the trials in two pairs, those of the two ends are as far apart.
    assert roles.p[0, 0] == pytest.approx(1 / 3, abs=0.05)
    assert not roles.selective[0, 0]


def test_silence_and_saturation_include_their_bounds() -> None:
    averages = np.array([[[0.25, 0.75, 0.26, 0.74]]])
    silent, saturated = silent_and_saturated(averages, 0.25, 0.75)
    assert silent.tolist() == [True, False, False, False]
    assert saturated.tolist() == [False, True, False, False]
