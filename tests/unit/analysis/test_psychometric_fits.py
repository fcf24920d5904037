"""Psychometric functions of known slopes and biases, in each context by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ctrnn import tasks
from ctrnn.analysis import psychometric
from ctrnn.analysis.psychometric import fit
from ctrnn.network import initialise
from tests.settings import settings
from tests.unit.analysis import known

LEVELS = np.array([-0.5, -0.2, -0.1, 0.0, 0.1, 0.2, 0.5])
POINTS = np.array([(a, b) for a in LEVELS for b in LEVELS])
MADE = np.array([-0.3, 12.0, -2.0, 0.1])  # bias, slopes, lapse


def shares(evidence: np.ndarray, made: np.ndarray) -> np.ndarray:
    p: np.ndarray = made[-1] / 2 + (1 - made[-1]) / (1 + np.exp(-(made[0] + evidence @ made[1:-1])))
    return p


def test_a_psychometric_function_is_recovered() -> None:
    random = np.random.default_rng(0)
    evidence = random.choice([-0.5, -0.2, -0.1, -0.05, 0.05, 0.1, 0.2, 0.5], (20000, 2))
    fitted = fit(evidence, random.random(20000) < shares(evidence, np.array([0.3, 12, 2, 0.1])))
    np.testing.assert_allclose(fitted.slopes, [12, 2], rtol=0.15)
    assert fitted.bias == pytest.approx(0.3, abs=0.1)
    assert fitted.lapse == pytest.approx(0.1, abs=0.02)
    low, high = fitted.slope_intervals.T
    assert (low < [12, 2]).all() and (high > [12, 2]).all()
    assert high[0] - low[0] < 4
    assert fitted.bias_interval[0] < 0.3 < fitted.bias_interval[1]
    shown = fitted.probability(np.array([[0.5, 0.0], [-0.5, 0.0]]))
    np.testing.assert_allclose(shown, [0.95, 0.05], atol=0.02)


def test_the_most_likely_parameters_are_those_that_made_the_shares() -> None:
    """Of 49 combinations of evidence, with as many choices as are expected."""
    n, made = np.linspace(100, 1000, len(POINTS)), shares(POINTS, MADE)
    likeliest = psychometric._maximise(POINTS, n * made, n, np.array([0.0, 2.0, 2.0, 0.02]))
    np.testing.assert_allclose(likeliest, MADE, rtol=1e-4)
    function = psychometric.Psychometric(MADE[1:3], -0.3, 0.1, np.zeros((2, 2)), np.zeros(2))
    np.testing.assert_allclose(function.probability(POINTS), made)


def test_permuting_trials_changes_no_fit() -> None:
    random = np.random.default_rng(0)
    evidence = random.choice([-0.2, -0.1, 0.1, 0.2], (200, 1))
    positive, order = random.random(200) < 0.5 + evidence[:, 0], random.permutation(200)
    fitted, other = fit(evidence, positive), fit(evidence[order], positive[order])
    np.testing.assert_array_equal(fitted.slope_intervals, other.slope_intervals)


def test_at_the_ends_of_an_interval_the_likelihood_ratio_is_that_of_95_percent() -> None:
    """By an optimiser that knows nothing of profiles: scipy's, without derivatives."""
    from scipy.optimize import minimize
    from scipy.stats import binom, chi2

    n, k = np.full(7, 60), np.array([3, 9, 16, 25, 41, 50, 56])
    fitted = fit(np.repeat(LEVELS, n)[:, None], np.concatenate([np.arange(60) < i for i in k]))

    def worst(bias: float | None, slope: float | None) -> float:
        def loss(theta: np.ndarray) -> float:
            made = np.array(
                [theta[0] if bias is None else bias, theta[1] if slope is None else slope, theta[2]]
            )
            return float(-binom.logpmf(k, n, shares(LEVELS[:, None], made)).sum())

        start = [fitted.bias, fitted.slopes[0], fitted.lapse + 0.02]
        bounds = [(-50, 50), (-50, 50), (0, 0.5)]
        options = {"xatol": 1e-6, "fatol": 1e-9, "maxiter": 4000}
        return float(
            minimize(loss, start, method="Nelder-Mead", bounds=bounds, options=options).fun
        )

    best = worst(None, None)
    for end in fitted.bias_interval:
        assert 2 * (worst(end, None) - best) == pytest.approx(chi2.ppf(0.95, 1), abs=0.01)
    for end in fitted.slope_intervals[0]:
        assert 2 * (worst(None, end) - best) == pytest.approx(chi2.ppf(0.95, 1), abs=0.01)


