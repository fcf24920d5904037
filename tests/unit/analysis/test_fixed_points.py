"""Where a network is linearised, which states count as visited, and what its points leave in files."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ctrnn.analysis import fixed_points
from ctrnn.analysis.dynamics import linearise
from ctrnn.analysis.fixed_points import Portrait, informative, portrait, visited_states
from ctrnn.analysis.intervals import overlap_by_chance
from ctrnn.analysis.points import FixedPoints, verdict
from ctrnn.analysis.state_space import StateSpace
from ctrnn.core.rng import generator
from ctrnn.network import initialise
from ctrnn.tasks import Batch, ConstantInput, get_task
from ctrnn.tracking.payload import final
from tests.settings import settings
from tests.unit.analysis import known

TASK = get_task("go_nogo", settings().tasks, 1.0)
EPOCH = ConstantInput("a", (0.0,), {"context": "a"})


def points(
    unstable: list[int], q: list[float], outside: list[bool] | None = None, slope: float = 1.0
) -> FixedPoints:
    """Points of three units with so many unstable modes each; fixed where q is 0.

    The leading mode of the first point grows or decays by `slope` per tau, that of the second by twice as much, and so
    on; of those that decay the second mode does so 1.5 times as fast, the third twice.
    """
    n, alpha = len(unstable), 0.01
    rates = np.array(
        [
            [slope * (i + 1) * (1 if m < u else -1 - m / 2) for m in range(3)]
            for i, u in enumerate(unstable)
        ]
    )
    return FixedPoints(
        x=np.arange(3.0 * n).reshape(n, 3),
        q=np.array(q),
        outputs=np.arange(float(n)).reshape(n, 1),
        modes=(1 + alpha * rates.reshape(n, 3)).astype(np.complex128),
        distance=np.zeros(n),
        starts=np.arange(n),
        fixed=np.array(q) == 0,
        outside=np.array(outside or [False] * n, bool),
        survivors=np.array([4, n]),
        radius=1.0,
        per_tau=alpha,
        dt=1.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("unstable", "q", "at"),
    [
        ([0, 2, 1, 0], [0.0] * 4, 2),  # the saddle with the fewest unstable dimensions
        ([0, 1, 1], [0.0] * 3, 1),  # of two, the slower
        ([0, 0], [0.0] * 2, 0),  # no saddle: the slowest stable point
        ([0, 0, 0], [0.0, 1e-3, 1e-5], 2),  # a slow point before stable ones; of two, the slower
        ([0, 0], [1.005e-5, 1e-5], 1),  # half a percent tells them apart
        ([0, 0], [1.0001e-5, 1e-5], 0),  # a hundredth of one does not
        ([0, 1, 0], [0.0, 0.0, 1e-5], 1),  # a saddle before a slow point
        ([], [], None),
    ],
)
def test_a_network_is_linearised_between_its_attractors(
    unstable: list[int], q: list[float], at: int | None
) -> None:
    assert informative(points(unstable, q)) == at


def test_points_outside_the_visited_region_are_not_linearised() -> None:
    assert informative(points([1, 0], [0.0, 0.0], [True, False])) == 1
    assert informative(points([1], [0.0], [True])) is None


def trials(n: int = 80, steps: int = 5) -> Batch:
    """Trials of context a at even places, b at odd ones; the input is the trial's number."""
    inputs = np.broadcast_to(np.arange(n, dtype=np.float32)[:, None], (steps, n, 1))
    none = np.zeros((steps, n, 1), np.float32)
    rows = pd.DataFrame({"context": ["a", "b"] * (n // 2)})
    return Batch(inputs, none, none.astype(bool), rows)


def still(sigma_post: float = 0.0, noise: float = 0.0) -> Any:
    """Two units without recurrence whose time constant is a step: x is the input at once."""
    quiet = known.dynamics(np.zeros((2, 2)))
    return dataclasses.replace(
        quiet, parameters=known.parameters(np.ones(2), noise), sigma_post=sigma_post
    )


def test_visited_states_are_those_of_the_epochs_first_trials() -> None:
    states = visited_states(still(), EPOCH, trials(), 3, np.random.default_rng(0))
    assert states.shape == (2 * fixed_points.TRIALS, 2)  # two steps from the third on
    assert sorted(set(states[:, 0])) == [2 * i for i in range(fixed_points.TRIALS)]


def test_half_of_the_visited_trials_have_noise() -> None:
    states = visited_states(still(noise=0.1), EPOCH, trials(), 3, np.random.default_rng(0))
    quiet = states[:, 1] == 0
    assert quiet.mean() == 0.5
    assert sorted(set(states[quiet, 0])) == list(range(2, 64, 4))
    np.testing.assert_allclose(states[~quiet, 1].std(), 0.1, rtol=0.3)


def test_a_portrait_is_searched_from_some_of_the_visited_states_under_the_epochs_input() -> None:
    search = known.SEARCH.model_copy(update={"starts": 7})
    searched = portrait(
        still(), dataclasses.replace(EPOCH, inputs=(2.0,)), trials(), 2, search, np.random.default_rng(0)
    )  # fmt: skip
    np.testing.assert_allclose(searched.points.x, [[2, 0]], atol=1e-9)
    assert searched.points.starts.tolist() == [7]
    assert searched.at == 0
    np.testing.assert_allclose(searched.rates, 1 / (1 + np.exp(-searched.points.x)))


def found() -> list[list[Portrait]]:
    """Two networks under two inputs: of the first a saddle with others, and nothing; of the second two points each."""
    linear = linearise(known.bistable(), np.zeros(2), np.zeros(1))
    four = points([0, 1, 2, 0], [0.0, 0.0, 1e-5, 0.0], [False, False, False, True])
    two = points([0, 0], [0.0, 1e-5])
    return [
        [Portrait(four, four.x / 10, 1, linear), Portrait(points([], []), np.empty((0, 3)), None, None)],
        [Portrait(two, two.x / 10, 0, linear), Portrait(two, two.x / 10, 1, linear)],
    ]  # fmt: skip


EPOCHS = (ConstantInput("a", (0.0,)), ConstantInput("b", (0.0,)))


@pytest.fixture(scope="module")
def stored() -> dict[str, np.ndarray]:
    none = np.zeros((1, 1, 2), np.float32)
    space = StateSpace(np.full(3, 0.1), np.eye(3)[:, :2], none, np.zeros(2), 1.0)
    return fixed_points.point_arrays(found(), EPOCHS, [space, space], [1e-3, 1e-6])


def test_points_of_all_networks_are_rows_with_their_place(stored: dict[str, np.ndarray]) -> None:
    assert stored["network"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert stored["epoch"].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    kinds = stored["kinds"][stored["kind"]].tolist()
    assert kinds == ["stable", "saddle", "slow", "outside", "stable", "slow", "stable", "slow"]
    assert stored["linearised"].tolist() == [[1, -1], [4, 7]]
    assert stored["survivors"].tolist() == [[[4, 4], [4, 0]], [[4, 2], [4, 2]]]
    assert stored["q"].tolist() == [0, 0, 1e-5, 0, 0, 1e-5, 0, 1e-5]


def test_rates_of_points_are_projected_from_their_mean(stored: dict[str, np.ndarray]) -> None:
    np.testing.assert_allclose(stored["projection"], (stored["x"] / 10 - 0.1)[:, :2])


def test_networks_without_a_point_have_no_overlap(stored: dict[str, np.ndarray]) -> None:
    linear = linearise(known.bistable(), np.zeros(2), np.zeros(1))
    np.testing.assert_allclose(
        stored["overlap"][..., 0], [[linear.overlap[0], 0], [linear.overlap[0]] * 2]
    )
    np.testing.assert_allclose(stored["error"][..., 0], [[linear.error[0], 0], [linear.error[0]] * 2])  # fmt: skip


def test_time_constants_are_those_of_the_modes_and_bounded() -> None:
    usual = points([0], [0.0])
    modes = np.array([[1.0, 1 - 1e-9, 0.5]], np.complex128)
    bounded = dataclasses.replace(usual, modes=modes)
    space = StateSpace(np.zeros(3), np.eye(3), np.zeros((1, 1, 3), np.float32), np.zeros(3), 1.0)
    row = [[Portrait(bounded, usual.x, None, None)]]
    arrays = fixed_points.point_arrays(row, EPOCHS[:1], [space], [1e-3])
    longest = fixed_points.LONGEST
    np.testing.assert_allclose(
        np.abs(arrays["time_constants"]), [[longest, longest, 1 / np.log(2)]]
    )
    at_it = [[Portrait(bounded, usual.x, 0, None)]]
    report = fixed_points.point_metrics(at_it, EPOCHS[:1], TASK)["fixed_points"]["a"]
    assert abs(report["time_constant"][0]) == longest


def test_metrics_of_points_are_lists_over_networks() -> None:
    report = fixed_points.point_metrics(found(), EPOCHS, TASK)
    assert list(report) == ["fixed_points", "overlap_over_chance"]
    first, other = report["fixed_points"].values()
    assert [first[kind] for kind in fixed_points.KINDS] == [[1, 1], [1, 0], [1, 1], [1, 0]]
    assert [other[kind] for kind in fixed_points.KINDS] == [[0, 1], [0, 0], [0, 1], [0, 0]]
    assert first["unstable_dimensions"] == [[1], []]
    assert first["stable_outputs"] == [[0.0], [0.0]]
    assert first["linearised_at"] == ["saddle", "stable"]
    assert other["linearised_at"] == [None, "slow"]
    assert first["rate"] == pytest.approx([2.0, -1.0])
    assert first["stable_rates"] == [pytest.approx([-1.0])] * 2
    assert other["rate"] == [None, pytest.approx(-2.0)]
    assert first["time_constant"] == pytest.approx([-1 / np.log(1.02), -1 / np.log(0.99)])
    assert other["linear_error"][0] is None
    assert first["growth"] == [pytest.approx(2.0), None]
    assert first["decay"] == [None, pytest.approx(1.0)]
    assert other["decay"] == [None, pytest.approx(2.0)]
    assert other["growth"] == other["doubling_time"] == [None, None]
    assert first["doubling_time"] == [pytest.approx(np.log(2) / np.log(1.02)), None]
    assert first["decay_time"] == [None, pytest.approx(-1 / np.log(0.99))]


def test_a_mode_that_is_25_times_slower_is_25_times_slower_in_the_measures_of_a_sweep() -> None:
    """Whatever grows under the other input; means of signed time constants are -4,800 ms and -0.5 ms."""
    means = []
    for rate in (0.25, 0.01):
        decays, grows = points([0], [0.0], slope=rate), points([1], [0.0], slope=0.01)
        row = [[Portrait(decays, decays.x, 0, None), Portrait(grows, grows.x, 0, None)]]
        logged = final(fixed_points.point_metrics(row, EPOCHS, TASK))
        pattern, _ = fixed_points.MEASURES["decay"]
        values = [m.value for m in logged if re.fullmatch(pattern.format(0), m.name)]
        means.append(np.mean(values))
    assert means[0] == pytest.approx(25 * means[1])
    assert not any("time" in pattern for pattern, _ in fixed_points.MEASURES.values())


def with_neutral(neutral: int, others: int, dimensions: int = 1) -> FixedPoints:
    """So many stable points with neutral modes, and so many without."""
    made = points([0] * (neutral + others), [0.0] * (neutral + others))
    modes = made.modes.copy()
    modes[:neutral, :dimensions] = 1
    return dataclasses.replace(made, modes=modes)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (with_neutral(5, 5), "line attractor"),
        (with_neutral(5, 6), "11 stable points"),  # fewer than half are neutral
        (with_neutral(4, 0), "4 stable points"),  # too few for a line
        (with_neutral(5, 0, dimensions=2), "attractor of 2 dimensions"),
        (with_neutral(0, 3), "3 stable points"),
        (with_neutral(0, 2), "bistable"),
        (with_neutral(0, 1), "one stable point"),
        (points([1, 3], [0.0, 0.0]), "no stable point nearby"),
        (points([0, 0], [0.0, 0.0], [False, True]), "one stable point"),
        (points([0, 0], [0.0, 1e-5]), "one stable point"),  # the other is slow
    ],
)
def test_points_add_up_to_a_name(found: FixedPoints, said: str) -> None:
    assert verdict(found) == said


def test_points_are_stable_saddles_or_slow_inside_the_visited_region() -> None:
    four = points([0, 2, 1, 0], [0.0, 0.0, 1e-5, 0.0], [False, False, False, True])
    assert (four.stable.tolist(), four.saddles.tolist(), four.slow.tolist()) == ([0], [1], [2])
    assert four.unstable.tolist() == [0, 2, 1, 0]
    assert four.counted.tolist() == [True, True, False, False]
    assert with_neutral(2, 1).neutral.tolist() == [0, 1]


@pytest.mark.parametrize(("per_tau", "unstable"), [(0.9e-3, 0), (1.1e-3, 1)])
def test_a_mode_is_neutral_up_to_a_thousandth_per_tau(per_tau: float, unstable: int) -> None:
    saddle = points([1], [0.0], slope=per_tau)  # the second mode decays 1.5 times as fast
    assert saddle.unstable.tolist() == [unstable]
    assert saddle.neutral.tolist() == ([] if unstable else [0])


def test_the_selection_ratio_is_relevant_over_irrelevant_and_null_without_a_point() -> None:
    mante = get_task("mante", settings().tasks, 1.0)
    (epoch, *_) = mante.constant_inputs()
    relevant, irrelevant = (mante.channels.index(n) for n in (epoch.relevant, epoch.irrelevant))
    overlap = np.zeros(4)
    linear = linearise(known.bistable(), np.zeros(2), np.zeros(1))
    none = dataclasses.replace(linear, overlap=overlap.copy(), error=np.zeros(4))
    overlap[relevant], overlap[irrelevant] = 3.0, 2.0
    some = dataclasses.replace(none, overlap=overlap)
    point = points([1], [0.0])
    row = [
        [Portrait(point, point.x, 0, linear)] for linear in (some, none)
    ] + [[Portrait(point, point.x, None, None)]]  # fmt: skip
    report = fixed_points.point_metrics(row, [epoch], mante)
    assert report["selection_ratio"] == {epoch.name: [1.5, None, None]}


def test_at_most_six_modes_of_a_point_are_kept() -> None:
    eight = dataclasses.replace(
        points([0], [0.0]), x=np.zeros((1, 8)), modes=np.full((1, 8), 0.5, np.complex128)
    )
    none = np.zeros((1, 1, 2), np.float32)
    space = StateSpace(np.zeros(8), np.eye(8)[:, :2], none, np.zeros(2), 1.0)
    row = [[Portrait(eight, eight.x, None, None)]]
    arrays = fixed_points.point_arrays(row, EPOCHS[:1], [space], [1e-3])
    assert arrays["time_constants"].shape == arrays["rates_per_tau"].shape == (1, 6)


@pytest.mark.parametrize(("rate", "at"), [(0.5 + 4e-7, 0), (0.5 + 4e-6, 1)])
def test_points_as_slow_to_six_digits_are_taken_in_their_order(rate: float, at: int) -> None:
    """By the leading mode: the second modes, here in the opposite order, do not count."""
    growth = np.array([[-rate, -2, -9], [-0.5, -3, -8]])
    two = dataclasses.replace(points([0, 0], [0.0, 0.0]), modes=1 + 0.01 * growth.astype(complex))
    assert informative(two) == at


def test_portraits_are_by_network_then_by_input_with_a_stream_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(
        dynamics: Any, epoch: ConstantInput, test: Any, begin: int, search: Any, random: Any
    ) -> Any:
        place = hash((dynamics.W.sum(), epoch.name, id(test), begin, random.random()))
        return Portrait(points([], []), np.empty((0, 3)), place, None)

    monkeypatch.setattr(fixed_points, "portrait", told)
    task, test = get_task("mante", settings().tasks, 1.0), trials()
    networks = [initialise(settings().network, 4, 1, seed) for seed in (1, 2)]
    portraits = fixed_points.portraits(task, test, networks, [5, 6], known.SEARCH)
    begin, names = task.settings.stim_on, [epoch.name for epoch in task.constant_inputs()]
    assert len(names) == 2
    for row, network, seed in zip(portraits, networks, (5, 6), strict=True):
        drawn = [generator(seed, "analyze", "fixed_points", name).random() for name in names]
        total = network.W_eff.astype(float).sum()
        pairs = zip(names, drawn, strict=True)
        expected = [hash((total, name, id(test), begin, number)) for name, number in pairs]
        assert [portrait_of_input.at for portrait_of_input in row] == expected


def test_every_row_of_points_has_what_is_known_of_its_point(stored: dict[str, np.ndarray]) -> None:
    every = [one.points for row in found() for one in row]
    for name in ("x", "outputs", "unstable", "starts", "distance"):
        expected = np.concatenate([getattr(one, name) for one in every])
        np.testing.assert_array_equal(stored[name], expected, err_msg=name)
    rates = [[-1.0, -1.5, -2.0], [2.0, -3.0, -4.0], [3.0, 3.0, -6.0], [-4.0, -6.0, -8.0]]
    np.testing.assert_allclose(stored["rates_per_tau"][:4], rates)
    np.testing.assert_allclose(
        stored["time_constants"], -1 / np.log1p(stored["rates_per_tau"] / 100)
    )
    assert stored["tolerances"].tolist() == [1e-3, 1e-6]
    assert stored["epochs"].tolist() == ["a", "b"]
    assert fixed_points.LONGEST == 1_000_000


def test_the_selection_ratio_is_the_overlap_with_relevant_over_that_with_irrelevant_evidence() -> (
    None
):
    task = get_task("mante", settings().tasks, 1.0)
    motion, colour = task.constant_inputs()
    assert (motion.relevant, motion.irrelevant) == ("motion", "colour")
    two = points([0, 0], [0.0, 0.0])
    linear = dataclasses.replace(
        linearise(known.bistable(), np.zeros(2), np.zeros(1)),
        overlap=np.array([0.6, 0.2, 0.1, 0.5]),
        error=np.array([0.1, 0.4, 0.2, 0.3]),
    )
    blind = dataclasses.replace(linear, overlap=np.array([0.6, 0.0, 0.1, 0.5]))
    some = [Portrait(two, two.x, at, line) for at, line in ((0, linear), (0, blind), (None, None))]
    report = fixed_points.point_metrics([[one, one] for one in some], task.constant_inputs(), task)
    ratios = report["selection_ratio"]
    assert ratios[motion.name] == [pytest.approx(3), None, None]
    assert ratios[colour.name] == [pytest.approx(1 / 3), 0, None]
    by_chance = overlap_by_chance(2, is_complex=False)
    over = report["overlap_over_chance"][motion.name]
    assert over["motion"] == [pytest.approx(0.6 / by_chance[0])] * 2 + [None]
    told = report["selection_ratio_mean"][motion.name]
    assert (told["mean"], told["low"], told["high"]) == (None, None, None)  # of one network
    errors = report["fixed_points"][motion.name]["linear_error"]
    assert errors == [0.4, 0.4, None]
    half = dataclasses.replace(motion, irrelevant=None)
    assert "selection_ratio" not in fixed_points.point_metrics([[some[0]]], [half], task)


def test_outputs_of_points_are_named_where_there_are_several() -> None:
    task = get_task("flip_flop", settings().tasks, 1.0)
    two = dataclasses.replace(
        points([0, 0], [0.0, 0.0]), outputs=np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    )
    report = fixed_points.point_metrics([[Portrait(two, two.x, None, None)]], EPOCHS[:1], task)
    by_name = dict(zip(task.outputs, ([1, 4], [2, 5], [3, 6]), strict=True))
    assert report["fixed_points"]["a"]["stable_outputs"] == [by_name]


def test_a_search_starts_from_different_visited_states() -> None:
    """Of as many starts as states each is taken once."""
    search = known.SEARCH.model_copy(update={"starts": 1000, "iterations": 0, "tolerances": [1e9],
                                             "merge_distance": 0.0})  # fmt: skip
    quiet = dataclasses.replace(still(), parameters=known.parameters(np.full(2, 0.5), 0.1))
    searched = portrait(quiet, EPOCH, trials(steps=3), 1, search, np.random.default_rng(0))
    states = visited_states(quiet, EPOCH, trials(steps=3), 1, np.random.default_rng(0))
    assert searched.points.starts.sum() == len(states)
    assert searched.points.survivors.tolist() == [len({tuple(state) for state in states})]
