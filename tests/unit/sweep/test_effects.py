"""Effects of a sweep's axes against values worked out by hand, other tools, and simulated sweeps.

Simulated sweeps are columns of one table: each is a measure of its own, drawn anew for the same networks and points.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtrit

from ctrnn.sweep import effects, page

P_INHS, TAUS = (0.1, 0.4), (10, 50)
POINTS = list(itertools.product(P_INHS, TAUS))


def test_the_interval_of_a_mean_is_students() -> None:
    mean, low, high = effects.mean_interval(np.array([1.0, 2.0, 3.0]))
    reach = 4.302653 / math.sqrt(3)  # t(0.975, 2) times sd 1 / sqrt(n)
    assert mean == 2.0
    assert (low, high) == pytest.approx((2 - reach, 2 + reach), rel=1e-6)


def test_one_value_has_a_mean_and_no_interval() -> None:
    mean, low, _ = effects.mean_interval(np.array([0.5, np.nan]))
    assert mean == 0.5
    assert math.isnan(low)


@pytest.mark.parametrize("ones", range(8))
def test_the_interval_of_a_share_is_scipys_exact_one(ones: int) -> None:
    from scipy.stats import binomtest

    share, *ends = effects.share_interval(np.arange(7) < ones)
    exact = binomtest(ones, 7).proportion_ci(0.95, method="exact")
    assert share == pytest.approx(ones / 7)
    assert ends == pytest.approx([exact.low, exact.high])


def test_the_interval_of_a_difference_of_shares_is_bonett_and_prices() -> None:
    """Of 48 pairs, 26 differ in one direction and 4 in the other: the example of R's statpsych::ci.prop.ps."""
    differences = np.repeat([1.0, -1.0, 0.0], [26, 4, 18])
    low, high = effects.share_difference(differences, np.array([-1.0, 1.0]), 0.95)
    assert (low + high) / 2 == pytest.approx(0.44)
    assert (high - low) / 2 / stdtrit(49, 0.975) == pytest.approx(0.09448809)


def effects_of(**columns: list[Any]) -> pd.DataFrame:
    """Effects on accuracy, of the axes among the columns. By itself every row of a point is a network of its own."""
    axes = [name for name in columns if name not in ("task", "accuracy", "network_seed")]
    rows = pd.DataFrame({"task": "mante", **columns})
    if "network_seed" not in columns:
        rows["network_seed"] = rows.groupby(["task", *axes]).cumcount()
    return effects.effects(rows, axes, ["accuracy"])


def test_g_of_two_points_one_deviation_apart() -> None:
    (row,) = effects_of(p_inh=[0.1] * 3 + [0.2] * 3, accuracy=[0.0, 1.0, 2.0, 3.0, 1.0, 2.0]).to_dict(
        "records"
    )  # fmt: skip
    assert (row["lowest"], row["highest"]) == (0.1, 0.2)
    assert (row["mean_lowest"], row["mean_highest"], row["difference"]) == (1.0, 2.0, 1.0)
    # Differences 3, 0, 0: mean 1, sd sqrt(3).
    assert (row["difference_from"], row["difference_to"]) == pytest.approx(
        (1 - 4.302653, 1 + 4.302653), rel=1e-6
    )
    assert row["g"] == pytest.approx(0.8)  # deviation 1, correction 1 - 3 / 15
    assert row["g_from"] < row["difference_from"] < row["difference_to"] < row["g_to"]


def test_networks_are_paired_by_their_seed_whatever_the_order_of_the_rows() -> None:
    (row,) = effects_of(
        network_seed=[1, 2, 3, 3, 2, 1],
        p_inh=[0.1] * 3 + [0.2] * 3,
        accuracy=[0.0, 5.0, 9.0, 9.9, 6.0, 1.1],
    ).to_dict("records")
    assert row["difference"] == pytest.approx(1.0)
    assert row["difference_to"] == pytest.approx(1 + 4.302653 * 0.1 / math.sqrt(3))


def two_axes(accuracy: Any) -> dict[str, Any]:
    """Columns of four networks at each of POINTS; accuracy: called with p_inh, tau and the network's number."""
    rows = [(p_inh, tau, i) for p_inh, tau in POINTS for i in range(4)]
    return {
        "network_seed": [i for *_, i in rows],
        "p_inh": [p_inh for p_inh, *_ in rows],
        "tau": [tau for _, tau, _ in rows],
        "accuracy": [accuracy(*row) for row in rows],
    }


