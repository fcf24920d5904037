"""Fixed points, stability and time constants against answers that are known by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ctrnn.analysis import points as module
from ctrnn.analysis.dynamics import Dynamics, by_size, dynamics_of
from ctrnn.analysis.points import FixedPoints, Search, distinct, fixed_points, search, verdict
from ctrnn.dynamics.activations import ACTIVATIONS
from ctrnn.dynamics.models import models
from ctrnn.network import Network, initialise
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
    assert repr(points) == "FixedPoints: 2 stable, 1 saddles, 0 slow, 0 outside: bistable"
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

    monkeypatch.setattr("ctrnn.analysis.points.search", noted)
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


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("model", models())
def test_the_jacobian_is_that_of_finite_differences(model: str, activation: str) -> None:
    network = initialise(
        network_settings(n_units=12, model=model, activation=activation, tau_inh=10), 2, 1, seed=1
    )
    dynamics = dynamics_of(network)
    x = np.random.default_rng(0).normal(size=(1, dynamics.size))
    drive, step = dynamics.drive(np.array([0.3, -0.1])), 1e-6
    differences = np.stack(
        [
            (dynamics.velocity(x + e, drive) - dynamics.velocity(x - e, drive))[0] / (2 * step)
            for e in step * np.eye(dynamics.size)
        ],
        axis=1,
    )
    np.testing.assert_allclose(dynamics.jacobian(x)[0], differences, atol=1e-5)
    moved = np.eye(dynamics.size) + dynamics.alpha[:, None] * differences
    np.testing.assert_allclose(dynamics.map_jacobian(x)[0], moved, atol=1e-5)


@pytest.mark.parametrize("model", models())
def test_fixed_points_are_the_same_at_every_time_step(model: str) -> None:
    """From the same starts; and their time constants are in ms, to first order those of continuous time."""
    settings = network_settings(n_units=20, model=model, sigma_pre=0.05)
    network = initialise(settings, 1, 1, seed=3)
    wandering = dynamics_of(network).simulate(
        np.zeros((200, 3, 1)), random=np.random.default_rng(0)
    )
    starts = wandering[::25].reshape(24, -1)
    at = {}
    for dt in (0.5, 1, 2):
        dynamics = dynamics_of(Network(network.wiring.at(dt), network.weights))
        at[dt] = fixed_points(dynamics, NO_INPUT, starts, starts, known.SEARCH)
    assert at[1].fixed.any()
    for dt in (0.5, 2):
        np.testing.assert_allclose(at[dt].x[at[dt].fixed], at[1].x[at[1].fixed], atol=1e-6)
        np.testing.assert_allclose(
            at[dt].rates[at[dt].fixed, 0], at[1].rates[at[1].fixed, 0], atol=0.1
        )


WITH_SLOW_STATES = [name for name, model in models().items() if len(model.states) > 1]


@pytest.mark.parametrize("model", WITH_SLOW_STATES)
def test_slow_states_do_not_make_a_search_slow(model: str) -> None:
    """From states on the way, in which they are far from steady; the ends are fixed points of all states."""
    network = initialise(network_settings(n_units=60, model=model, w_gain=1.0), 1, 1, seed=1)
    dynamics = dynamics_of(network)
    moved = np.random.default_rng(1).standard_normal((300, 12, 1))
    starts = dynamics.simulate(moved, random=np.random.default_rng(0))[50::125]
    ends = search(dynamics, NO_INPUT, starts.reshape(-1, dynamics.size), [1e-20], 60)
    assert (ends.q <= 1e-20).all()
    speeds = module.speed(dynamics.velocity(ends.x, dynamics.drive(NO_INPUT)))
    assert (speeds <= 1e-20).all()
    crossed = ends.crossings[0]
    assert (module.speed(dynamics.velocity(crossed, dynamics.drive(NO_INPUT))) <= 1e-20).all()


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("model", WITH_SLOW_STATES)
def test_the_jacobian_of_driven_states_is_that_of_finite_differences(
    model: str, activation: str
) -> None:
    network = initialise(
        network_settings(n_units=12, model=model, activation=activation, tau_inh=10), 1, 1, seed=1
    )
    driven = module.Driven(dynamics_of(network))
    x, drive = np.random.default_rng(0).normal(size=(2, 12)), driven.drive(NO_INPUT)
    differences = [
        (driven.velocity(x + e, drive) - driven.velocity(x - e, drive)) / 2e-6
        for e in 1e-6 * np.eye(12)
    ]
    np.testing.assert_allclose(driven.jacobian(x), np.stack(differences, axis=-1), atol=1e-5)


def test_a_state_that_has_no_steady_value_is_searched_with_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one that adds up the rate without end, here by a rest of it that no value of its own changes."""
    dynamics = dynamics_of(initialise(network_settings(n_units=6, model="adaptation"), 1, 1, 1))
    starts = np.random.default_rng(0).normal(size=(3, dynamics.size))
    expected = module._search(dynamics, NO_INPUT, starts, [1e-20], 20)
    slopes = module.Driven._slopes
    monkeypatch.setattr(
        module.Driven, "_slopes", lambda *given: tuple(0 * part for part in slopes(*given))
    )
    ends = search(dynamics, NO_INPUT, starts, [1e-20], 20)
    np.testing.assert_array_equal(ends.x, expected.x)
    np.testing.assert_array_equal(ends.crossings, expected.crossings)


