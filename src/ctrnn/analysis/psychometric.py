"""Psychometric functions: how the choice depends on evidence, fitted with lapses, in each context by itself.

Contexts are the constant inputs of a task that name a relevant channel; a task without them has one, `all`. Fits are
not pooled over contexts, in which slopes and biases may have opposite signs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from ctrnn.analysis.generalisation import GeneralisationSettings
from ctrnn.analysis.recording import Recording, Result, new_trials, responses
from ctrnn.core.rng import key
from ctrnn.kernel import log, logistic
from ctrnn.tasks import Task

STEEPEST = 1e4  # slope, per unit of evidence, at which the fit stops: without errors it has no end
MOST_LAPSES = 0.5
QUANTILE = 3.841458820694124  # of chi squared with one degree of freedom at 0.95
GRID = 101  # points of a drawn curve
TINY = 1e-12  # least probability of a choice
ENOUGH = 1e-7  # gain in log likelihood at which a fit ends
MOST_STEPS = 500


@dataclass(frozen=True)
class Psychometric:
    """P(positive choice) = lapse / 2 + (1 - lapse) logistic(bias + slopes . evidence).

    Intervals (low, high) hold 95%, by the profile of the likelihood (Venzon & Moolgavkar 1988, Appl Stat 37:87): the
    values that a likelihood ratio test does not reject. STEEPEST stands for an end that there is none of.
    """

    slopes: Float[np.ndarray, " kind"]
    bias: float
    lapse: float
    slope_intervals: Float[np.ndarray, "kind 2"]
    bias_interval: Float[np.ndarray, " 2"]

    def probability(self, evidence: Float[np.ndarray, "point kind"]) -> Float[np.ndarray, " point"]:
        """P(positive choice) at these combinations of evidence."""
        return self.lapse / 2 + (1 - self.lapse) * logistic(self.bias + evidence @ self.slopes)


def compute(recording: Recording) -> Result:
    """Choices by the strength of evidence; nothing where the task has no curve, or no strengths are given.

    A choice is positive where the mean output is above `between`, half-way between the task's two answers, whether or
    not it is beyond the task's threshold; `undecided` is the share of trials in which it is not.

    Returns:
        kinds, contexts: names. levels: strengths. positive, fitted: shares of positive choices [network, context,
        kind, level], mean over the strengths of the other kind. curve_levels, curves: the same of the fit, on a fine
        grid. slopes: [network, context, kind]. slope_intervals: [network, context, kind, 2]. bias, lapse, undecided:
        [network, context]. bias_intervals: [network, context, 2]. at_zero: P(positive choice) without evidence, by
        the bias and the ends of its interval [network, context, 3]. between: []. And metrics, lists over networks.
    """
    task, settings = recording.task, recording.section(GeneralisationSettings)
    if not task.has_curve or not settings.evidence:
        return {}, {}
    start = key(recording.seed, "analyze", "psychometric")
    conditions = task.graded(settings.evidence)
    batch = new_trials(task, settings.trials_per_condition, start, conditions)
    table = task.evidence(batch.conditions)
    evidence, between = table.to_numpy(np.float64), np.float32(np.mean(task.sides or 0))
    kinds, contexts = [str(name) for name in table.columns], contexts_of(task, batch.conditions)
    levels = np.unique(evidence[:, 0])
    grid = np.linspace(levels[0], levels[-1], GRID)
    noise = [key(own, "analyze", "psychometric") for own in recording.seeds]
    each: list[list[dict[str, Any]]] = []
    for outputs in responses(recording.after, batch, noise, recording.backend):
        score = task.score(outputs, batch.conditions)
        positive, undecided = score.response > between, np.isnan(score.choice)
        each.append([
            {**described(evidence[own], positive[own], levels, grid), "undecided": undecided[own].mean()}
            for own in contexts.values()
        ])  # fmt: skip
    arrays = {
        name: np.array([[context[name] for context in network] for network in each], np.float64)
        for name in each[0][0]
    }
    return {
        "kinds": np.array(kinds),
        "contexts": np.array(list(contexts)),
        "levels": levels,
        "curve_levels": grid,
        "between": np.array(between, np.float64),
        **arrays,
    }, metrics(kinds, list(contexts), arrays)


def contexts_of(task: Task[Any], rows: pd.DataFrame) -> dict[str, Bool[np.ndarray, " trial"]]:
    """Trials of each context by its name."""
    contexts = [epoch for epoch in task.constant_inputs() if epoch.relevant]
    return {epoch.name: epoch.picks(rows) for epoch in contexts} or {
        "all": np.ones(len(rows), bool)
    }


def described(
    evidence: Float[np.ndarray, "trial kind"],
    positive: Bool[np.ndarray, " trial"],
    levels: Float[np.ndarray, " level"],
    grid: Float[np.ndarray, " point"],
) -> dict[str, Any]:
    """The arrays of `compute` for one network in one context."""
    curve = fit(evidence, positive)
    shown, fitted = np.zeros((2, evidence.shape[1], len(levels)))
    curves = np.zeros((evidence.shape[1], len(grid)))
    predicted, combinations = curve.probability(evidence), np.unique(evidence, axis=0)
    for k in range(evidence.shape[1]):
        for j, level in enumerate(levels):
            at = evidence[:, k] == level
            shown[k, j], fitted[k, j] = positive[at].mean(), predicted[at].mean()
        for j, strength in enumerate(grid):
            here = combinations.copy()
            here[:, k] = strength
            curves[k, j] = curve.probability(here).mean()
    ends = np.r_[curve.bias, curve.bias_interval]
    return {
        "positive": shown,
        "fitted": fitted,
        "curves": curves,
        "slopes": curve.slopes,
        "slope_intervals": curve.slope_intervals,
        "bias": curve.bias,
        "bias_intervals": curve.bias_interval,
        "lapse": curve.lapse,
        "at_zero": curve.lapse / 2 + (1 - curve.lapse) * logistic(ends),
    }


def metrics(
    kinds: list[str], contexts: list[str], arrays: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Lists over networks. psychometric_slope and lapse are means over the contexts' own."""
    slopes = arrays["slopes"]

    def by_context(name: str) -> dict[str, Any]:
        return {context: arrays[name][:, c].tolist() for c, context in enumerate(contexts)}

    return {
        "psychometric_slope": {k: slopes[:, :, i].mean(axis=1).tolist() for i, k in enumerate(kinds)},
        "lapse": arrays["lapse"].mean(axis=1).tolist(),
        "psychometric_bias": by_context("bias"),
        "psychometric_bias_interval": by_context("bias_intervals"),
        "psychometric_undecided": by_context("undecided"),
        **{
            name: {
                context: {k: arrays[array][:, c, i].tolist() for i, k in enumerate(kinds)}
                for c, context in enumerate(contexts)
            }
            for name, array in (
                ("psychometric_slope_by_context", "slopes"),
                ("psychometric_slope_interval", "slope_intervals"),
            )
        },
    }  # fmt: skip


