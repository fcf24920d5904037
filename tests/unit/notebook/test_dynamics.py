"""Fixed points, derivatives, flow and gradients of a notebook's model, against the pipeline and answers by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

import ctrnn
from ctrnn.analysis.fixed_points import portraits
from ctrnn.core import rng
from ctrnn.errors import ParamsError, UserError
from ctrnn.network import SupervisedTrials
from ctrnn.notebook import NotebookError
from ctrnn.notebook.points import SEARCH
from tests.settings import settings
from tests.unit.notebook.models import EACH_MODEL, UNITS, inputs_of, model_of


def test_a_search_has_the_shipped_settings() -> None:
    assert settings().analyze.fixed_points.model_dump() == SEARCH.model_dump()


@pytest.mark.parametrize("model", ["rate", "short_term_plasticity"])
def test_the_points_are_those_of_the_analysis(model: str) -> None:
    """On the same trials, under every constant input of the task."""
    made = model_of("mante", model=model)
    trials, constant = made.trials(test_trials=8), made.task.constant_inputs()
    few = SEARCH.model_copy(update={"starts": 4, "iterations": 10})
    (expected,) = portraits(made.task, trials, [made.network], [1], few)
    for epoch, portrait in zip(constant, expected, strict=True):
        points = made.fixed_points(epoch.name, trials=trials, starts=4, iterations=10)
        np.testing.assert_array_equal(points.x, portrait.points.x)
        np.testing.assert_array_equal(points.modes, portrait.points.modes)
    assert len(constant) > 1


@EACH_MODEL
def test_a_network_stays_at_its_fixed_points(model: str, activation: str) -> None:
    """Under an input of one's own, where a run begins at a row of the points."""
    made = model_of(model=model, activation=activation, gain="scale", w_gain=0.1)
    constant = [0.25, -0.5]
    points = made.fixed_points(
        constant, visited=made.run(inputs_of(made)).states, starts=8, iterations=200
    )
    assert points.fixed.any()
    inputs = np.tile(constant, (20, 1, 1))
    for x in points.x[points.fixed]:
        run = made.run(inputs, None, x0=x)
        np.testing.assert_allclose(run.states[-1, 0], x, atol=1e-6)
    outputs = made.dynamics.outputs(points.x)
    np.testing.assert_array_equal(points.outputs, outputs)


@EACH_MODEL
def test_the_jacobian_is_the_derivative_of_a_step_of_the_run(model: str, activation: str) -> None:
    made = model_of(model=model, activation=activation, tau_inh=10)
    x = made.start + np.random.default_rng(0).random(made.dynamics.size)
    J, step = made.jacobian(x), 1e-6
    ways = np.concatenate([step * np.eye(len(x)), -step * np.eye(len(x))])
    (ends,) = made.run(np.zeros((1, 2 * len(x), 2)), None, x0=x + ways).states
    differences = ((ends[: len(x)] - ends[len(x) :]) / (2 * step)).T
    expected = np.eye(len(x)) + made.dynamics.alpha[:, None] * J
    np.testing.assert_allclose(expected, differences, atol=1e-6)
    np.testing.assert_array_equal(made.jacobian(np.stack([x, x]))[1], J)


@EACH_MODEL
def test_the_flow_is_where_a_run_goes(model: str, activation: str) -> None:
    """By a step from every place of a plane of two units, along its axes, per ms."""
    made = model_of(model=model, activation=activation, dt=0.5, tau_inh=10)
    axes = np.eye(made.dynamics.size)[[0, UNITS - 1]]
    plane = ctrnn.Plane(made.start, axes, (-1.0, -2.0), (1.0, 2.0))
    flow = made.flow(plane, [0.25, -0.5], n=5)
    assert (flow.a[[0, -1]].tolist(), flow.b[[0, -1]].tolist()) == ([-1, 1], [-2, 2])
    for i, b in enumerate(flow.b):
        x0 = made.start + flow.a[:, None] * axes[0] + b * axes[1]
        run = made.run(np.tile([0.25, -0.5], (1, 5, 1)), None, x0=x0)
        moved = (run.states[0] - x0) / 0.5
        np.testing.assert_allclose(flow.velocity[:, i], (moved @ axes.T).T, atol=1e-10)
        np.testing.assert_allclose(flow.speed[i], np.linalg.norm(moved, axis=1), atol=1e-10)


