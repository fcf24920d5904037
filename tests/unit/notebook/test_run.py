"""`run` of a notebook: inputs of one's own, starts, noise and interventions, against the kernel and answers by hand."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

import ctrnn
from ctrnn.core import rng
from ctrnn.errors import ParamsError, UserError
from ctrnn.network import Trials
from ctrnn.notebook import NotebookError
from tests.unit.notebook.models import EACH_MODEL, EVERY, STEPS, TRIALS, UNITS, inputs_of, model_of


@EVERY
def test_the_loop_and_the_kernel_agree(model: str, activation: str) -> None:
    """With noise, from the state in which networks start."""
    made = model_of(model=model, activation=activation)
    inputs = inputs_of(made)
    loop, fast = made.run(inputs, seed=3, x0=made.start), made.run(inputs, seed=3)
    np.testing.assert_allclose(loop.rates, fast.rates, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(loop.outputs, fast.outputs, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(loop.states, fast.states)
    assert not np.array_equal(fast.rates, made.run(inputs, seed=4).rates)


def test_trials_alone_have_the_bits_of_the_backend() -> None:
    made = model_of()
    trials = made.trials(test_trials=4)
    (expected,) = made.backend.activity(
        [made.network], [Trials(trials.inputs, rng.key(7, "notebook"))]
    )
    for given in (trials, trials.inputs, trials.inputs.astype(np.float64)):
        for how in ({"seed": 7}, {"noise": 7}):
            np.testing.assert_array_equal(made.run(given, **how).rates, expected.rates)


@EACH_MODEL
def test_the_loop_is_that_of_the_analyses(model: str, activation: str) -> None:
    """From any state, bit for bit: also with normals of one's own, which that draws step by step."""
    made = model_of(model=model, activation=activation)
    inputs, random = inputs_of(made), np.random.default_rng(0)
    x0 = made.start + 0.1 * random.random((TRIALS, made.dynamics.size))
    quiet = made.run(inputs, None, x0=x0)
    np.testing.assert_array_equal(quiet.states, made.dynamics.simulate(inputs, x0))
    np.testing.assert_array_equal(quiet.rates, made.dynamics.rates(quiet.states))
    drawn = np.random.default_rng(1).standard_normal((STEPS, 2, TRIALS, UNITS)).astype(np.float32)
    noisy = made.run(inputs, x0=x0, noise=(drawn[:, 0], drawn[:, 1]))
    expected = made.dynamics.simulate(inputs, x0, np.random.default_rng(1))
    np.testing.assert_array_equal(noisy.states, expected)


def test_a_run_goes_on_from_the_state_in_which_another_ended() -> None:
    made = model_of(model="short_term_plasticity")
    inputs = inputs_of(made)
    whole, first = made.run(inputs, None), made.run(inputs[:15], noise=False)
    rest = made.run(inputs[15:], noise=None, x0=first.states[-1])
    np.testing.assert_allclose(rest.states, whole.states[15:], atol=1e-12)
    x, u, d = (whole.state(name) for name in ("x", "u", "d"))
    np.testing.assert_array_equal(np.concatenate([x, u, d], axis=-1), whole.states)
    one = made.run(inputs, None, x0=made.start)  # one state for all trials
    np.testing.assert_array_equal(one.states, whole.states)


def test_normals_of_currents_alone_leave_the_rates_without_noise() -> None:
    made = model_of()
    inputs = inputs_of(made)
    xi = np.zeros((STEPS, TRIALS, UNITS))
    np.testing.assert_array_equal(made.run(inputs, noise=xi).states, made.run(inputs, None).states)
    xi[0] = 1.0
    moved = made.run(inputs, noise=xi).states[0] - made.run(inputs, None).states[0]
    np.testing.assert_allclose(moved, np.tile(made.network.parameters["sigma"], (TRIALS, 1)))


