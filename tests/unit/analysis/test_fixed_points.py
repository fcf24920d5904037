"""Fixed points, stability and time constants against answers that are known by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ctrnn.analysis.dynamics import Dynamics, dynamics_of
from ctrnn.analysis.fixed_points import FixedPoints, fixed_points
from ctrnn.analysis.search import Search, distinct, search
from ctrnn.analysis.verdict import verdict
from ctrnn.network import initialise
from tests.settings import network_settings
from tests.unit.analysis import known

NO_INPUT = np.zeros(1)


def found(dynamics: Dynamics, states: np.ndarray) -> FixedPoints:
    return fixed_points(dynamics, NO_INPUT, states, states, known.SEARCH)


def test_a_bistable_network_has_two_stable_points_and_a_saddle_between() -> None:
    points, a = found(known.bistable(), known.starts()), known.bistable_state()
    np.testing.assert_allclose(points.x[points.stable], [[-a, a], [a, -a]], atol=1e-6)
    np.testing.assert_allclose(points.x[points.saddles], [[0, 0]], atol=1e-6)
    assert points.unstable.tolist() == [0, 1, 0]
    assert verdict(points) == "bistable"
    np.testing.assert_allclose(points.rates[1], [1, -3], atol=1e-6)
    rate = known.INHIBITION / (4 * np.cosh(a / 2) ** 2) - 1
    np.testing.assert_allclose(
        points.time_constants[0, 0], -1 / np.log(1 + known.ALPHA * rate), rtol=1e-6
    )
    np.testing.assert_allclose(points.time_constants[1, 0], -1 / np.log(1 + known.ALPHA), rtol=1e-6)


def test_slow_points_between_two_stable_ones_collapse_as_the_tolerance_falls() -> None:
    weak = known.dynamics([[0, -4.2], [-4.2, 0]], [2.1, 2.1])  # barely bistable: a slow direction
    points = found(weak, known.starts(low=-1, high=1))
    assert points.survivors[0] > 10
    assert points.survivors[-1] == 3
    assert verdict(points) == "bistable"


def test_saddles_are_looked_for_between_stable_fixed_points_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[np.ndarray] = []

    def noted(dynamics: Dynamics, inputs: np.ndarray, starts: np.ndarray, *rest: Any) -> Search:
        begun.append(starts)
        return search(dynamics, inputs, starts, *rest)

    monkeypatch.setattr("ctrnn.analysis.fixed_points.search", noted)
    weak = known.dynamics(
        [[0, -3.9], [-3.9, 0]], [1.95, 1.95]
    )  # one stable point, slow ones about it
    loose = known.SEARCH.model_copy(update={"iterations": 1, "tolerances": [1e-1, 1e-20]})
    states = known.starts(low=-1, high=1)
    points = fixed_points(weak, NO_INPUT, states, states, loose)
    assert len(points.slow) > 1
    assert len(begun) == 1  # no pair of fixed points, no second search
    found(known.bistable(), known.starts())
    np.testing.assert_allclose(begun[2], [[0, 0]], atol=1e-6)  # between the two stable points


def test_a_line_attractor_keeps_its_points_at_every_tolerance() -> None:
    points = found(known.line(), known.starts(low=0.5, high=6))
    assert verdict(points) == "line attractor"
    assert points.survivors[-1] > 20
    assert points.counted.sum() > 20
    np.testing.assert_allclose(points.x[:, 0], points.x[:, 1], atol=1e-6)
    np.testing.assert_allclose(points.rates, [[0, -1]] * len(points.x), atol=1e-9)
    np.testing.assert_allclose(points.time_constants[:, 1], -1 / np.log(1 - known.ALPHA))
    assert not points.unstable.any()


@pytest.mark.parametrize(("gain", "unstable"), [(0.5, 0), (1.2, 2)])
def test_a_rotation_has_one_point_with_a_pair_of_modes(gain: float, unstable: int) -> None:
    points = found(known.rotation(gain, 1.0), known.starts())
    np.testing.assert_allclose(points.x, [[0, 0]], atol=1e-6)
    assert points.unstable.tolist() == [unstable]
    step = 1 + known.ALPHA * (-1 + gain + 1j)
    np.testing.assert_allclose(points.modes[0], [step, step.conjugate()], atol=1e-9)
    np.testing.assert_allclose(points.time_constants[0], [-1 / np.log(abs(step))] * 2, rtol=1e-6)
    assert verdict(points) == ("no stable point nearby" if unstable else "one stable point")


def test_without_recurrence_the_one_point_is_the_drive() -> None:
    points = found(known.dynamics(np.zeros((2, 2)), [0.3, -0.2]), known.starts())
    np.testing.assert_allclose(points.x, [[0.3, -0.2]], atol=1e-6)
    assert points.survivors[-1] == 1
    np.testing.assert_allclose(points.time_constants, -1 / np.log(1 - known.ALPHA))
    assert points.starts.sum() == len(known.starts())


def test_a_point_far_from_every_visited_state_is_told_apart() -> None:
    one_side = np.random.default_rng(0).normal([4, -4], 0.3, (40, 2))
    states = np.r_[one_side, [[-4.0, 4.0]]]  # a start on the other side, that no trial visits
    points = fixed_points(known.bistable(), NO_INPUT, one_side, states, known.SEARCH)
    assert points.outside.tolist() == [True, True, False]
    assert len(points.stable) == 1


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_the_jacobian_is_that_of_finite_differences(activation: str) -> None:
    network = initialise(
        network_settings(n_units=30, activation=activation, tau_inh=10), 2, 1, seed=1
    )
    dynamics = dynamics_of(network)
    x = np.random.default_rng(0).normal(size=(1, 30))
    drive, step = dynamics.drive(np.array([0.3, -0.1])), 1e-6
    differences = np.stack(
        [
            (dynamics.velocity(x + e, drive) - dynamics.velocity(x - e, drive))[0] / (2 * step)
            for e in step * np.eye(30)
        ],
        axis=1,
    )
    np.testing.assert_allclose(dynamics.jacobian(x)[0], differences, atol=1e-5)
    moved = np.eye(30) + dynamics.alpha[:, None] * differences
    np.testing.assert_allclose(dynamics.map_jacobian(x)[0], moved, atol=1e-5)


def test_a_search_ends_where_no_step_lowers_the_speed() -> None:
    taken = []

    class Counted(Dynamics):
        def jacobian(self, x: np.ndarray) -> np.ndarray:
            taken.append(len(x))
            return super().jacobian(x)

    pushed = Counted(**{**known.line().__dict__, "b_rec": np.full(2, 0.1)})  # moves on for ever
    found = search(pushed, NO_INPUT, known.starts(low=0.5)[:5], [1e-3], 100)
    np.testing.assert_allclose(found.q, 0.5 * 2 * 0.1**2)
    assert np.isnan(found.crossings).all()
    assert sum(taken) <= 5 * 10


def permuted(dynamics: Dynamics, order: np.ndarray) -> Dynamics:
    return dataclasses.replace(
        dynamics,
        W=dynamics.W[np.ix_(order, order)],
        W_in=dynamics.W_in[order],
        b_rec=dynamics.b_rec[order],
        W_out=dynamics.W_out[:, order],
        alpha=dynamics.alpha[order],
        noise_per_step=dynamics.noise_per_step[order],
    )


def test_permuting_units_or_starts_changes_no_fixed_point() -> None:
    W = np.random.default_rng(3).normal(0, 6 / np.sqrt(20), (20, 20))
    one = known.dynamics(W, -W.sum(axis=1) / 2)
    states = np.random.default_rng(4).normal(0, 3, (40, 20))
    order = np.random.default_rng(5).permutation(20)
    points = found(one, states)
    others = found(permuted(one, order), states[::-1][:, order])
    assert len(points.x) > 1
    np.testing.assert_allclose(points.x[:, order][points.fixed], others.x[others.fixed], atol=1e-6)
    assert points.survivors[-1] == others.survivors[-1]
    np.testing.assert_array_equal(points.unstable[points.fixed], others.unstable[others.fixed])


def test_the_simulation_is_the_backends() -> None:
    from ctrnn.network import Trials
    from ctrnn.network.native_backend import NativeBackend

    network = initialise(network_settings(n_units=40), 2, 1, seed=1)
    inputs = np.random.default_rng(0).normal(size=(50, 3, 2)).astype(np.float32)
    (activity,) = NativeBackend(1).activity([network], [Trials(inputs, None)])
    dynamics = dynamics_of(network)
    np.testing.assert_allclose(dynamics.rates(dynamics.simulate(inputs)), activity.rates, atol=1e-5)


def test_noise_reaches_the_currents_and_the_rates() -> None:
    """x1 is noise of the current; x2 is noise of the rate of unit 1, through a weight of 2."""
    quiet = known.dynamics([[0, 0], [2, 0]], [5, 5], activation="relu")
    noisy = dataclasses.replace(
        quiet, alpha=np.ones(2), noise_per_step=np.array([0.1, 0.0]), sigma_post=0.2
    )
    inputs = np.zeros((400, 50, 1))
    x = noisy.simulate(inputs, random=np.random.default_rng(0))[1:]
    assert x[..., 0].std() == pytest.approx(0.1, rel=0.02)
    assert x[..., 1].std() == pytest.approx(2 * np.hypot(0.1, 0.2), rel=0.02)
    assert x.mean(axis=(0, 1)) == pytest.approx([5, 15], abs=0.02)
    start = np.full((50, 2), 7.0)
    assert noisy.simulate(inputs[:1], x0=start)[0, 0].tolist() == [5, 19]


@pytest.mark.parametrize(("radius", "kept"), [(1.0, [0, 2]), (0.99, [0, 1, 2, 3]), (3.0, [0])])
def test_points_within_a_radius_are_one(radius: float, kept: list[int]) -> None:
    x = np.array([[0.0], [1.0], [2.0], [3.0]])
    stand, its = distinct(x, x[:, 0], radius)
    assert stand.tolist() == kept
    assert [stand[i] for i in its] == [max(k for k in kept if k <= i) for i in range(4)]
