"""Where a memory is: made-up recordings that hold it in rates, in synapses, in neither; and networks made by hand."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.special import ndtr

from ctrnn import params as settings_of_file
from ctrnn.analysis import memory
from ctrnn.analysis.analyze import same_blas
from ctrnn.analysis.dynamics import Dynamics, dynamics_of
from ctrnn.analysis.recording import first_trials
from ctrnn.dynamics import derive
from ctrnn.dynamics.model import Model
from ctrnn.errors import ParamsError
from ctrnn.network import Activity, initialise
from ctrnn.params import Params
from ctrnn.tasks import table_of
from ctrnn.tasks.dmts import Dmts
from tests.settings import FILE, settings
from tests.unit.analysis import known

TIMES = {"T": 120, "stim_on": 20, "stim_dur": 20, "delay": 30, "response_delay": 0, "response_dur": 30}  # fmt: skip
LAST = 6  # the bin before the second stimulus, steps 60 to 70
N = 128  # trials that a decoder is tested on


def small(**network: Any) -> Params:
    times = {f"tasks__dmts__{name}": value for name, value in TIMES.items()}
    network = {"model": "short_term_plasticity", "n_units": 12, **network}
    return settings(**times, **{f"network__{name}": value for name, value in network.items()})


class MadeUp:
    """Rates that are noise, and that follow the sample between two steps; no network runs."""

    def __init__(self, begin: int, end: int, scale: float = 1.0) -> None:
        self.shown, self.scale = slice(begin, end), scale

    def activity(self, networks: Any, trials: Any) -> list[Activity]:
        every = []
        for trial_set in trials:
            random = np.random.default_rng(trial_set.noise)
            shape = (*trial_set.inputs.shape[:2], 12)
            rates = 0.3 + 0.05 * random.standard_normal(shape)
            sample = trial_set.inputs[TIMES["stim_on"], :, :1]
            rates[self.shown, :, :4] += 0.2 * sample
            outputs = np.zeros((*trial_set.inputs.shape[:2], 1), np.float32)
            every.append(Activity((self.scale * rates).astype(np.float32), outputs))
        return every


@same_blas()
def found(backend: Any, **network: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    params = small(**network)
    times: Any = params.tasks["dmts"]
    task: Any = Dmts(times, 1.0)
    test = task.render(table_of("dmts", task.conditions(), 256, "test", 1))
    networks = [initialise(params.network, 2, 1, 1)]
    return memory.compute(known.recording(task, networks, params, backend, test))


def decoded(metrics: dict[str, Any], source: str) -> list[float]:
    shares: list[float] = metrics["memory"][source]["per_network"]
    return shares


def at_chance(shares: list[float]) -> bool:
    low, high = memory.wilson(np.array(shares), N)
    return bool(((low <= 0.5) & (high >= 0.5)).all())


def test_a_sample_in_rates_alone_is_decoded_from_rates_alone() -> None:
    """Synapses that no spike reaches stay as they are."""
    _, metrics = found(MadeUp(20, 70), parameters={"r_max": 0.0})
    assert min(decoded(metrics, "rates")) > 0.95
    assert at_chance(decoded(metrics, "synapses"))
    assert max(metrics["memory_p"]["rates"]) < 1e-20
    assert min(metrics["memory_p"]["synapses"]) > 0.05


def test_a_sample_in_synapses_alone_is_decoded_from_synapses_alone() -> None:
    """Rates follow the sample while it is shown; synapses still tell of it when rates no longer do."""
    arrays, metrics = found(MadeUp(20, 40))
    assert at_chance(decoded(metrics, "rates"))
    assert min(decoded(metrics, "synapses")) > 0.95
    rates, synapses = arrays["decoded"].transpose(1, 0, 2)
    assert rates[:, 2:4].min() > 0.95 and rates[:, 4:].max() < 0.7
    assert synapses[:, :2].max() < 0.7 and synapses[:, 3:9].min() > 0.95


def test_a_sample_in_neither_is_decoded_at_chance() -> None:
    arrays, metrics = found(MadeUp(0, 0))
    assert metrics["memory_chance"] == 0.5
    assert at_chance(decoded(metrics, "rates")) and at_chance(decoded(metrics, "synapses"))
    inside = (arrays["low"] <= 0.5) & (arrays["high"] >= 0.5)
    assert inside.mean() > 0.85  # of 2 sources x 12 bins


@pytest.mark.parametrize("signal", [0.0, 0.8])
@same_blas()
def test_intervals_hold_the_accuracy_of_a_decoder_in_95_percent(signal: float) -> None:
    """Of one unit, whose decoder guesses by a threshold: the normal distribution tells how often it is right."""
    random = np.random.default_rng(3)
    classes = np.arange(N + 16) % 2
    test = np.arange(N + 16) < N
    features = random.standard_normal((600, N + 16, 1)) + signal * (2 * classes[:, None] - 1)
    low, high = memory.wilson(memory.decode(features, classes, test, 1.0).mean(axis=1), N)
    learned = features[:, ~test, 0]
    threshold = learned.mean(axis=1)
    upwards = np.sign(learned[:, 1::2].mean(axis=1) - learned[:, ::2].mean(axis=1))
    truth = 0.5 + upwards * (ndtr(signal - threshold) + ndtr(signal + threshold) - 1) / 2
    assert 0.93 < ((low <= truth) & (truth <= high)).mean() < 0.98


def test_a_guess_by_chance_is_called_sure_in_at_most_5_percent() -> None:
    """The probability of so many right guesses is that of the binomial distribution."""
    assert memory.chance_of(128, 128, 0.5) == pytest.approx(0.5**128)
    assert memory.chance_of(0, 128, 0.5) == 1.0
    assert memory.chance_of(2, 3, 1 / 3) == pytest.approx(7 / 27)
    random = np.random.default_rng(0)
    sure = [memory.chance_of(int(right), N, 0.5) < 0.05 for right in random.binomial(N, 0.5, 2000)]
    assert 0.02 < np.mean(sure) < 0.06


def test_a_decoder_sees_no_trial_that_it_is_tested_on() -> None:
    """Features that tell every trial apart, and nothing else, do not help it."""
    classes = np.arange(80) % 2
    test = np.arange(80) < 40
    features = np.eye(80)[None]
    assert memory.decode(features, classes, test, 1e6).mean() == 0.5


def test_a_decoder_weighs_units_that_share_noise_against_each_other() -> None:
    """Two units with the same noise tell in their difference what neither tells alone."""
    random = np.random.default_rng(0)
    classes = np.arange(400) % 2
    shared = random.standard_normal((400, 1)) * np.ones(2)
    features = shared + 0.05 * np.outer(2 * classes - 1, [1, -1])
    test = np.arange(400) < 200
    assert memory.decode(features[None], classes, test, 100.0).mean() > 0.95


def test_half_of_every_condition_is_tested_and_never_all() -> None:
    rows = pd.DataFrame({"condition": ["a"] * 8 + ["b"] * 5 + ["c"] * 2})
    for share, counts in ((0.5, [4, 2, 1]), (0.99, [7, 4, 1]), (0.01, [1, 1, 1])):
        test = memory.split(rows, share, np.random.default_rng(0))
        assert rows[test].value_counts("condition").sort_index().tolist() == counts


@pytest.mark.parametrize(
    ("model", "seen"),
    [("short_term_plasticity", lambda x, u, d: u * d), ("adaptation", lambda x, w: w)],
)
def test_slow_states_follow_from_the_rates(model: str, seen: Any) -> None:
    params = small(model=model)
    dynamics = dynamics_of(initialise(params.network, 2, 1, 1))
    inputs = np.random.default_rng(0).standard_normal((50, 3, 2)).astype(np.float32)
    states = dynamics.simulate(inputs)
    slow = memory.slow_states(model, "sigmoid")
    assert slow is not None
    replayed = memory.replay(slow, dynamics, dynamics.rates(states).astype(np.float32))
    truth = seen(*np.split(states, dynamics.flow.n_states, axis=-1))
    np.testing.assert_allclose(replayed, truth, atol=1e-6)
    assert replayed.std(axis=1).max() > 1e-3


def test_a_model_whose_slow_states_do_not_follow_from_rates_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A state that follows x, which rates with noise do not tell; and a model without slow states."""

    def step(y: Any, r: Any, current: Any, xi: Any, p: Any) -> dict[str, Any]:
        a = p.dt / p.tau
        return {"x": (1 - a) * y.x + a * (current - y.w) + p.sigma * xi, "w": y.w + a * (y.x - y.w)}

    odd: Any = ModuleType("odd")
    odd.STATES, odd.step = {"x": "input current", "w": "slow"}, step
    odd.rate = lambda y, f, p: f(y.x)
    monkeypatch.setattr(derive, "models", lambda: {"odd": Model("odd", odd)})
    assert memory.slow_states("odd", "sigmoid") is None
    monkeypatch.undo()
    assert memory.slow_states("rate", "sigmoid") is None