def test_a_plane_through_states_is_that_of_their_principal_components() -> None:
    random = np.random.default_rng(0)
    basis = np.linalg.qr(random.normal(size=(UNITS, 3)))[0].T
    amplitudes = random.normal(size=(50, 4, 3)) * [5.0, 2.0, 0.1]
    states = 1.0 + amplitudes @ basis
    plane = ctrnn.Plane.through(states)
    assert (np.abs(plane.axes @ basis[:2].T).diagonal() > 0.99).all()
    places = plane.project(states)
    assert (places > plane.low).all() and (places < plane.high).all()
    model = model_of()
    np.testing.assert_array_equal(model.flow(states).velocity, model.flow(plane).velocity)


@EACH_MODEL
def test_gradients_are_those_of_the_backend(model: str, activation: str) -> None:
    made = model_of(model=model, activation=activation, gain="scale", w_gain=0.1)
    trials = made.trials(test_trials=4)
    loss, gradients = made.gradients(trials, seed=3, rate_penalty=0.1)
    batch = SupervisedTrials(
        trials.inputs, rng.key(3, "notebook"), trials.targets, trials.mask, rate_penalty=0.1
    )
    names = frozenset({"W_in", "W_rec", "b_rec", "W_out", "b_out"})
    ((expected, arrays),) = made.backend.loss_and_gradients([made.network], [batch], names)
    assert loss == expected
    assert gradients.keys() == arrays.keys() == names
    for name, array in arrays.items():
        np.testing.assert_array_equal(gradients[name], array)


def test_the_loss_is_that_of_a_run_and_falls_against_its_gradient() -> None:
    made = model_of()
    trials = made.trials(test_trials=4)
    loss, gradients = made.gradients(trials, seed=None, by={"b_out", "tau"})
    errors = (made.run(trials, None).outputs - trials.targets)[trials.mask]
    np.testing.assert_allclose(loss, np.square(errors).mean(), rtol=1e-5)
    assert gradients.keys() == {"b_out", "tau"}
    changed = made.replace(b_out=made.network.weights["b_out"] - 0.1 * gradients["b_out"])
    assert changed.gradients(trials, seed=None)[0] < loss


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda m: m.fixed_points("no_imput"), r"^no_imput is no .*; did you mean no_input\?"),
        (lambda m: m.fixed_points([0.1]), r"^the constant input has shape \[1\]; .* sample, test,"),
        (lambda m: m.fixed_points("no_input", visited=np.zeros(3)), r"^visited has shape \[3\]; "),
        (lambda m: m.jacobian(np.zeros(5)), r"^x has shape \[5\]; give \[\.\.\., state\] with 12"),
        (lambda m: m.flow(np.zeros((2, 12))), r"^a plane is laid through states, and not through"),
        (lambda m: m.flow(ctrnn.Plane(np.zeros(3), np.eye(3)[:2], (0, 0), (1, 1))), r"of 3 numb"),
        (lambda m: ctrnn.Plane(np.zeros(3), np.ones((2, 3)), (0, 0), (1, 1)), r"not at right ang"),
        (lambda m: m.gradients(np.zeros((9, 1, 2))), r"^gradients takes trials, which have targets"),
        (lambda m: m.gradients(m.trials(test_trials=4), by=["W_rc"]), r"did you mean W_rec\?"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(call: Any, sentence: str) -> None:
    with pytest.raises(NotebookError, match=sentence):
        call(model_of())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"startz": 3}, r"^analyze\.fixed_points\.startz is not a setting; did you mean .*starts"),
        ({"tolerances": [1, 2]}, r"^analyze\.fixed_points\.tolerances = \[1(\.0)?, 2(\.0)?\] do n"),
    ],
)
def test_a_setting_of_the_search_that_is_not_allowed_is_one_sentence(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ParamsError, match=sentence):
        model_of().fixed_points(**changes)


