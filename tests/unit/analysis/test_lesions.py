from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ctrnn import tasks
from ctrnn.analysis.lesions import LesionSettings, controls, lesions, silenced
from ctrnn.analysis.recording import new_trials
from ctrnn.network import Network, Trials, initialise
from ctrnn.network.native_backend import NativeBackend
from tests.settings import settings

PARAMS = settings(network__n_units=30)
TASK = tasks.get_task("go_nogo", PARAMS.tasks, 1.0)
NETWORK = initialise(PARAMS.network, 1, 1, seed=1)
NONE = np.array([], np.int64)


def test_a_lesion_of_nothing_changes_no_bit() -> None:
    trials = Trials(new_trials(TASK, 4, 1).inputs, noise=5)
    one, other = NativeBackend(1).activity([NETWORK, silenced(NETWORK, NONE)], [trials, trials])
    np.testing.assert_array_equal(one.rates, other.rates)
    np.testing.assert_array_equal(one.outputs, other.outputs)


def test_silenced_units_reach_nobody() -> None:
    lesioned = silenced(NETWORK, np.array([3, 7]))
    assert not lesioned.W_eff[:, [3, 7]].any()
    assert not lesioned.weights["W_out"][:, [3, 7]].any()
    kept = np.delete(np.arange(30), [3, 7])
    np.testing.assert_array_equal(lesioned.W_eff[:, kept], NETWORK.W_eff[:, kept])
    assert NETWORK.W_eff[:, 3].any()  # the network itself stays whole


def test_controls_match_the_group_and_leave_it_out() -> None:
    outgoing = np.random.default_rng(0).random(200)
    group = np.argsort(outgoing)[-20:]
    as_many, as_strong = controls(group, outgoing, np.random.default_rng(1))
    assert len(as_many) == 20
    assert not np.intersect1d(group, np.r_[as_many, as_strong]).size
    assert outgoing[as_strong].sum() == pytest.approx(outgoing[group].sum(), abs=0.5)
    assert len(as_strong) > 20


def test_doses_grow_and_a_whole_population_is_silenced_at_dose_one() -> None:
    doses = LesionSettings(doses=[0.0, 0.5, 1.0], draws=2, trials_per_condition=2)
    batch = new_trials(TASK, 2, 1)
    d_prime = {"choice": np.linspace(-1, 1, 30)}
    lesioned = lesions(TASK, batch, NETWORK, d_prime, 1, doses, NativeBackend(1))
    assert lesioned.groups == ("excitatory", "inhibitory", "choice-selective")
    assert lesioned.n_units.tolist() == [[0, 12, 24], [0, 3, 6], [0, 15, 30]]
    assert (
        lesioned.accuracy[:, 0] == lesioned.accuracy[0, 0, 0]
    ).all()  # dose 0: every group and control is intact


class NeedsUnit0:
    """Networks that answer right while unit 0 acts, and wrong where it is silenced."""

    def outputs(self, networks: Any, trials: Any) -> list[np.ndarray]:
        return [
            np.ones((*trial_set.inputs.shape[:2], 1), np.float32) * bool(network.W_eff[:, 0].any())
            for network, trial_set in zip(networks, trials, strict=True)
        ]


def test_accuracy_falls_where_the_units_that_matter_are_silenced() -> None:
    once = LesionSettings(doses=[1 / 30, 1.0], draws=6, trials_per_condition=2)
    go = new_trials(TASK, 2, 1)
    go = dataclasses.replace(go, conditions=go.conditions.assign(stimulus="go"))
    d_prime = np.linspace(0, 1, 30)
    d_prime[0] = -2.0
    backend: Any = NeedsUnit0()
    lesioned = lesions(TASK, go, NETWORK, {"choice": d_prime}, 1, once, backend)
    excitatory, inhibitory, selective = lesioned.accuracy[..., 0]  # [dose, kind]
    assert selective[0].tolist() == [0, 1, 1]  # the one unit with the largest |d'|
    assert excitatory[1].tolist() == [0, 1, 1]  # controls are inhibitory
    assert inhibitory[1, 0] == 1
    assert selective[1].tolist() == [0, 1, 1]  # nobody is left for the controls
    assert lesioned.n_units.tolist() == [[1, 24], [0, 6], [1, 30]]