class Recall(Dmts):
    """The answer is the sample, whatever the test pulse is."""

    answers = (-1.0, 1.0)

    def answer(self, rows: pd.DataFrame) -> np.ndarray:
        return rows["sample"].to_numpy(np.float32)


@same_blas()
def recall(tau: float, tau_w: float, g_w: float, sign: float) -> list[float]:
    """Answers of two adapting units that the sample drives apart: intact, with rates and with w shuffled."""
    params = small(model="adaptation")
    times: Any = params.tasks["dmts"]
    task: Any = Recall(times, 1.0)
    trials = first_trials(task.render(table_of("dmts", task.conditions(), 256, "test", 1)), 64)
    ones = np.ones(2)
    dynamics = Dynamics(
        W=np.zeros((2, 2)), W_in=np.array([[3.0, 0], [-3.0, 0]]), b_rec=np.zeros(2),
        W_out=sign * np.array([[1.0, -1.0]]), b_out=np.zeros(1), activation="sigmoid", sigma_post=0.0,
        model="adaptation",
        parameters={"dt": ones, "tau": tau * ones, "sigma": 0 * ones, "tau_w": tau_w * ones, "g_w": g_w * ones},
    )  # fmt: skip
    slow = memory.slow_states("adaptation", "sigmoid")
    assert slow is not None
    nobody: Any = None
    recording = known.recording(task, [], params, nobody, trials)
    return list(memory.answers_after_shuffles(recording, dynamics, slow, trials, 1))


