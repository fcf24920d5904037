"""Intervals and effect sizes against values worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ctrnn.sweep import table


def test_the_interval_of_a_mean_is_students() -> None:
    mean, low, high = table.mean_interval(np.array([1.0, 2.0, 3.0]))
    reach = 4.302653 / math.sqrt(3)  # t(0.975, 2) times sd 1 / sqrt(n)
    assert mean == 2.0
    assert (low, high) == pytest.approx((2 - reach, 2 + reach), rel=1e-6)


def test_one_value_has_a_mean_and_no_interval() -> None:
    mean, low, _ = table.mean_interval(np.array([0.5, np.nan]))
    assert mean == 0.5
    assert math.isnan(low)


def test_hedges_g_of_two_groups_one_deviation_apart() -> None:
    low, high = np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    g, below, above = table.hedges_g(low, high)
    assert g == pytest.approx(0.8)  # difference 1, pooled deviation 1, correction 1 - 3 / 15
    reach = 1.959964 * math.sqrt(6 / 9 + 0.64 / 12)
    assert (below, above) == pytest.approx((0.8 - reach, 0.8 + reach), rel=1e-6)
    assert table.hedges_g(high, low)[0] == pytest.approx(-0.8)


def test_where_nothing_varies_there_is_no_effect_size() -> None:
    assert math.isnan(table.hedges_g(np.ones(3), np.full(3, 2.0))[0])
    assert math.isnan(table.hedges_g(np.ones(1), np.arange(3.0))[0])


def test_an_effect_is_from_the_lowest_to_the_highest_value_of_an_axis() -> None:
    rows = pd.DataFrame(
        {
            "task": ["mante"] * 6,
            "p_inh": [0.1, 0.1, 0.2, 0.2, 0.3, 0.3],
            "accuracy": [0.0, 1.0, 9.0, 9.0, 1.0, 2.0],
        }
    )
    (row,) = table.effects(rows, ["p_inh"], ["accuracy"]).to_dict("records")
    assert (row["lowest"], row["highest"]) == (0.1, 0.3)
    assert (row["mean_lowest"], row["mean_highest"]) == (0.5, 1.5)
    assert row["g"] > 0


def effects_of(**columns: list[Any]) -> pd.DataFrame:
    """Effects on accuracy, of the axes among the columns."""
    axes = [name for name in columns if name not in ("task", "accuracy")]
    n = len(columns["accuracy"])
    return table.effects(pd.DataFrame({"task": ["mante"] * n, **columns}), axes, ["accuracy"])


def test_an_axis_of_which_one_value_is_left_has_no_effect() -> None:
    assert effects_of(tau=[10, 10, 10], accuracy=[0.1, 0.2, 0.3]).empty
    per_task = effects_of(
        task=["mante", "mante", "dmts", "dmts"], tau=[10, 20, 10, 10], accuracy=[0.1, 0.2, 0.3, 0.4]
    )
    assert per_task["task"].tolist() == ["mante"]


def test_an_axis_without_order_has_no_effect() -> None:
    assert effects_of(activation=["relu", "sigmoid"], accuracy=[0.1, 0.2]).empty


def test_only_combinations_with_networks_at_both_ends_are_compared() -> None:
    """Of tau 50 there is nothing at p_inh 0.1: its accuracy of 0.9 would look like an effect of p_inh."""
    rows = effects_of(p_inh=[0.1, 0.2, 0.2], tau=[10, 10, 50], accuracy=[0.5, 0.5, 0.9])
    of_p_inh = rows[rows["axis"] == "p_inh"].iloc[0]
    assert (of_p_inh["mean_lowest"], of_p_inh["mean_highest"]) == (0.5, 0.5)
    of_tau = rows[rows["axis"] == "tau"].iloc[0]
    assert (of_tau["mean_lowest"], of_tau["mean_highest"]) == (0.5, 0.9)
    apart = effects_of(p_inh=[0.1, 0.2], tau=[10, 50], accuracy=[0.5, 0.9])
    assert apart.empty  # of which of the two?