def noise(p_inh: float, tau: int, i: int) -> float:
    """Of sd about 1, other at every point."""
    return math.sin(97 * p_inh + 31 * tau + 57 * i) * math.sqrt(2)


@pytest.mark.parametrize("shift", [0, 100])
def test_what_another_axis_changes_makes_g_no_smaller(shift: float) -> None:
    rows = effects_of(**two_axes(lambda p, tau, i: noise(p, tau, i) - 10 * p + shift * (tau > 10)))
    within = rows[(rows["axis"] == "p_inh") & (rows["kind"] == "axis")]["g"].item()
    unshifted = effects_of(**two_axes(lambda p, tau, i: noise(p, tau, i) - 10 * p))["g"].iloc[0]
    assert within == pytest.approx(unshifted)
    assert within < -2


def test_effects_within_levels_and_their_interaction() -> None:
    """Of p_inh, 1 at tau 10 and 4 at tau 50."""
    rows = effects_of(
        **two_axes(lambda p, tau, i: noise(p, tau, i) / 1e6 + (p > 0.1) * {10: 1, 50: 4}[tau])
    )
    named = rows.set_index(["axis", "kind", "within"])["difference"]
    got = {key: round(float(difference), 4) for key, difference in named.items()}
    assert got == {
        ("p_inh", "axis", ""): 2.5,
        ("p_inh", "within", "tau = 10"): 1.0,
        ("p_inh", "within", "tau = 50"): 4.0,
        ("p_inh", "interaction", "tau = 10 to 50"): 3.0,
        ("tau", "axis", ""): 1.5,
        ("tau", "within", "p_inh = 0.1"): 0.0,
        ("tau", "within", "p_inh = 0.4"): 3.0,
    }


def test_a_group_against_itself_has_neither_g_nor_interval() -> None:
    (row,) = effects_of(max_iterations=[1] * 3 + [2] * 3, accuracy=[0.1, 0.2, 0.3] * 2).to_dict(
        "records"
    )
    assert row["difference"] == 0
    assert all(math.isnan(row[name]) for name in ("g", "g_from", "difference_from", "family"))


def test_one_network_has_a_difference_and_no_interval() -> None:
    (row,) = effects_of(tau=[10, 20], accuracy=[0.5, 0.75]).to_dict("records")
    assert (row["difference"], row["networks"]) == (0.25, 1)
    assert math.isnan(row["difference_from"])


def test_an_axis_of_which_one_value_is_left_has_no_effect() -> None:
    assert effects_of(tau=[10, 10, 10], accuracy=[0.1, 0.2, 0.3]).empty
    per_task = effects_of(
        task=["mante", "mante", "dmts", "dmts"], tau=[10, 20, 10, 10], accuracy=[0.1, 0.2, 0.3, 0.4]
    )
    assert per_task["task"].tolist() == ["mante"]


def test_an_axis_without_order_has_no_effect_and_has_levels() -> None:
    assert effects_of(activation=["relu", "sigmoid"], accuracy=[0.1, 0.2]).empty
    rows = effects_of(
        activation=["relu", "relu", "sigmoid", "sigmoid"], tau=[10, 20] * 2, accuracy=[0, 1, 0, 2]
    )
    assert rows[["axis", "kind", "within"]].to_numpy().tolist() == [
        ["tau", "axis", ""],
        ["tau", "within", "activation = relu"],
        ["tau", "within", "activation = sigmoid"],
    ]


def test_only_combinations_with_networks_at_both_ends_are_compared() -> None:
    """Of tau 50 there is nothing at p_inh 0.1: its accuracy of 0.9 would look like an effect of p_inh."""
    rows = effects_of(p_inh=[0.1, 0.2, 0.2], tau=[10, 10, 50], accuracy=[0.5, 0.5, 0.9])
    of_p_inh = rows[rows["axis"] == "p_inh"].iloc[0]
    assert (of_p_inh["mean_lowest"], of_p_inh["mean_highest"]) == (0.5, 0.5)
    of_tau = rows[rows["axis"] == "tau"].iloc[0]
    assert (of_tau["mean_lowest"], of_tau["mean_highest"]) == (0.5, 0.9)
    apart = effects_of(p_inh=[0.1, 0.2], tau=[10, 50], accuracy=[0.5, 0.9])
    assert apart.empty  # of which of the two?