def test_a_memory_in_rates_is_lost_with_the_rates_alone() -> None:
    """x forgets slowly, and the adaptation current reaches nobody."""
    nothing, rates, slow = recall(tau=1000, tau_w=20, g_w=0, sign=1)
    assert nothing == slow == 1.0
    assert rates == pytest.approx(0.5, abs=0.1)


def test_a_memory_in_slow_states_is_lost_with_these_alone() -> None:
    """x forgets at once; a unit that was driven stays adapted and fires less."""
    nothing, rates, slow = recall(tau=3, tau_w=1000, g_w=2, sign=-1)
    assert nothing == rates == 1.0
    assert slow == pytest.approx(0.5, abs=0.1)


def test_states_that_grow_without_end_are_decoded_without_a_warning() -> None:
    """Rates of over 100 spikes a step, at which a step of u and d overshoots more each time."""
    arrays, _ = found(MadeUp(20, 70, scale=1e4))
    assert all(np.isfinite(array).all() for name, array in arrays.items() if name != "sources")


def test_the_section_may_be_left_out() -> None:
    raw = yaml.safe_load(FILE.read_text())
    shipped = settings_of_file.check(raw)
    del raw["analyze"]["memory"]
    assert settings_of_file.check(raw) == shipped
    del raw["analyze"]["lesions"]
    with pytest.raises(ParamsError, match="lesions"):
        settings_of_file.check(raw)


def test_one_trial_of_a_condition_tells_nothing() -> None:
    params = small()
    analyze = params.analyze.model_copy(update={"trials_per_condition": 1})
    params = params.model_copy(update={"analyze": analyze})
    times: Any = params.tasks["dmts"]
    task: Any = Dmts(times, 1.0)
    test = task.render(table_of("dmts", task.conditions(), 16, "test", 1))
    networks = [initialise(params.network, 2, 1, 1)]
    recording = known.recording(task, networks, params, MadeUp(0, 0), test)
    assert memory.compute(recording) == ({}, {})