def fit(
    evidence: Float[np.ndarray, "trial kind"], positive: Bool[np.ndarray, " trial"]
) -> Psychometric:
    """Fit by maximum likelihood. evidence: signed, of every kind at once; positive [trial]: the choice was positive."""
    points, its = np.unique(evidence, axis=0, return_inverse=True)
    n = np.bincount(its.ravel(), minlength=len(points)).astype(np.float64)
    k = np.bincount(its.ravel(), positive.astype(np.float64), len(points))
    start = np.r_[0.0, np.full(points.shape[1], 1 / max(np.abs(points).max(), 1e-9)), 0.02]
    best = _maximise(points, k, n, start)
    intervals = np.array([interval(points, k, n, best, i) for i in range(len(best) - 1)])
    return Psychometric(best[1:-1], float(best[0]), float(best[-1]), intervals[1:], intervals[0])


def interval(
    points: Float[np.ndarray, "point kind"],
    k: Float[np.ndarray, " point"],
    n: Float[np.ndarray, " point"],
    best: Float[np.ndarray, " parameter"],
    at: int,
) -> Float[np.ndarray, " 2"]:
    """95% interval of a parameter by the profile of the likelihood: the others are fitted anew at each of its values.

    Args:
        points: Combinations of evidence.
        k: Positive choices at each of them.
        n: Trials at each of them.
        best: Parameters of the largest likelihood, as `_maximise` gives them.
        at: Place of the parameter.
    """
    from scipy.optimize import brentq  # here, since params.yaml is checked by way of this module

    most, _, information = _likelihood(points, k, n, best)
    error = float(np.sqrt(max(np.linalg.pinv(information, hermitian=True)[at, at], TINY)))

    near = best.copy()  # where the last profile ended

    @cache  # ends of a bracket are asked for twice
    def beyond(value: float) -> float:
        """Above 0 where the value is rejected; nearly linear in it."""
        start = near.copy()
        start[at] = value
        if (
            best[at] * value > 0
        ):  # all coefficients in proportion, if that begins nearer to the largest likelihood
            scaled = np.r_[np.clip(best[:-1] * value / best[at], -STEEPEST, STEEPEST), best[-1]]
            start = max(start, scaled, key=lambda theta: _likelihood(points, k, n, theta)[0])
        near[:] = _maximise(points, k, n, start, at)
        lost = max(0.0, most - _likelihood(points, k, n, near)[0])
        return float(np.sqrt(lost) - np.sqrt(QUANTILE / 2))

    ends = []
    for side in (-1.0, 1.0):
        near[:] = best
        inside, step = float(best[at]), min(2.2 * error, STEEPEST)
        while True:
            outside = min(max(inside + side * step, -STEEPEST), STEEPEST)
            if beyond(outside) > 0:
                ends.append(float(brentq(beyond, inside, outside, xtol=1e-3 * error, rtol=1e-6)))
                break
            if abs(outside) == STEEPEST:
                ends.append(outside)
                break
            inside, step = outside, 2 * step
    return np.array(ends)