def test_networks_without_a_value_at_one_end_are_counted_as_left_out() -> None:
    (row,) = effects_of(tau=[10] * 3 + [20] * 3, accuracy=[1, 2, 9, 2, 4, math.nan]).to_dict(
        "records"
    )
    assert (row["networks"], row["left_out"]) == (2, 1)
    assert (row["mean_lowest"], row["difference"]) == (1.5, 1.5)


def simulated(
    n: int, sweeps: int, mean: Callable[[float, int], float], slope: float, own: float, seed: int
) -> pd.DataFrame:
    """A column per sweep of n networks at POINTS. mean: of a point.

    Standard deviations: own of a network's level, slope of its effect of p_inh, whatever tau is, and 1 of noise at
    each point.
    """
    random = np.random.default_rng(seed)
    level = own * random.standard_normal((sweeps, n, 1))
    effect = slope * random.standard_normal((sweeps, n, 1)) * [p > min(P_INHS) for p, _ in POINTS]
    values = [mean(*point) for point in POINTS] + level + effect
    values = values + random.standard_normal(values.shape)
    rows = pd.DataFrame(
        {"task": "mante", "network_seed": i, "p_inh": p_inh, "tau": tau}
        for i in range(n)
        for p_inh, tau in POINTS
    )
    columns = values.reshape(sweeps, -1).T
    return pd.concat([rows, pd.DataFrame(columns).add_prefix("sweep ")], axis=1)


def no_effect(p_inh: float, tau: int) -> float:
    return 0.0


def interaction(p_inh: float, tau: int) -> float:
    """p_inh lowers by 1 at tau 10 and by 4 at tau 50."""
    return -(p_inh > 0.1) * {10: 1.0, 50: 4.0}[tau]


def truth(mean: Callable[[float, int], float], row: Any) -> float:
    """The difference that a row of effects estimates."""
    (p, p_high), (tau, tau_high) = P_INHS, TAUS
    at: dict[str, float]
    if row.axis == "p_inh":
        at = {f"tau = {x}": mean(p_high, x) - mean(p, x) for x in TAUS}
    else:
        at = {f"p_inh = {x}": mean(x, tau_high) - mean(x, tau) for x in P_INHS}
    first, second = at.values()
    means = {"axis": (first + second) / 2, "interaction": second - first}
    return means[row.kind] if row.kind in means else at[row.within]


@pytest.fixture(
    scope="module",
    params=[(6, no_effect, 0.0, 1.0), (6, no_effect, 3.0, 0.0), (5, interaction, 0.7, 2.0)],
    ids=["no effect", "an effect of the seed", "an interaction"],
)
def sweeps(request: pytest.FixtureRequest) -> tuple[Any, float, pd.DataFrame]:
    """The mean of a point, the standard deviation within one, and effects of 1000 simulated sweeps."""
    n, mean, slope, own = request.param
    rows = simulated(n, 1000, mean, slope, own, seed=1)
    named = [str(name) for name in rows if str(name).startswith("sweep")]
    deviation = math.sqrt(1 + own**2 + slope**2 / 2)  # at half of the points p_inh is high
    return mean, deviation, effects.effects(rows, ["p_inh", "tau"], named)


KINDS = ["axis", "kind", "within"]


def test_intervals_hold_the_true_difference_in_93_to_97_of_100_sweeps(sweeps: Any) -> None:
    mean, _, rows = sweeps
    true = np.array([truth(mean, row) for row in rows.itertuples()])
    covered = (rows["difference_from"] <= true) & (true <= rows["difference_to"])
    coverage = covered.groupby([rows[name] for name in KINDS]).mean()
    assert len(coverage) == 7
    assert coverage.between(0.93, 0.97).all(), coverage


def test_intervals_of_g_hold_the_true_g_in_93_of_100_sweeps_or_more(sweeps: Any) -> None:
    mean, deviation, rows = sweeps
    own = rows[rows["kind"] == "axis"]
    true = np.array([truth(mean, row) for row in own.itertuples()]) / deviation
    covered = (own["g_from"] <= true) & (true <= own["g_to"])
    coverage = covered.groupby(own["axis"]).mean()
    assert coverage.between(0.93, 1).all(), coverage