@pytest.mark.parametrize("dt", [0.5, 2])
def test_x_is_as_noisy_at_every_time_step(dt: float) -> None:
    """In a network at its start, whose recurrence amplifies noise of both kinds."""
    settings = network_settings(n_units=60, sigma_pre=0.02, sigma_post=0.05)
    network = initialise(settings, 1, 1, seed=3)

    def spread(dt: float) -> float:
        dynamics = dynamics_of(Network(network.wiring.at(dt), network.weights))
        silent = np.zeros((round(400 / dt), 60, 1))
        x = dynamics.simulate(silent, random=np.random.default_rng(0))
        return float(x[round(100 / dt) :: round(20 / dt)].std())

    assert spread(dt) == pytest.approx(spread(1), rel=0.05)


def test_a_search_ends_where_no_step_lowers_the_speed() -> None:
    taken = []

    class Counted(Dynamics):
        def jacobian(self, x: np.ndarray) -> np.ndarray:
            taken.append(len(x))
            return super().jacobian(x)

    pushed = Counted(**{**known.line().__dict__, "b_rec": np.full(2, 0.1)})  # moves on for ever
    ends = search(pushed, NO_INPUT, known.starts(low=0.5)[:5], [1e-3], 100)
    np.testing.assert_allclose(ends.q, 0.5 * 2 * 0.1**2)
    assert np.isnan(ends.crossings).all()
    assert sum(taken) <= 5 * 10


def permuted(dynamics: Dynamics, order: np.ndarray) -> Dynamics:
    return dataclasses.replace(
        dynamics,
        W=dynamics.W[np.ix_(order, order)],
        W_in=dynamics.W_in[order],
        b_rec=dynamics.b_rec[order],
        W_out=dynamics.W_out[:, order],
        parameters={name: p[order] for name, p in dynamics.parameters.items()},
    )


def test_permuting_units_or_starts_changes_no_fixed_point() -> None:
    W = np.random.default_rng(3).normal(0, 6 / np.sqrt(20), (20, 20))
    dynamics = known.dynamics(W, -W.sum(axis=1) / 2)
    states = np.random.default_rng(4).normal(0, 3, (40, 20))
    order = np.random.default_rng(5).permutation(20)
    points = found(dynamics, states)
    others = found(permuted(dynamics, order), states[::-1][:, order])
    assert len(points.x) > 1
    np.testing.assert_allclose(points.x[:, order][points.fixed], others.x[others.fixed], atol=1e-6)
    assert points.survivors[-1] == others.survivors[-1]
    np.testing.assert_array_equal(points.unstable[points.fixed], others.unstable[others.fixed])


@pytest.mark.parametrize("model", models())
def test_the_simulation_is_the_backends(model: str) -> None:
    from ctrnn.network import Trials
    from ctrnn.network.native_backend import NativeBackend

    network = initialise(network_settings(n_units=40, model=model), 2, 1, seed=1)
    inputs = np.random.default_rng(0).normal(size=(50, 3, 2)).astype(np.float32)
    (activity,) = NativeBackend(1).activity([network], [Trials(inputs, None)])
    dynamics = dynamics_of(network)
    np.testing.assert_allclose(dynamics.rates(dynamics.simulate(inputs)), activity.rates, atol=1e-5)