def test_intervals_hold_the_true_bias_and_slope_in_95_of_100_simulations() -> None:
    """Of 60 simulations each, of which chance leaves 52 or more."""
    random, strengths, made = np.random.default_rng(3), LEVELS[:, None], np.array([-0.7, 6, 0.05])
    n, held = np.full(7, 40.0), np.zeros((2, 60))
    for i in range(60):
        k = random.binomial(40, shares(strengths, made)).astype(float)
        best = psychometric._maximise(strengths, k, n, np.array([0, 2.0, 0.02]))
        for at in (0, 1):
            low, high = psychometric.interval(strengths, k, n, best, at)
            held[at, i] = low <= made[at] <= high
    assert (held.mean(axis=1) >= 52 / 60).all()
    assert held.mean() < 1


def test_evidence_that_tells_every_answer_leaves_the_slope_without_an_end() -> None:
    evidence = np.repeat(LEVELS[LEVELS != 0], 20)[:, None]
    fitted = fit(evidence, evidence[:, 0] > 0)
    assert fitted.slope_intervals[0, 1] == psychometric.STEEPEST
    assert 1 < fitted.slope_intervals[0, 0] < fitted.slopes[0]
    tiny = np.array([[-1e-6], [1e-6]] * 50)
    assert fit(tiny, tiny[:, 0] > 0).slopes[0] == psychometric.STEEPEST
    guess = fit(np.ones((100, 1)), np.arange(100) % 2 == 0)
    assert 0 <= guess.lapse <= 0.5


class Biased:
    """A network whose bias and whose weight of irrelevant evidence have opposite signs in the two contexts."""

    def __init__(self, task: Any) -> None:
        self.during, self.random = (
            slice(task.steps.stim_on, task.steps.stim_off),
            np.random.default_rng(0),
        )

    def outputs(self, networks: Any, trials: Any) -> list[np.ndarray]:
        inputs = trials[0].inputs
        motion, colour = inputs[self.during, :, :2].mean(axis=0).T.round(6)
        in_motion = inputs[0, :, 2] > 0
        logit = np.where(in_motion, 1 + 8 * motion - 3 * colour, -1 + 8 * colour + 3 * motion)
        up = self.random.random(len(logit)) < 1 / (1 + np.exp(-logit))
        size = np.where(np.arange(len(up)) % 4 == 0, 0.3, 0.9)  # a quarter short of the threshold
        return [
            np.tile((np.where(up, size, -size))[:, None], (len(inputs), 1, 1)).astype(np.float32)
        ]


def test_contexts_of_opposite_signs_are_not_pooled() -> None:
    params = settings(
        network__n_units=4, analyze__generalisation__trials_per_condition=40, tasks__mante__evidence_sd=0.0
    )  # fmt: skip
    task = tasks.get_task("mante", params.tasks, 1.0)
    networks, backend = [initialise(params.network, 4, 1, 1)], Biased(task)
    arrays, metrics = psychometric.compute(known.recording(task, networks, params, backend))
    (slopes,), (biases,) = arrays["slopes"], arrays["bias"]
    np.testing.assert_allclose(slopes, [[8, -3], [8, 3]], atol=1)
    np.testing.assert_allclose(biases, [1, -1], atol=0.25)
    (bias_intervals,), (slope_intervals,) = arrays["bias_intervals"], arrays["slope_intervals"]
    assert (bias_intervals[0] > 0).all() and (bias_intervals[1] < 0).all()
    assert (slope_intervals[0, 1] < 0).all() and (slope_intervals[1, 1] > 0).all()
    np.testing.assert_allclose(arrays["undecided"], 0.25, atol=0.02)
    assert metrics["psychometric_bias"] == {"motion": [biases[0]], "colour": [biases[1]]}
    assert metrics["psychometric_slope"]["irrelevant"] == [pytest.approx(slopes[:, 1].mean())]
    expected = 1 / (1 + np.exp(-biases)) * (1 - arrays["lapse"][0]) + arrays["lapse"][0] / 2
    np.testing.assert_allclose(arrays["at_zero"][0, :, 0], expected)


def test_a_params_yaml_with_a_number_of_bootstraps_keeps_working() -> None:
    assert settings(analyze__generalisation__bootstraps=200).analyze == settings().analyze