@EACH_MODEL
def test_units_that_are_clamped_to_nothing_are_lesioned(model: str, activation: str) -> None:
    made = model_of(model=model, activation=activation)
    inputs, units = inputs_of(made), [7, 3]
    clamped = made.run(inputs, perturb=[ctrnn.Clamp(units, 0.0)])
    lesioned = made.lesion(units).run(inputs)
    others = np.setdiff1d(np.arange(UNITS), units)
    assert not clamped.rates[..., units].any()
    np.testing.assert_allclose(
        clamped.rates[..., others], lesioned.rates[..., others], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(clamped.outputs, lesioned.outputs, rtol=1e-5, atol=1e-5)
    assert not np.allclose(clamped.outputs, made.run(inputs).outputs)


@EACH_MODEL
def test_a_current_is_what_an_input_of_its_own_would_add(model: str, activation: str) -> None:
    """Into a unit, as one more channel with weight 1 to it."""
    made = model_of(model=model, activation=activation, dt=0.5)
    inputs = inputs_of(made)
    given = made.run(inputs, perturb=[ctrnn.Current([4, 2], [0.5, -1.0], start=5, end=15)])
    into = np.zeros((UNITS, 1))
    into[4], into[2] = 0.5, -1.0
    wider = dataclasses.replace(
        made.dynamics, W_in=np.concatenate([made.dynamics.W_in, into], axis=1)
    )
    pulse = np.zeros((STEPS, TRIALS, 1))
    pulse[10:30] = 1.0
    more = np.concatenate([inputs, pulse], axis=2)
    quiet = made.run(inputs, None, perturb=[ctrnn.Current([4, 2], [0.5, -1.0], 5, 15)])
    np.testing.assert_allclose(quiet.states, wider.simulate(more), atol=1e-12)
    before = made.run(inputs, x0=made.start)
    np.testing.assert_array_equal(given.states[:10], before.states[:10])
    assert (given.states[10, :, [2, 4]] != before.states[10, :, [2, 4]]).all()


def test_a_clamp_holds_rates_between_its_times_only() -> None:
    made = model_of(dt=0.5)
    rate = np.linspace(0, 1, TRIALS)[:, None]
    held = made.run(inputs_of(made), perturb=[ctrnn.Clamp(slice(0, 3), rate, 5, 15)])
    free = made.run(inputs_of(made), x0=made.start)
    for t, is_held in ((9, False), (10, True), (29, True), (30, False)):
        same = held.rates[t, :, :3] == rate
        assert same.all() if is_held else not same.any()
    np.testing.assert_array_equal(held.states[:11], free.states[:11])  # a rate acts a step later
    assert (held.states[11] != free.states[11]).any()


def test_a_displacement_is_a_start_from_elsewhere() -> None:
    made = model_of(model="adaptation")
    inputs = inputs_of(made)
    by = np.random.default_rng(3).normal(size=made.dynamics.size)
    at_once = made.run(inputs, perturb=ctrnn.Displacement(by))  # one needs no list
    np.testing.assert_array_equal(at_once.states, made.run(inputs, x0=made.start + by).states)
    later = made.run(inputs, None, perturb=[ctrnn.Displacement(by, at=15)])
    free = made.run(inputs, None)
    np.testing.assert_array_equal(later.states[:15], free.states[:15])
    onwards = made.run(inputs[15:], None, x0=free.states[14] + by)
    np.testing.assert_allclose(later.states[15:], onwards.states, atol=1e-12)


def test_outcomes_are_those_of_the_perturbed_run() -> None:
    made = model_of()
    trials = made.trials(test_trials=4)
    clamp = [ctrnn.Clamp(slice(None), 0.0)]
    outcomes = made.outcomes(trials, perturb=clamp)
    np.testing.assert_allclose(outcomes["response"], made.network.weights["b_out"][0])
    assert not np.allclose(made.outcomes(trials)["response"], outcomes["response"])


ALL = slice(None)


@pytest.mark.parametrize(
    ("given", "how", "sentence"),
    [
        (None, {}, r"^there are no trials or inputs in a NoneType; give model\.trials\(\), or "),
        (np.zeros((9, 4)), {}, r"^the inputs have shape \[9, 4\]; give \[time, trial, channel\] "),
        (np.zeros((9, 4, 1)), {}, r"shape \[9, 4, 1\]; .* 2 channels sample, test$"),
        (np.zeros((0, 4, 2)), {}, r"^the inputs have shape \[0, 4, 2\]; give"),
        ([["a"], ["b", "c"]], {}, r"^the inputs are no array of numbers; give"),
        (np.full((9, 4, 2), np.nan), {}, r"^the inputs have numbers that are not finite; give"),
        (9, {"x0": np.zeros(5)}, r"^x0 has shape \[5\]; give \[..., state\] with 12 finite"),
        (9, {"x0": np.zeros((4, UNITS))}, r"^x0 has shape \[4, 12\]; give \[state\], or \[trial, state\] of 5"),
        (9, {"x0": "start"}, r"^x0 has shape \[\]; give"),
        (9, {"noise": np.zeros((9, 5, 3))}, r"^noise of shape \[9, 5, 3\] is not .*\[9, 5, 12\]"),
        (9, {"noise": "loud"}, r"^noise = 'loud' is not allowed; give a seed"),
        (9, {"perturb": [0.5]}, r"^perturb holds a float; give a list of ctrnn\.Current, "),
        (9, {"perturb": [ctrnn.Clamp(12, 0)]}, r"^units = 12 does not choose among 12 units; give"),
        (9, {"perturb": [ctrnn.Clamp([1, 1], 0)]}, r"^units = \[1, 1\] does not .* each once"),
        (9, {"perturb": [ctrnn.Clamp([1.5], 0)]}, r"^units = \[1\.5\] does not choose"),
        (9, {"perturb": [ctrnn.Clamp([True], 0)]}, r"^units = \[True\] does not choose"),
        (9, {"perturb": [ctrnn.Clamp(ALL, [0, 1])]}, r"^Clamp\.rate = \[0, 1\] is .*\[12\] or"),
        (9, {"perturb": [ctrnn.Current(0, np.inf)]}, r"^Current\.amount has numbers that are not"),
        (9, {"perturb": [ctrnn.Current(0, 1, 5, 5)]}, r"^Current\.start = 5 ms to end = 5 ms is"),
        (9, {"perturb": [ctrnn.Current(0, 1, 5, 10)]}, r"is no part of a trial of 9 ms; give"),
        (9, {"perturb": [ctrnn.Displacement(np.ones(3))]}, r"^Displacement\.by = array.*\[12\] or"),
        (9, {"perturb": [ctrnn.Displacement(1, at=9)]}, r"^Displacement\.at = 9 ms is no part of"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_one_sentence(given: Any, how: dict[str, Any], sentence: str) -> None:
    made = model_of()
    inputs = inputs_of(made, given) if isinstance(given, int) else given
    with pytest.raises(NotebookError, match=sentence):
        made.run(inputs, **how)


def test_a_time_between_two_steps_is_one_sentence() -> None:
    made = model_of(dt=0.5)
    with pytest.raises(
        ParamsError, match=r"^Clamp\.start = 0\.3 ms is no whole number of steps of"
    ):
        made.run(inputs_of(made), perturb=[ctrnn.Clamp(0, 0, start=0.3)])


def test_outcomes_of_inputs_without_conditions_are_one_sentence() -> None:
    made = model_of()
    with pytest.raises(UserError, match=r"^outcomes takes trials, which have conditions, not nda"):
        made.outcomes(inputs_of(made))


def test_a_state_that_units_do_not_have_is_one_sentence() -> None:
    made = model_of(model="adaptation")
    with pytest.raises(NotebookError, match=r"^y is no state of a unit; there are x, w"):
        made.run(inputs_of(made)).state("y")


def test_a_model_and_its_runs_can_go_to_another_process() -> None:
    made = model_of(model="adaptation")
    inputs = inputs_of(made)
    run = made.run(inputs, x0=made.start)  # which asks for the equations
    again, there = pickle.loads(pickle.dumps(made)), pickle.loads(pickle.dumps(run))
    np.testing.assert_array_equal(again.run(inputs, x0=made.start).states, run.states)
    for name in ("rates", "outputs", "states"):
        np.testing.assert_array_equal(getattr(there, name), getattr(run, name))


def test_completion_shows_what_notebooks_use() -> None:
    assert {"load", "runs", "Clamp", "Current", "Displacement"} <= set(dir(ctrnn))