def test_noise_reaches_the_currents_and_the_rates() -> None:
    """x1 is noise of the current; x2 is noise of the rate of unit 1, through a weight of 2."""
    quiet = known.dynamics([[0, 0], [2, 0]], [5, 5], activation="relu")
    noisy = dataclasses.replace(
        quiet, parameters=known.parameters(np.ones(2), np.array([0.1, 0.0])), sigma_post=0.2
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


def decay(scale: float = 1.0) -> Dynamics:
    """Two units that only decay, F(x) = -x under the input (1, 2), unit 1 the faster; outputs are (x2, x1) scaled."""
    return dataclasses.replace(
        known.dynamics(np.zeros((2, 2)), [-1, -2], activation="relu", n_channels=2),
        parameters=known.parameters(np.array([0.5, 0.25])),
        W_out=scale * np.array([[0.0, 1.0], [1.0, 0.0]]),
        b_out=np.zeros(2),
    )


AROUND = np.array([[-1.0, 0], [1, 0], [0, -1], [0, 1]])  # visited: 1 from their mean, on average


def where_they_start(starts: list[list[float]], scale: float = 1.0, **changes: Any) -> FixedPoints:
    """Of starts that no step is taken from; |x| <= 1 is fixed, |x| <= 2 slow."""
    still = known.SEARCH.model_copy(
        update={"iterations": 0, "tolerances": [2.0, 0.5], "merge_distance": 0.04, **changes}
    )
    return fixed_points(decay(scale), np.array([1.0, 2.0]), AROUND, np.array(starts, float), still)


def test_points_have_the_values_of_where_they_stand() -> None:
    """Two fixed points, two slow ones, and the middle between the fixed ones, which no start led to."""
    points = where_they_start([[0, 3], [0, 2], [2, 0], [0, 1], [1, 0], [0, 1], [0, 0.98]])
    assert points.x.tolist() == [[1, 0], [2, 0], [0.5, 0.49], [0, 0.98], [0, 2]]  # by x2, then |x|
    np.testing.assert_allclose(points.q, np.square(points.x).sum(axis=1) / 2, rtol=1e-15)
    assert points.outputs.tolist() == points.x[:, ::-1].tolist()
    assert points.modes.tolist() == [[0.75, 0.5]] * 5
    np.testing.assert_allclose(points.distance, [0, 1, np.hypot(0.5, 0.49), 0.02, 1])
    assert points.starts.tolist() == [1, 1, 0, 3, 1]
    assert points.fixed.tolist() == [True, False, True, True, False]
    assert points.outside.tolist() == [False] * 5  # 1 is not farther than 1
    assert points.survivors.tolist() == [4, 2]
    assert (points.radius, points.per_tau) == (1, 0.25)
    assert points.rates.tolist() == [[-1, -2]] * 5
    np.testing.assert_allclose(points.time_constants, [[-1 / np.log(0.75), 1 / np.log(2)]] * 5)
    near = where_they_start([[2, 0], [1, 0]], outlier_distance=0.99)
    assert near.outside.tolist() == [False, True]
    assert (near.stable.tolist(), near.slow.tolist()) == ([0], [])


def test_slow_points_are_one_within_ten_merge_distances() -> None:
    """That is 0.4 here, and 0.04 for fixed points."""
    assert where_they_start([[0, 1.5], [0, 1.89]]).starts.tolist() == [2]
    assert where_they_start([[0, 1.5], [0, 1.91]]).starts.tolist() == [1, 1]
    assert where_they_start([[0, 0.5], [0, 0.53]]).starts.tolist() == [2]
    assert where_they_start([[0, 0.5], [0, 0.55]]).starts.tolist() == [1, 1]


def test_visited_states_that_are_one_state_leave_distances_as_they_are() -> None:
    points = fixed_points(
        decay(), np.array([1.0, 2.0]), np.zeros((3, 2)), np.array([[0.0, 0.75]]),
        known.SEARCH.model_copy(update={"iterations": 0, "tolerances": [1.0]}),
    )  # fmt: skip
    assert (points.radius, points.distance.tolist()) == (0, [0.75])


@pytest.mark.parametrize(("scale", "first"), [(4e-7, [0, 1]), (4e-6, [2, 0])])
def test_points_are_in_the_order_of_their_output_to_six_digits_then_of_their_size(
    scale: float, first: list[float]
) -> None:
    assert where_they_start([[2, 0], [0, 1]], scale).x[0].tolist() == first


@pytest.mark.parametrize(
    ("x", "z", "order"),
    [
        ([[1, 0], [0, 2]], [4e-7, 0], [0, 1]),
        ([[1, 0], [0, 2]], [4e-6, 0], [1, 0]),
        ([[1 + 4e-7, 0], [0, 1]], [0, 0], [0, 1]),
        ([[1 + 4e-6, 0], [0, 1]], [0, 0], [1, 0]),
    ],
)
def test_distinct_points_are_taken_by_output_then_by_size_to_six_digits(
    x: list[list[float]], z: list[float], order: list[int]
) -> None:
    assert distinct(np.array(x, float), np.array(z, float), 0.1)[0].tolist() == order


def test_eigenvalues_are_ordered_by_their_size_to_nine_digits_then_by_their_imaginary_part() -> (
    None
):
    values = np.array([[0.5 - 4e-10, 0.5], [0.5 - 4e-9, 0.5], [0.5j, 0.5j], [-0.5j, 0.5j], [0, -1]])
    assert by_size(values).tolist() == [[0, 1], [1, 0], [0, 1], [1, 0], [1, 0]]


def test_a_mode_at_the_bound_is_neither_unstable_nor_neutral(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "NEUTRAL", 1.0)
    points = where_they_start([[1, 0]])
    for growth, stable in (([0, 2, 3], False), ([0, -1, 1], True), ([0.5, 2, 1], False)):
        modes = 1 + 0.25 * np.array([growth], complex)
        changed = dataclasses.replace(points, modes=modes, x=np.ones((1, 3)))
        assert (len(changed.stable), len(changed.saddles)) == (stable, not stable)
        assert len(changed.neutral) == 1  # the mode that comes first here
    at_it = dataclasses.replace(points, modes=np.full((1, 2), 1.25, complex))
    assert (len(at_it.stable), len(at_it.neutral)) == (1, 0)


def test_a_saddle_is_looked_for_between_16_pairs_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def noted(dynamics: Dynamics, inputs: np.ndarray, starts: np.ndarray, *rest: Any) -> Search:
        begun.append(starts)
        return search(dynamics, inputs, starts, *rest)

    monkeypatch.setattr(module, "search", noted)
    where_they_start([[0, 0.1 * i] for i in range(1, 10)])  # 36 pairs
    np.testing.assert_allclose(begun[1][:, 1], [0.05 * (1 + i) for i in range(2, 10)]
                               + [0.05 * (2 + i) for i in range(3, 10)] + [0.05 * (3 + 4)])  # fmt: skip


def scalar_search(x: float, iterations: int) -> float:
    """Levenberg and Marquardt's steps of one unit with F(x) = 2 max(x, 0) - x + 0.1."""
    damping = 1.0

    def velocity(x: float) -> float:
        return 2 * max(x, 0.0) - x + 0.1

    for _ in range(iterations):
        F, J = velocity(x), 1.0 if x > 0 else -1.0
        moved = x - J * F / (1 + damping * abs(F))
        better = abs(velocity(moved)) < abs(F)
        x, damping = (moved, damping * 0.1) if better else (x, damping * 10)
    return x


@pytest.mark.parametrize("iterations", range(1, 9))
def test_a_search_takes_the_steps_of_levenberg_and_marquardt(iterations: int) -> None:
    """Of these eight some overshoot, and are taken again with more damping."""
    unit = known.dynamics([[2.0, 0], [0, 0]], [0.1, 0], activation="relu")
    ends = search(unit, NO_INPUT, np.array([[0.5, 0.0]]), [1e-9], iterations)
    np.testing.assert_allclose(ends.x, [[scalar_search(0.5, iterations), 0]], rtol=1e-9)
    np.testing.assert_allclose(ends.q, 0.5 * (abs(ends.x[:, 0]) + 0.1) ** 2)


def test_a_step_tells_how_much_it_lowers_the_speed() -> None:
    x = np.array([[3.0, 4.0]])
    step, lowered = module._step(decay(), x, -x, np.zeros(1))
    np.testing.assert_allclose(step, -x, rtol=1e-11)
    np.testing.assert_allclose(lowered, 12.5)
    step, lowered = module._step(decay(), x, -x, np.array([0.2]))  # as large as J'J
    np.testing.assert_allclose(step, -x / 2)
    np.testing.assert_allclose(lowered, 12.5 * 0.75)


@pytest.mark.parametrize(("n", "chunks"), [(33, [11, 11, 11]), (48, [16] * 3), (16, [16])])
def test_jacobians_of_16_points_at_most_are_in_memory(n: int, chunks: list[int]) -> None:
    taken = []

    class Counted(Dynamics):
        def jacobian(self, x: np.ndarray) -> np.ndarray:
            taken.append(len(x))
            return super().jacobian(x)

    search(Counted(**decay().__dict__), np.array([1.0, 2.0]), np.ones((n, 2)), [1e-3], 1)
    assert taken == chunks


@pytest.mark.parametrize(("constant", "at"), [("SETTLED", 1.0), ("STUCK", 1.0)])
def test_a_point_at_the_bound_of_the_search_is_left_where_it_is(
    monkeypatch: pytest.MonkeyPatch, constant: str, at: float
) -> None:
    monkeypatch.setattr(module, constant, at)  # of q, and of the share that is promised
    start = np.ones((1, 2))
    inputs = np.array([1.0, 2.0])
    assert search(decay(), inputs, start, [1e-3], 5).x.tolist() == start.tolist()
    monkeypatch.setattr(module, constant, 0.99 * at)
    assert search(decay(), inputs, start, [1e-3], 5).x.tolist() != start.tolist()


def test_a_relu_unit_at_zero_has_no_slope() -> None:
    unit = known.line()
    slopes = unit.jacobian(np.array([[-1.0, 0.0], [0.0, 1e-9]])) + np.eye(2)
    assert slopes.tolist() == [[[0, 0], [0, 0]], [[0, 0.5], [0, 0.5]]]