def test_controls_of_the_same_weight_come_nearest_to_it() -> None:
    outgoing = np.array([3.0, 2.0, 2.0, 2.0, 2.0])
    as_many, as_strong = controls(np.array([0]), outgoing, np.random.default_rng(0))
    assert (len(as_many), len(as_strong)) == (1, 1)  # 2 and 4 are as near: the fewer
    _, stronger = controls(
        np.array([0]), outgoing + 0.5 * (outgoing == 3), np.random.default_rng(0)
    )
    assert len(stronger) == 2
    _, nobody = controls(np.array([0]), np.array([0.4, 1.0, 1.0]), np.random.default_rng(0))
    assert len(nobody) == 0


class ThreeSilent:
    """Networks that answer right where exactly three of their units are silenced."""

    def outputs(self, networks: Any, trials: Any) -> list[np.ndarray]:
        return [
            np.ones((*trial_set.inputs.shape[:2], 1), np.float32)
            * ((~network.W_eff.any(axis=0)).sum() == 3)
            for network, trial_set in zip(networks, trials, strict=True)
        ]


def test_the_weight_of_a_unit_is_what_it_sends_and_not_what_it_receives() -> None:
    """Unit 0 sends 3 to every unit, the others 0.1: all three together are the nearest to it."""
    free = initialise(
        settings(network__n_units=4, network__p_rec=1.0, network__dale=False).network, 1, 1, seed=1
    )
    W = np.full((4, 4), 0.1, np.float32)
    W[:, 0] = 3
    network = Network(free.wiring, {**free.weights, "W_rec": W})
    go = new_trials(TASK, 2, 1)
    go = dataclasses.replace(go, conditions=go.conditions.assign(stimulus="go"))
    once = LesionSettings(doses=[0.25], draws=1, trials_per_condition=2)
    backend: Any = ThreeSilent()
    lesioned = lesions(TASK, go, network, {"choice": np.array([9.0, 0, 0, 0])}, 1, once, backend)
    assert lesioned.accuracy[-1, 0, :, 0].tolist() == [0, 0, 1]


class Counted:
    """Networks that answer 1, and how often each set of silenced units was run."""

    def __init__(self) -> None:
        self.runs: list[tuple[int, ...]] = []

    def outputs(self, networks: Any, trials: Any) -> list[np.ndarray]:
        self.runs += [tuple(np.flatnonzero(~n.weights["W_out"].any(axis=0))) for n in networks]
        return [np.ones((*t.inputs.shape[:2], 1), np.float32) for t in trials]


def test_every_distinct_set_of_units_is_silenced_once() -> None:
    """The units of largest |d'| are the same in every draw, and so is nothing."""
    counted: Any = Counted()
    doses = LesionSettings(doses=[0.0, 0.1, 1.0], draws=4, trials_per_condition=2)
    d_prime = {"choice": np.linspace(-1, 1, 30), "motion": np.linspace(-1, 1, 30)}
    lesioned = lesions(TASK, new_trials(TASK, 2, 1), NETWORK, d_prime, 1, doses, counted)
    assert len(counted.runs) == len(set(counted.runs))
    assert {(), tuple(range(30))} < set(counted.runs)
    assert lesioned.intact.tolist() == lesioned.accuracy[0, 0, 0].tolist()


def test_the_dose_is_told_in_units_and_in_summed_weight() -> None:
    doses = LesionSettings(doses=[0.0, 0.2, 1.0], draws=1, trials_per_condition=2)
    d_prime, backend = {"choice": np.linspace(-1, 1, 30)}, NativeBackend(1)
    lesioned = lesions(TASK, new_trials(TASK, 2, 1), NETWORK, d_prime, 1, doses, backend)
    outgoing = np.abs(NETWORK.W_eff).sum(axis=0, dtype=np.float64)
    ranked = np.lexsort((-np.round(np.abs(d_prime["choice"]), 6),))
    expected = [0.0, outgoing[ranked[:6]].sum() / outgoing.sum(), 1.0]
    np.testing.assert_allclose(lesioned.weight[2, :, 0], expected)
    np.testing.assert_allclose(lesioned.weight[0, 2, 0] + lesioned.weight[1, 2, 0], 1.0)
    assert lesioned.n_units[2].tolist() == [0, 6, 30]