def test_simultaneous_intervals_hold_together_in_95_of_100_sweeps(sweeps: Any) -> None:
    mean, _, rows = sweeps
    fine = rows[rows["kind"] != "axis"]
    true = np.array([truth(mean, row) for row in fine.itertuples()])
    covered = (fine["simultaneous_from"] <= true) & (true <= fine["simultaneous_to"])
    assert covered.groupby(fine["measure"]).all().mean() > 0.94
    assert set(fine["family"]) == {5}
    assert set(rows[rows["kind"] == "axis"]["family"]) == {2000}


@pytest.mark.parametrize(
    ("n", "logits", "own"),
    [
        (3, {10: (0, 0), 50: (0, 0)}, 0.0),
        (5, {10: (3, 3), 50: (3, 3)}, 2.0),
        (5, {10: (3, -3), 50: (6, 0)}, 3.0),
        (10, {10: (8, 2), 50: (8, -2)}, 0.0),
        (10, {10: (2, 0), 50: (1, -2)}, 1.5),
    ],
)
def test_intervals_of_convergence_hold_the_true_difference_of_shares(
    n: int, logits: dict[int, tuple[float, float]], own: float
) -> None:
    """Shares that are near 1 or 0, few networks, and networks of which all or none converge among them."""

    def mean(p_inh: float, tau: int) -> float:
        return logits[tau][p_inh > 0.1]

    random = np.random.default_rng(2)
    rows = simulated(n, 300, mean, 0.0, own, seed=3)
    named = [str(name) for name in rows if str(name).startswith("sweep")]
    logit = rows[named].to_numpy()
    rows[named] = (random.logistic(size=logit.shape) < logit).astype(float)
    level = math.sqrt(1 + own**2) * random.standard_normal(200_000)
    shares = {point: float((1 / (1 + np.exp(-level - mean(*point)))).mean()) for point in POINTS}
    got = effects.effects(rows, ["p_inh", "tau"], named, shares=named)
    true = np.array([truth(lambda *point: shares[point], row) for row in got.itertuples()])
    covered = (got["difference_from"] <= true) & (true <= got["difference_to"])
    coverage = covered.groupby([got[name] for name in KINDS]).mean()
    assert coverage.min() > 0.93, coverage
    assert got["g"].isna().all()


def test_the_interval_of_a_share_holds_it_in_95_of_100_samples_whatever_it_is() -> None:
    for n, share in itertools.product((3, 10), (0.5, 0.9, 0.98, 0.999)):
        ends = [effects.share_interval(np.arange(n) < ones)[1:] for ones in range(n + 1)]
        covered = sum(
            math.comb(n, ones) * share**ones * (1 - share) ** (n - ones)
            for ones, (low, high) in enumerate(ends)
            if low <= share <= high
        )
        assert covered >= 0.95


def shown(**measures: list[float]) -> str:
    """The headline of a sweep of tau 10 and 20; measures: of the networks at tau 10, then of the same at tau 20."""
    n = len(next(iter(measures.values()))) // 2
    rows = pd.DataFrame(
        {"task": "mante", "network_seed": [*range(n)] * 2, "tau": [10] * n + [20] * n, **measures}
    )
    return page.headline(effects.effects(rows, ["tau"], list(measures)))


FALLING = [0.90, 0.91, 0.92, 0.93, 0.94, 0.801, 0.812, 0.819, 0.831, 0.842]
UNCLEAR = [0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.1, 0.3, 0.2, 0.5]


def test_the_headline_is_the_clear_effect_with_its_simultaneous_interval() -> None:
    words = shown(accuracy=FALLING, mean_rate=UNCLEAR)
    assert words.startswith("What matters most: from tau 10 to 20, accuracy on test trials (mante)")
    assert " changes by -0.099, 95% interval -0.101 to -0.09" in words
    assert words.endswith("the intervals of all 2 effects of axes hold together in 95% of sweeps.")


def test_convergence_comes_first_in_the_headline() -> None:
    words = shown(
        accuracy=[x + 0.01 for x in FALLING[:5]] + FALLING + FALLING[5:],
        converged=[1.0] * 10 + [0.0] * 10,
    )
    assert "share that met the criterion (mante) changes by -1, 95% interval -1 to -0." in words


def test_where_no_effect_is_clear_the_headline_says_so() -> None:
    words = shown(accuracy=UNCLEAR)
    assert words.startswith("No effect of an axis is clear; the clearest: from tau 10 to 20, ")
    assert "changes by +0.02, 95% interval -0." in words
    assert shown(accuracy=[0.5] * 10).startswith("No effect has an interval")