def test_the_points_of_a_cell_are_those_that_are_known_by_hand() -> None:
    """x' = tanh(2 x): 0, and both roots of x = tanh(2 x); a step multiplies what is near them by 2 (1 - x^2)."""
    import torch

    visited = np.linspace(-1, 1, 41)[:, None]
    points = ctrnn.fixed_points(lambda x, u: torch.tanh(2 * x + u), [0.0], visited, dt=5.0)
    root = brentq(lambda x: np.tanh(2 * x) - x, 0.1, 2, xtol=1e-15)
    np.testing.assert_allclose(points.x[:, 0], [-root, 0, root], atol=1e-8)
    assert (points.stable.tolist(), points.saddles.tolist()) == ([0, 2], [1])
    slope = 2 * (1 - root**2)
    np.testing.assert_allclose(points.modes[:, 0], [slope, 2, slope], atol=1e-7)
    np.testing.assert_allclose(points.time_constants[0], -5.0 / np.log(slope), rtol=1e-6)
    driven = ctrnn.fixed_points(lambda x, u: torch.tanh(2 * x + u), [0.2], visited)
    roots = [brentq(lambda x: np.tanh(2 * x + 0.2) - x, *ends) for ends in ((-2, -0.6), (0.6, 2))]
    np.testing.assert_allclose(driven.x[driven.stable, 0], roots, rtol=1e-7)


def test_the_derivative_of_a_gated_cell_is_that_under_its_input() -> None:
    import torch

    from ctrnn.notebook.points import Cell

    random = torch.Generator().manual_seed(0)
    gru = torch.nn.utils.skip_init(torch.nn.GRUCell, 2, 5).double()
    for weight in gru.parameters():
        torch.nn.init.normal_(weight, generator=random)
    x = np.random.default_rng(0).normal(size=(3, 5))
    found = []
    for inputs in ([0.0, 0.0], [2.0, -1.0]):
        cell, step = Cell(lambda x, u: gru(u, x), np.array(inputs), None, 1.0), 1e-6
        ways = step * np.eye(5)
        differences = np.stack(
            [
                (cell.velocity(x + e, cell.inputs) - cell.velocity(x - e, cell.inputs)) / (2 * step)
                for e in ways
            ],
            axis=2,
        )
        found.append(cell.jacobian(x))
        np.testing.assert_allclose(found[-1], differences, atol=1e-7)
    assert not np.allclose(found[0], found[1])
    read = ctrnn.fixed_points(
        lambda x, u: gru(u, x), [0.0, 0.0], x, readout=lambda x: x[:, :1] * 2, starts=2
    )
    np.testing.assert_array_equal(read.outputs, 2 * read.x[:, :1])


@pytest.mark.parametrize(
    ("cell", "visited", "sentence"),
    [
        (lambda x, u: x.float(), np.zeros((4, 2)), r"^the cell gives \[1, 2\] in torch\.float32 of "),
        (lambda x, u: x.sum(), np.zeros((4, 2)), r"^the cell gives \[\] in torch\.float64 of states"),
        (lambda x, u: (x, u), np.zeros((4, 2)), r"^the cell gives tuple of states \[1, 2\] and inp"),
        (lambda x, u: x @ u, np.zeros((4, 2)), r"^the cell fails \(.*\) of states .* \.double\(\)$"),
        (lambda x, u: x, np.zeros(4), r"^visited has shape \[4\]; give states \[\.\.\., state\]"),
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_searched_is_one_sentence(
    cell: Any, visited: np.ndarray, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        ctrnn.fixed_points(cell, [0.0], visited)