def _likelihood(
    points: Float[np.ndarray, "point kind"],
    k: Float[np.ndarray, " point"],
    n: Float[np.ndarray, " point"],
    theta: Float[np.ndarray, " parameter"],
) -> tuple[float, Float[np.ndarray, " parameter"], Float[np.ndarray, "parameter parameter"]]:
    """Log likelihood of (bias, slopes, lapse), its gradient, and the expected information."""
    X, lapse = np.c_[np.ones(len(points)), points], theta[-1]
    s = logistic(X @ theta[:-1])
    p = np.clip(lapse / 2 + (1 - lapse) * s, TINY, 1 - TINY)
    by_theta = np.c_[((1 - lapse) * s * (1 - s))[:, None] * X, 0.5 - s]
    spread = p * (1 - p)
    information = by_theta.T @ ((n / spread)[:, None] * by_theta)
    return float(k @ log(p) + (n - k) @ log(1 - p)), ((k - n * p) / spread) @ by_theta, information


def _maximise(
    points: Float[np.ndarray, "point kind"],
    k: Float[np.ndarray, " point"],
    n: Float[np.ndarray, " point"],
    start: Float[np.ndarray, " parameter"],
    fixed: int | None = None,
) -> Float[np.ndarray, " parameter"]:
    """(bias, slopes, lapse) of the largest likelihood of k positive choices among n at each point.

    By Fisher scoring within the bounds, damped where a step does not gain (Marquardt 1963, SIAM J Appl Math 11:431).
    fixed: place of a parameter that stays as it is in `start`.
    """
    high = np.r_[np.full(points.shape[1] + 1, STEEPEST), MOST_LAPSES]
    low = np.r_[-high[:-1], 0.0]
    theta, damping = np.clip(start.astype(np.float64), low, high), 1e-3
    gain, gradient, information = _likelihood(points, k, n, theta)
    for _ in range(MOST_STEPS):
        free = ~(((theta <= low) & (gradient < 0)) | ((theta >= high) & (gradient > 0)))
        if fixed is not None:
            free[fixed] = False
        if not free.any() or damping > 1e12:
            break
        inner = information[np.ix_(free, free)]
        damped = inner + np.diag(damping * np.diag(inner) + TINY)
        step = theta.copy()
        step[free] += np.linalg.solve(damped, gradient[free])
        step = np.clip(step, low, high)
        reached, *slopes = _likelihood(points, k, n, step)
        if reached <= gain:
            damping *= 10
            continue
        done = reached - gain < ENOUGH
        theta, gain, (gradient, information), damping = step, reached, slopes, damping / 10
        if done:
            break
    return theta
