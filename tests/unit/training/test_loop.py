"""Training: what it keeps, what it reports, when it stops, and that networks do not know of each other."""

from __future__ import annotations

import json
import math
import signal
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ctrnn.analysis import weights
from ctrnn.core import artifacts, rng
from ctrnn.network import Network, Trials, get_backend, initialise
from ctrnn.network.weights_file import read_network
from ctrnn.params import Params
from ctrnn.tasks import get_task, trial_table
from ctrnn.training.curriculum import (
    Check,
    beyond_reach,
    build_curriculum,
    exceeds,
    is_abandoned,
    meets_criterion,
)
from ctrnn.training.loop import TrainingError, diverged, progress, stop_signals, train
from ctrnn.training.optimizer import with_weight_penalties
from ctrnn.training.settings import EarlyAbandon
from ctrnn.training.state import TrainState, learning_curve, save
from tests.settings import settings

SMALL: dict[str, Any] = {
    "network__n_units": 24,
    "tasks__go_nogo__T": 40,
    "tasks__go_nogo__stim_on": 5,
    "tasks__go_nogo__stim_dur": 15,
    "tasks__go_nogo__response_dur": 20,
    "tasks__go_nogo__train_trials": 256,
    "tasks__go_nogo__validation_trials": 64,
    "train__n_networks": 2,
    "train__max_iterations": 12,
    "train__check_every": 5,
    "train__batch_size": 32,
    "train__coarse_dt": None,  # see test_coarse.py
}


def run(store: Path | None = None, /, **changes: Any) -> tuple[list[TrainState], Params]:
    store = store or Path(tempfile.mkdtemp())
    params = settings(**{**SMALL, **changes})
    task = get_task("go_nogo", params.tasks, 1.0)
    taught, validation = (
        trial_table(task, split, params.seed) for split in ("train", "validation")
    )
    return train(
        task,
        taught,
        validation,
        params.seed,
        params.network,
        params.train,
        get_backend(params.train),
        store,
    ), params


def test_history_has_a_row_an_iteration_and_accuracy_at_checks() -> None:
    states, _ = run()
    for state in states:
        assert [row["iteration"] for row in state.history] == list(range(1, 13))
        checked = [row["iteration"] for row in state.history if not math.isnan(row["accuracy"])]
        assert checked == [5, 10]
        assert state.summary()["validation_accuracy"] >= 0  # of the check at the end
        assert all(row["gradient_norm"] > 0 for row in state.history)


def test_training_lowers_the_loss() -> None:
    states, _ = run(train__max_iterations=60)
    for state in states:
        assert state.history[-1]["loss"] < 0.7 * state.history[0]["loss"]


@pytest.mark.parametrize("dale", [True, False])
def test_no_weight_changes_sign_or_leaves_its_pattern(dale: bool) -> None:
    states, _ = run(network__dale=dale, train__learning_rate=0.05)
    for state in states:
        wiring, before, after = state.network.wiring, state.start.W_eff, state.network.W_eff
        assert not np.array_equal(before, after)
        assert not after[~wiring.mask].any()
        assert not state.network.weights["W_rec"][~wiring.mask].any()
        if dale:
            assert (after * wiring.sign >= 0).all()
            assert (after[before == 0] == 0).all()


@pytest.mark.parametrize("name", ["W_in", "W_rec", "b_rec", "W_out", "b_out"])
@pytest.mark.parametrize("signed", [False, True])
def test_only_what_is_trainable_changes(name: str, signed: bool) -> None:
    flags = {
        f"train__trainable__{other}": other == name
        for other in ("W_in", "W_rec", "b_rec", "W_out", "b_out")
    }
    penalties = dict.fromkeys(("rates", "W_rec", "W_out"), 0.1 if signed else 0.0)
    signs = {"network__dale_inputs": signed, "network__dale_readout": signed}
    (state, _), _ = run(**flags, **signs, train__penalties=penalties)
    for array, before in state.start.weights.items():
        changed = not np.array_equal(before, state.network.weights[array])
        assert changed == (array == name), array


TRAINED_PARAMETERS: dict[str, Any] = {
    "network__model": "adaptation",
    "network__parameters": {"tau_w": 20, "g_w": 0.5},
    "train__trainable__tau": True,
    "train__trainable__parameters": ["tau_w"],
}


