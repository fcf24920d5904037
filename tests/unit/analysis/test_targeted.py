from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ctrnn.analysis.state_space import principal_components
from ctrnn.analysis.targeted import Targeted, design, project, targeted_axes

AXES = np.linalg.qr(np.random.default_rng(0).standard_normal((30, 3)))[0].T
SIZES = np.array([3.0, 2.0, 1.0])  # of choice, motion, context
ORDER = np.random.default_rng(2).permutation(80)


def trials() -> tuple[pd.DataFrame, np.ndarray]:
    """Every combination of motion, context and choice, five times each; choice is not always the sign of motion."""
    cells = [(m, c, z) for m in (-0.5, -0.1, 0.1, 0.5) for c in ("a", "b") for z in (-1.0, 1.0)]
    rows = pd.DataFrame(5 * [(m, c) for m, c, _ in cells], columns=["motion", "context"])
    rows["trial"] = np.arange(len(rows))
    return rows, np.array(5 * [z for *_, z in cells])


def planted(rows: pd.DataFrame, choice: np.ndarray) -> np.ndarray:
    """Rates [bin, trial, unit] that move along AXES, choice growing and motion falling with time."""
    context = np.where(rows["context"] == "a", 1.0, -1.0)
    variables = np.stack([choice, rows["motion"].to_numpy() / 0.5, context], axis=1)
    time = np.array([[0.1, 1.0, 1.0], [0.5, 0.7, 1.0], [1.0, 0.2, 1.0]])
    noise = np.random.default_rng(1).normal(0, 0.01, (3, len(rows), 30))
    rates: np.ndarray = np.einsum("bk,tk,ku->btu", time * SIZES, variables, AXES) + noise + 0.5
    return rates


def axes_of(rows: pd.DataFrame, choice: np.ndarray, rates: np.ndarray) -> Targeted:
    return targeted_axes(rates, design(rows, choice), principal_components(rates, 12))


def test_planted_axes_are_recovered() -> None:
    rows, choice = trials()
    axes = axes_of(rows, choice, planted(rows, choice))
    assert design(rows, choice).names == ("choice", "motion", "context")
    np.testing.assert_allclose(np.diag(axes.axes @ AXES.T), 1, atol=1e-3)
    np.testing.assert_allclose(axes.axes @ axes.axes.T, np.eye(3), atol=1e-12)
    assert axes.peak[:2].tolist() == [2, 0]
    np.testing.assert_allclose(axes.strength.max(axis=0), SIZES, rtol=0.01)


def test_of_more_variables_than_units_the_later_ones_have_no_axis() -> None:
    rows, choice = trials()
    rates = planted(rows, choice)[..., :2]
    axes = axes_of(rows, choice, rates).axes
    np.testing.assert_allclose(axes[:2] @ axes[:2].T, np.eye(2), atol=1e-12)
    assert not axes[2].any()


def test_projections_are_the_planted_variables() -> None:
    rows, choice = trials()
    rates = planted(rows, choice)
    space = principal_components(rates, 12)
    by_trial = rates.transpose(1, 0, 2)
    moved = project(by_trial, axes_of(rows, choice, rates), space)
    np.testing.assert_allclose(moved[:, 2, 0], 3 * choice, atol=0.1)
    np.testing.assert_allclose(moved[:, 0, 1], 4 * rows["motion"], atol=0.1)


def test_permuting_trials_or_units_changes_no_axis() -> None:
    rows, choice = trials()
    rates = planted(rows, choice)
    axes = axes_of(rows, choice, rates)
    shuffled = axes_of(rows.iloc[ORDER].reset_index(drop=True), choice[ORDER], rates[:, ORDER])
    np.testing.assert_allclose(axes.axes, shuffled.axes, atol=1e-9)
    units = np.random.default_rng(3).permutation(30)
    turned = axes_of(rows, choice, rates[..., units])
    np.testing.assert_allclose(axes.axes[:, units], turned.axes, atol=1e-9)


def test_smaller_rates_have_the_same_axes() -> None:
    rows, choice = trials()
    rates = planted(rows, choice)
    one, other = axes_of(rows, choice, rates), axes_of(rows, choice, 0.01 * rates)
    np.testing.assert_allclose(other.axes, one.axes, atol=1e-9)
    np.testing.assert_allclose(other.strength, 0.01 * one.strength)


def test_a_variable_that_the_choice_tells_already_is_left_out() -> None:
    rows = pd.DataFrame({"stimulus": ["go", "nogo"] * 4, "trial": np.arange(8)})
    assert design(rows, np.array([1.0, 0.0] * 4)).names == ("choice",)


def test_trials_without_a_choice_are_left_out_and_without_any_choice_the_choice_is() -> None:
    rows = pd.DataFrame({"first": [1, 1, -1, -1], "trial": np.arange(4)})
    assert design(rows, np.array([1.0, np.nan, -1.0, 1.0])).trials.tolist() == [
        True,
        False,
        True,
        True,
    ]
    nobody = design(rows, np.full(4, np.nan))
    assert nobody.names == ("first",)
    assert nobody.trials.all()


@pytest.mark.parametrize(("words", "n"), [(["a", "b"], 1), (["a", "b", "c"], 2)])
def test_words_become_as_many_regressors_as_they_need(words: list[str], n: int) -> None:
    rows = pd.DataFrame({"context": words * 4, "trial": np.arange(4 * len(words))})
    assert len(design(rows, np.full(len(rows), np.nan)).names) == n


def test_trials_that_differ_in_nothing_have_no_axes() -> None:
    rows = pd.DataFrame({"trial": np.arange(4)})
    rates = np.random.default_rng(0).random((3, 4, 5))
    axes = axes_of(rows, np.full(4, np.nan), rates)
    assert axes.axes.shape == (0, 5)
    assert axes.strength.shape == (3, 0)