def test_time_constants_are_trained_for_every_unit_and_stay_in_range() -> None:
    (state, _), _ = run(**TRAINED_PARAMETERS, network__tau=1.5, train__learning_rate=0.2)
    for name in ("tau", "tau_w"):
        before, after = state.start.weights[name], state.network.weights[name]
        assert (before != after).mean() > 0.9
        assert len(set(after.tolist())) > 10
        assert after.min() >= 1  # dt
    assert state.network.weights["tau"].min() == 1
    assert "g_w" not in state.network.weights
    sd = state.network.parameters["sigma"]
    alpha = 1 / state.network.weights["tau"]
    np.testing.assert_allclose(sd, 0.01 * np.sqrt(alpha * (2 - alpha)), rtol=1e-5)


def test_a_time_constant_that_grows_coarsely_stays_what_a_file_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its upper bound is that of network.dt, whatever the time step of the moment is."""
    monkeypatch.chdir(tmp_path)  # where the learning curve is written to
    states, params = run(
        train__trainable__tau=True, train__coarse_dt=5.0, train__learning_rate=1000.0,
        network__tau_inh=100_000.0, train__max_iterations=5,
    )  # fmt: skip
    task = get_task("go_nogo", params.tasks, params.network.dt)
    save(tmp_path, task, states, params.network, params.train)
    tau = read_network(tmp_path / "network-0.safetensors").parameters["tau"]
    assert tau.min() >= 5 and tau.max() == 100_000


def test_what_only_time_constants_learn_lowers_the_loss() -> None:
    names = ("W_in", "W_rec", "b_rec", "W_out", "b_out")
    frozen = {f"train__trainable__{name}": name == "W_out" for name in names}
    losses = {}
    for trained in (False, True):
        states, _ = run(
            **frozen, train__trainable__tau=trained, train__max_iterations=200, train__learning_rate=0.01,
            train__patience=1000, network__sigma_pre=0.0, network__sigma_post=0.0,
        )  # fmt: skip
        losses[trained] = np.mean([row["loss"] for s in states for row in s.history[-20:]])
    assert losses[True] < 0.9 * losses[False]


def test_trained_parameters_are_in_the_files_and_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where the learning curve is written to
    states, params = run(**TRAINED_PARAMETERS)
    task = get_task("go_nogo", params.tasks, params.network.dt)
    save(tmp_path, task, states, params.network, params.train)
    for stem, network in (("network", states[1].network), ("initial", states[1].start)):
        read = read_network(tmp_path / f"{stem}-1.safetensors")
        assert read.trained_parameters == {"tau", "tau_w"}
        for name, array in network.parameters.items():
            assert np.array_equal(read.parameters[name], array)
    report = weights.parameter_metrics([s.start for s in states], [s.network for s in states])
    tau = states[0].network.weights["tau"][states[0].network.wiring.sign > 0]
    excitatory = report["parameters"]["tau"]["excitatory"]
    assert excitatory["before"][0] == {"mean": 20, "sd": 0}
    assert excitatory["after"][0]["mean"] == pytest.approx(tau.astype(float).mean())
    assert excitatory["after"][0]["sd"] == pytest.approx(tau.astype(float).std())


def test_a_network_with_trained_parameters_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    whole, _ = run(**TRAINED_PARAMETERS)
    run(tmp_path, **TRAINED_PARAMETERS, train__max_iterations=5)
    resumed, _ = run(tmp_path, **TRAINED_PARAMETERS)
    for state, other in zip(whole, resumed, strict=True):
        pd.testing.assert_frame_equal(pd.DataFrame(state.history), pd.DataFrame(other.history))
        for name, array in state.network.weights.items():
            assert np.array_equal(other.network.weights[name], array)


def test_signed_inputs_and_readout_keep_their_signs_and_still_learn() -> None:
    states, _ = run(
        network__dale_inputs=True,
        network__dale_readout=True,
        train__trainable__W_in=True,
        train__max_iterations=120,
    )
    for state in states:
        acting, before = (network.effective_weights for network in (state.network, state.start))
        excitatory = state.network.wiring.sign > 0
        for name in ("W_in", "W_out"):
            assert (acting[name] >= 0).all()
            assert not np.array_equal(acting[name], before[name])
        assert not acting["W_out"][:, ~excitatory].any()
        assert state.history[-1]["loss"] < 0.7 * state.history[0]["loss"]


@pytest.mark.parametrize(
    ("name", "factor", "backend"),
    [
        ("rates", 3.0, "native"),
        ("rates", 3.0, "torch"),
        ("W_rec", 30.0, "native"),
        ("W_out", 300.0, "native"),
    ],
)
def test_a_penalty_makes_smaller_what_it_names(name: str, factor: float, backend: str) -> None:
    def size(penalty: float) -> float:
        (state,), params = run(
            train__n_networks=1,
            train__max_iterations=30,
            train__backend=backend,
            **{f"train__penalties__{name}": penalty},
        )
        network = state.network
        trials = [Trials(np.ones((40, 8, 1), np.float32), noise=None)]
        (activity,) = get_backend(params.train).activity([network], trials)
        sizes = {"rates": activity.rates, "W_rec": network.W_eff, "W_out": network.weights["W_out"]}
        return float(np.square(sizes[name]).mean())

    assert size(factor) < 0.97 * size(0.0)


def test_the_gradient_of_the_weight_penalties_is_that_of_their_value() -> None:
    (state, _), params = run(network__dale_readout=True)
    network = state.network
    penalties = params.train.penalties.model_copy(update={"W_rec": 0.5, "W_out": 2.0})
    zero = {name: np.zeros_like(network.weights[name]) for name in ("W_rec", "W_out")}

    def value(weights: dict[str, np.ndarray]) -> float:
        changed = Network(network.wiring, {**network.weights, **weights})
        return with_weight_penalties(0.0, {}, changed, penalties)[0]

    _, gradients = with_weight_penalties(0.0, zero, network, penalties)
    for name, gradient in gradients.items():
        step = (1e-2 * np.random.default_rng(0).standard_normal(gradient.shape)).astype(np.float32)
        step[np.abs(network.weights[name]) < 0.1 * np.abs(network.weights[name]).max()] = 0
        ends = [value({name: network.weights[name] + sign * step / 10}) for sign in (1, -1)]
        expected = float((gradient.astype(float) * step / 5).sum())
        assert ends[0] - ends[1] == pytest.approx(expected, rel=1e-2)


def test_a_network_without_synapses_has_no_penalty_on_them() -> None:
    nothing = settings(network__n_units=5, network__p_rec=0, train__penalties={
        "rates": 0.0, "W_rec": 1.0, "W_out": 0.0
    })  # fmt: skip
    network = initialise(nothing.network, 1, 1, seed=1)
    zero = {"W_rec": np.zeros((5, 5), np.float32)}
    loss, gradients = with_weight_penalties(0.5, zero, network, nothing.train.penalties)
    assert loss == 0.5
    assert not gradients["W_rec"].any()


def test_a_network_does_not_know_how_many_others_there_are() -> None:
    one, _ = run(train__n_networks=1)
    three, _ = run(train__n_networks=3)
    for name, array in one[0].network.weights.items():
        np.testing.assert_array_equal(array, three[0].network.weights[name])


def test_the_same_seed_gives_the_same_bits_and_another_seed_others() -> None:
    (first, _), _ = run()
    (again, _), _ = run()
    (other, _), _ = run(seed=9)
    W = first.network.weights["W_rec"]
    np.testing.assert_array_equal(W, again.network.weights["W_rec"])
    assert not np.array_equal(W, other.network.weights["W_rec"])


@pytest.mark.parametrize(("in_a_row", "iterations"), [(1, 5), (2, 10)])
def test_training_stops_when_the_criterion_is_met_often_enough_in_a_row(
    in_a_row: int, iterations: int
) -> None:
    met_at_once = {"train__stop_criterion": "loss", "train__loss_criterion": 10.0}
    states, _ = run(train__patience=in_a_row, **met_at_once)
    for state in states:
        assert state.summary()["converged"]
        assert state.summary()["iterations"] == len(state.history) == iterations


def test_a_check_that_misses_the_criterion_only_begins_the_row_anew() -> None:
    def losses(iterations: int) -> list[float]:
        states, _ = run(train__max_iterations=iterations)
        return [state.summary()["validation_loss"] for state in states]

    between = float(np.mean([losses(5)[0], losses(10)[0]]))
    states, _ = run(train__stop_criterion="loss", train__loss_criterion=between, train__patience=1)
    assert states[0].summary()["converged"]
    assert states[0].summary()["iterations"] == 10  # missed at 5


def test_a_missed_criterion_is_reported_and_an_error_only_if_required() -> None:
    states, _ = run(train__accuracy_criterion=1.0)
    assert [state.summary()["converged"] for state in states] == [False, False]
    with pytest.raises(TrainingError, match=r"networks \[0, 1\] .* train\.max_iterations = 12"):
        run(train__accuracy_criterion=1.0, train__require_convergence=True)


def test_a_network_of_low_accuracy_is_given_up_at_a_check_after_so_many_iterations() -> None:
    never = {"train__accuracy_criterion": 1.0, "train__max_iterations": 30}
    early_abandon = {"train__early_abandon": {"after": 12, "below": 1.0}}
    states, _ = run(**never, **early_abandon, train__learning_rate=1e-9)
    assert [state.iteration for state in states] == [15, 15]
    assert not states[0].summary()["converged"]
    assert "given up after 15 iterations" in states[0].summary_line()
    good, _ = run(**never, train__early_abandon={"after": 12, "below": 0.0})
    assert good[0].iteration == 30


def test_a_network_that_was_given_up_stays_so(tmp_path: Path) -> None:
    changes = {
        "train__accuracy_criterion": 1.0,
        "train__early_abandon": {"after": 5, "below": 1.0},
        "train__learning_rate": 1e-9,
    }
    first, _ = run(tmp_path, **changes)
    again, _ = run(tmp_path, **changes)
    assert [state.iteration for state in again] == [state.iteration for state in first] == [5, 5]


def test_a_loss_that_is_not_finite_later_names_what_moved_the_weights() -> None:
    with pytest.raises(
        TrainingError,
        match=r"^the loss of network 0 of go_nogo is not finite at iteration [2-9]; "
        r"lower train\.learning_rate = 1e\+29 or network\.w_gain = 1\.5$",
    ):
        run(train__learning_rate=1e29, train__clip_norm=None)


def test_a_loss_that_is_not_finite_at_once_names_the_largest_that_acted() -> None:
    with pytest.raises(
        TrainingError,
        match=r"^the loss of network 0 of go_nogo is not finite at iteration 1; lower network\.readout_sd = 1e\+25 or "
        r"network\.w_gain = 3\.0 or network\.W_in_sd = 1\.0$",
    ):
        run(network__readout_sd=1e25, network__w_gain=3.0)


def test_weights_that_are_not_finite_are_told_where_the_loss_is() -> None:
    """A sigmoid makes 0 of an infinite bias; evaluation would refuse the file of the weights."""
    with pytest.raises(
        TrainingError,
        match=r"^the b_rec of network 0 of go_nogo is not finite at iteration 1; "
        r"lower network\.parameters\.g_w = 1e\+30",
    ):
        run(network__model="adaptation", network__parameters={"g_w": 1e30})


@pytest.mark.parametrize("g_w", [1e30, {"excitatory": 1.0, "inhibitory": 1e30}])
def test_a_loss_that_is_not_finite_names_the_parameter_of_the_model_that_was_raised(
    g_w: Any,
) -> None:
    with pytest.raises(
        TrainingError,
        match=r"at iteration 1; lower network\.parameters\.g_w = 1e\+30 or network\.w_gain = 1\.5 or network\.W_in_sd",
    ):
        run(
            network__model="adaptation",
            network__activation="relu",
            network__sigma_pre=1.0,
            network__parameters={"g_w": g_w},
        )


def test_a_parameter_that_was_raised_may_be_what_makes_a_loss_grow_later() -> None:
    (state, *_), params = run(
        network__model="adaptation", network__parameters={"g_w": 1e6}, train__max_iterations=1
    )
    task = get_task("go_nogo", params.tasks, 1.0)
    assert diverged(task, state, params.train, "loss").endswith(
        "at iteration 2; lower network.parameters.g_w = 1000000.0 or train.learning_rate = 0.003 or "
        "network.w_gain = 1.5 or train.clip_norm = 1.0"
    )


@pytest.mark.parametrize(("criterion", "met"), [(0.98, False), (1.0, True)])
def test_a_criterion_of_1_asks_for_all_and_another_for_more(criterion: float, met: bool) -> None:
    params = settings(train__accuracy_criterion=criterion)
    assert meets_criterion(Check(accuracy=criterion, loss=1.0), params.train) is met
    assert exceeds(1.0, criterion)


@pytest.mark.parametrize(
    ("stop_criterion", "accurate", "precise", "met"),
    [
        ("accuracy", True, False, True),
        ("accuracy", False, True, False),
        ("loss", False, True, True),
        ("loss", True, False, False),
        ("either", True, False, True),
        ("either", False, True, True),
        ("either", False, False, False),
        ("both", True, False, False),
        ("both", True, True, True),
    ],
)
def test_criteria(stop_criterion: str, accurate: bool, precise: bool, met: bool) -> None:
    check = Check(accuracy=0.99 if accurate else 0.98, loss=0.009 if precise else 0.01)
    assert meets_criterion(check, settings(train__stop_criterion=stop_criterion).train) is met


@pytest.mark.parametrize(
    ("accuracy", "iteration", "early_abandon"),
    [(0.5, 100, True), (0.5, 99, False), (0.6, 100, False), (0.7, 200, False)],
)
def test_a_network_is_abandoned_from_an_iteration_on_below_an_accuracy(
    accuracy: float, iteration: int, early_abandon: bool
) -> None:
    rule = EarlyAbandon(after=100, below=0.6)
    assert is_abandoned(Check(accuracy, 1.0), iteration, rule) is early_abandon
    assert not is_abandoned(Check(accuracy, 1.0), iteration, None)


def test_the_files_of_a_training_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where reports/ is
    states, params = run(train__max_iterations=5)
    folder = artifacts.folder("train", "go_nogo")
    task = get_task("go_nogo", params.tasks, 1.0)
    save(folder, task, states, params.network, params.train)
    weights = {f"{stem}-{i}.safetensors" for stem in ("network", "initial") for i in (0, 1)}
    assert {path.name for path in folder.iterdir()} == {
        *weights, "history.csv", "summary.json", "SHA256SUMS",
    }  # fmt: skip
    assert (tmp_path / "reports/train/go_nogo.csv").exists()


def test_the_learning_curve_is_the_mean_and_who_has_finished_counts_on() -> None:
    rows = [(5, 0, 1.0, 0.5), (5, 1, 3.0, 0.7), (6, 1, 9.0, math.nan), (10, 1, 2.0, 0.9)]
    history = pd.DataFrame(rows, columns=["iteration", "network", "loss", "accuracy"])
    curve = learning_curve(history)
    assert curve["iteration"].tolist() == [5, 10]
    assert curve["loss"].tolist() == [2.0, 1.5]
    assert curve["accuracy"].tolist() == pytest.approx([0.6, 0.7])


def test_progress_shows_the_mean_of_the_last_losses_and_checks() -> None:
    states, _ = run(train__n_networks=2, train__max_iterations=1)
    for state, loss, accuracy in zip(states, (1.0, 3.0), (0.5, 0.75), strict=True):
        state.history = [{"loss": 100.0}, {"loss": loss}]
        state.last_check = Check(accuracy, 7.0)
    states[1].converged = True
    assert progress(states) == "loss 2.0000, accuracy 0.625, 1/2 done"


def test_a_second_ctrl_c_interrupts_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stop_signals() as received:
        assert received == []
        signal.raise_signal(signal.SIGINT)
        assert received == [signal.SIGINT]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


EASY_FIRST = [
    {"settings": {"stim_dur": 10, "response_dur": 25}, "until": 0.0},
    {"settings": {"threshold": 0.6}, "until": 0.0},
]


def lessons_of(state: TrainState) -> list[int]:
    return [row["lesson"] for row in state.history]


def test_a_step_of_the_curriculum_ends_at_its_accuracy_and_the_task_itself_comes_last() -> None:
    at_chance = [{**EASY_FIRST[0], "until": -0.0}, {**EASY_FIRST[1], "until": 1.0}]
    easy = {
        "tasks__go_nogo__nogo_threshold": 0.6,
        "tasks__go_nogo__threshold": 0.6,
    }  # half is right
    states, _ = run(**easy, tasks__go_nogo__curriculum=at_chance)
    for state in states:
        assert lessons_of(state) == [0] * 5 + [1] * 7  # none exceeds 1.0
        assert not state.converged


def test_no_network_converges_in_a_step_of_the_curriculum() -> None:
    met_at_once = {"train__stop_criterion": "loss", "train__loss_criterion": 10.0}
    easy = {"tasks__go_nogo__nogo_threshold": 0.6, "tasks__go_nogo__threshold": 0.6}
    states, _ = run(
        **met_at_once, **easy, train__max_iterations=40, tasks__go_nogo__curriculum=EASY_FIRST[:1]
    )
    for state in states:
        assert state.converged
        assert lessons_of(state)[:5] == [0] * 5
        assert lessons_of(state)[-10:] == [1] * 10  # two checks on the task itself


def test_without_a_curriculum_every_iteration_is_of_the_task_itself() -> None:
    assert set(lessons_of(run()[0][0])) == {0}


def test_a_network_that_never_leaves_the_curriculum_is_reported_on_the_task_itself() -> None:
    never = [{"settings": {"threshold": 100.0, "nogo_threshold": -0.0}, "until": 0.5}]
    met = {"tasks__go_nogo__nogo_threshold": 0.6, "tasks__go_nogo__threshold": 0.6}
    (state, _), _ = run(**met, train__max_iterations=10, tasks__go_nogo__curriculum=never)
    assert lessons_of(state) == [0] * 10
    assert state.history[-1]["accuracy"] < 0.5 <= state.summary()["validation_accuracy"]


class Recording:
    """A backend that keeps what it is given to train on."""

    def __init__(self, params: Params) -> None:
        self.backend = get_backend(params.train)
        self.taught: list[Any] = []
        self.checked: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def loss_and_gradients(self, networks: Any, taught: Any, trainable: Any) -> Any:
        self.taught.append(taught)
        return self.backend.loss_and_gradients(networks, taught, trainable)

    def outputs(self, networks: Any, trials: Any) -> Any:
        self.checked.append(trials)
        return self.backend.outputs(networks, trials)


def recorded(store: Path, **changes: Any) -> tuple[Recording, list[TrainState], list[Any]]:
    """What the backend was given, the networks, and what `on_step` was called with."""
    params = settings(**{**SMALL, **changes})
    task = get_task("go_nogo", params.tasks, 1.0)
    backend: Any = Recording(params)
    tables = [trial_table(task, split, params.seed) for split in ("train", "validation")]
    steps: list[Any] = []
    states = train(
        task, tables[0], tables[1], params.seed, params.network, params.train, backend, store,
        lambda name, rows: steps.append((name, [(row["iteration"], row["network"]) for row in rows])),
    )  # fmt: skip
    return backend, states, steps


def test_noise_follows_from_the_networks_seed_and_the_iteration_counted_from_1(
    tmp_path: Path,
) -> None:
    backend, states, _ = recorded(tmp_path, train__max_iterations=6)
    for number, taught in enumerate(backend.taught):
        keys = [rng.key(state.seed, "train", "noise", number + 1) for state in states]
        assert [trials.noise for trials in taught] == keys
    at_5, at_the_end = backend.checked
    assert [trial_set.noise for trial_set in at_5] == [
        rng.key(s.seed, "validation", 5) for s in states
    ]
    assert [trial_set.noise for trial_set in at_the_end] == [
        rng.key(s.seed, "validation", 6) for s in states
    ]


def test_every_step_is_told_and_first_what_checkpoints_hold(tmp_path: Path) -> None:
    _, _, steps = recorded(tmp_path, train__max_iterations=2)
    name = steps[0][0]
    assert name.startswith("go_nogo-")
    assert len(name) == len("go_nogo-") + 32
    assert steps == [(name, []), (name, [(1, 0), (1, 1)]), (name, [(2, 0), (2, 1)])]
    _, _, more = recorded(tmp_path, train__max_iterations=3)
    assert more == [(name, [(1, 0), (2, 0), (1, 1), (2, 1)]), (name, [(3, 0), (3, 1)])]
    assert recorded(tmp_path, train__max_iterations=3)[2] == []  # nothing is left to train


def test_networks_share_the_time_that_training_took(tmp_path: Path) -> None:
    began = time.monotonic()
    _, states, _ = recorded(tmp_path)
    took = time.monotonic() - began
    assert all(state.seconds > 0 for state in states)
    assert sum(state.seconds for state in states) < took
    assert states[0].seconds == pytest.approx(states[1].seconds, rel=0.1)


def test_a_network_says_how_its_training_ended() -> None:
    (state, _), _ = run(train__max_iterations=1)
    state = replace(state, index=3, seed=7, seconds=1.25)
    assert state.summary_line() == "network 3 (seed 7): did not converge in 1 iterations, 1.2 s"
    state.converged = True
    assert state.summary_line() == "network 3 (seed 7): converged after 1 iterations, 1.2 s"
    state.converged, state.given_up = False, True
    assert state.summary_line() == "network 3 (seed 7): was given up after 1 iterations, 1.2 s"


def test_a_step_of_the_curriculum_trains_and_checks_on_trials_of_its_own() -> None:
    params = settings(**SMALL, tasks__go_nogo__curriculum=[
        {"settings": {"stim_dur": 9, "train_trials": 64, "validation_trials": 32}, "until": 0.7}
    ])  # fmt: skip
    task = get_task("go_nogo", params.tasks, 1.0)
    tables = [trial_table(task, split, 5) for split in ("train", "validation")]
    easy, last = build_curriculum(task, tables[0], tables[1], 5, 25, 64, None)
    assert (easy.task.settings.stim_dur, easy.until, last.until) == (9, 0.7, None)
    assert last.task is task
    assert last.trials is tables[0]
    for stage, counts in ((easy, (64, 32)), (last, (256, 64))):
        assert set(stage.trials["split"]) == {"train"}
        assert set(stage.validation.conditions["split"]) == {"validation"}
        assert (len(stage.trials), len(stage.validation.conditions)) == counts
    pd.testing.assert_frame_equal(easy.trials, trial_table(easy.task, "train", 5))


def test_a_network_of_one_synapse_has_the_penalty_of_its_square() -> None:
    params = settings(network__n_units=2, network__p_rec=1.0, network__p_inh=0.0, train__penalties={
        "rates": 0.0, "W_rec": 3.0, "W_out": 0.0
    })  # fmt: skip
    network = initialise(params.network, 1, 1, seed=1)
    mask = np.array([[False, True], [False, False]])
    W = np.array([[0, 0.5], [0, 0]], np.float32)
    single = Network(replace(network.wiring, mask=mask), {**network.weights, "W_rec": W})
    loss, gradients = with_weight_penalties(1.0, {"W_rec": W}, single, params.train.penalties)
    assert loss == 1 + 3 * 0.5**2
    assert gradients["W_rec"][0, 1] == 0.5 + 3 * 2 * 0.5


def test_the_history_is_written_by_iteration_and_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    states, params = run(train__max_iterations=2)
    folder = artifacts.folder("train", "go_nogo")
    save(folder, get_task("go_nogo", params.tasks, 1.0), states, params.network, params.train)
    history = pd.read_csv(folder / "history.csv")
    assert history[["iteration", "network"]].to_numpy().tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    assert json.loads((folder / "summary.json").read_text()) == {
        "networks": [state.summary() for state in states]
    }
    curve = pd.read_csv(tmp_path / "reports/train/go_nogo.csv")  # there was no check
    assert (list(curve), len(curve)) == (["iteration", "loss", "accuracy"], 0)
    for state in states:
        for stem, network in (("network", state.network), ("initial", state.start)):
            arrays, settings = artifacts.read_weights(folder / f"{stem}-{state.index}.safetensors")
            np.testing.assert_array_equal(arrays["W_out"], network.weights["W_out"])
            assert settings["training"]["network"] == state.index
            assert settings["task"]["name"] == "go_nogo"


def test_a_training_that_ends_with_a_check_is_not_checked_again(tmp_path: Path) -> None:
    assert len(recorded(tmp_path / "a", train__max_iterations=10)[0].checked) == 2
    assert len(recorded(tmp_path / "b", train__max_iterations=11)[0].checked) == 3


def test_a_criterion_beyond_an_ideal_observer_is_told_before_training(
    capsys: pytest.CaptureFixture[str],
) -> None:
    weak = settings(**{**SMALL, "tasks__mante__evidence": [0.05], "train__max_iterations": 1})
    task = get_task("mante", weak.tasks, 1.0)
    assert beyond_reach(task, weak.train) == (
        "an ideal observer is right on 0.760 of the trials, below train.accuracy_criterion = 0.98"
    )
    table = trial_table(task, "train", 1)
    store = Path(tempfile.mkdtemp())
    train(task, table, table, 1, weak.network, weak.train, get_backend(weak.train), store)
    assert capsys.readouterr().out.startswith("train@mante: an ideal observer is right on 0.760")
    assert not beyond_reach(get_task("dmts", weak.tasks, 1.0), weak.train)
    by_loss = weak.train.model_copy(update={"stop_criterion": "loss"})
    assert not beyond_reach(task, by_loss)
