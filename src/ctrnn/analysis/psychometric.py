"""Psychometric functions: how the choice depends on evidence, fitted with lapses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ctrnn.analysis.generalisation import GeneralisationSettings
from ctrnn.analysis.recording import Recording, Result, new_trials, responses
from ctrnn.core.rng import generator, key
from ctrnn.kernel import log, logistic
from ctrnn.network import Backend, Network
from ctrnn.tasks import Task

STEEPEST = 1e4  # slope, per unit of evidence, at which the fit stops: without errors it has no end
MOST_LAPSES = 0.5


@dataclass(frozen=True)
class Psychometric:
    """P(positive choice) = lapse / 2 + (1 - lapse) logistic(bias + slopes . evidence).

    Intervals (low, high) hold 95% of the fits to trials resampled within each combination of evidence.
    """

    slopes: Float[np.ndarray, " kind"]
    bias: float
    lapse: float
    slope_intervals: Float[np.ndarray, "kind 2"]

    def probability(self, evidence: Float[np.ndarray, "point kind"]) -> Float[np.ndarray, " point"]:
        """P(positive choice) at these combinations of evidence."""
        return self.lapse / 2 + (1 - self.lapse) * logistic(self.bias + evidence @ self.slopes)


def compute(recording: Recording) -> Result:
    """Choices by the strength of evidence; nothing where the task has no curve, or no strengths are given.

    Returns:
        kinds: names of the kinds of evidence. levels: strengths. positive, fitted: shares of positive choices
        [network, kind, level]. slopes: [network, kind]. slope_intervals: [network, kind, 2]. bias, lapse: [network].
        And the metrics psychometric_slope and lapse: lists over networks.
    """
    task, settings = recording.task, recording.section(GeneralisationSettings)
    if not task.has_curve or not settings.evidence:
        return {}, {}
    networks = recording.after
    kinds, evidence, positive, fits = psychometrics(
        task, networks, recording.seeds, recording.seed, settings, recording.backend
    )
    levels = np.unique(evidence[:, 0])
    shown, fitted = np.zeros((2, len(networks), len(kinds), len(levels)))
    for i, curve in enumerate(fits):
        predicted = curve.probability(evidence)
        for k in range(len(kinds)):
            for j, level in enumerate(levels):
                at = evidence[:, k] == level
                shown[i, k, j], fitted[i, k, j] = positive[i, at].mean(), predicted[at].mean()
    slopes = {kind: [float(curve.slopes[k]) for curve in fits] for k, kind in enumerate(kinds)}
    return {
        "kinds": np.array(kinds),
        "levels": levels,
        "positive": shown,
        "fitted": fitted,
        "slopes": np.stack([curve.slopes for curve in fits]),
        "slope_intervals": np.stack([curve.slope_intervals for curve in fits]),
        "bias": np.array([curve.bias for curve in fits]),
        "lapse": np.array([curve.lapse for curve in fits]),
    }, {"psychometric_slope": slopes, "lapse": [curve.lapse for curve in fits]}


def psychometrics(
    task: Task[Any],
    networks: Sequence[Network],
    seeds: Sequence[int],
    seed: int,
    settings: GeneralisationSettings,
    backend: Backend,
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, list[Psychometric]]:
    """Names of the kinds of evidence, evidence [trial, kind], positive choices [network, trial], and fits.

    A choice is positive where the response is nearer to the larger of the task's two answers.
    """
    start = key(seed, "analyze", "psychometric")
    conditions = task.graded(settings.evidence)
    batch = new_trials(task, settings.trials_per_condition, start, conditions)
    table = task.evidence(batch.conditions)
    evidence, between = table.to_numpy(np.float64), np.float32(np.mean(task.sides or 0))
    noise = [key(own, "analyze", "psychometric") for own in seeds]
    positive, fits = [], []
    for own, outputs in zip(seeds, responses(networks, batch, noise, backend), strict=True):
        positive.append(task.score(outputs, batch.conditions).response > between)
        random = generator(own, "analyze", "psychometric")
        fits.append(fit(evidence, positive[-1], settings.bootstraps, random))
    return tuple(table.columns), evidence, np.stack(positive), fits


def fit(
    evidence: Float[np.ndarray, "trial kind"],
    positive: np.ndarray,
    bootstraps: int,
    random: np.random.Generator,
) -> Psychometric:
    """Fit by maximum likelihood. evidence: signed, of every kind at once; positive [trial]: the choice was positive."""
    points, its = np.unique(evidence, axis=0, return_inverse=True)
    n = np.bincount(its.ravel(), minlength=len(points)).astype(np.float64)
    k = np.bincount(its.ravel(), positive.astype(np.float64), len(points))
    start = np.r_[0.0, np.full(points.shape[1], 1 / max(np.abs(points).max(), 1e-9)), 0.02]
    best = _maximise(points, k, n, start)
    drawn = random.binomial(n.astype(np.int64), k / n, (bootstraps, len(n)))
    slopes = [_maximise(points, counts, n, best)[1:-1] for counts in drawn.astype(np.float64)]
    low, high = np.percentile(slopes, [2.5, 97.5], axis=0)
    return Psychometric(best[1:-1], float(best[0]), float(best[-1]), np.stack([low, high], axis=1))


def _maximise(
    points: Float[np.ndarray, "point kind"],
    k: Float[np.ndarray, " point"],
    n: Float[np.ndarray, " point"],
    start: Float[np.ndarray, " parameter"],
) -> Float[np.ndarray, " parameter"]:
    """(bias, slopes, lapse) of the largest likelihood of k positive choices among n at each point."""
    from scipy.optimize import minimize  # here, since params.yaml is checked by way of this module

    X = np.c_[np.ones(len(points)), points]

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        lapse, s = theta[-1], logistic(X @ theta[:-1])
        p = np.clip(lapse / 2 + (1 - lapse) * s, 1e-12, 1 - 1e-12)
        by_p = (n - k) / (1 - p) - k / p
        gradient = np.r_[((1 - lapse) * s * (1 - s) * by_p) @ X, (0.5 - s) @ by_p]
        total = n.sum()
        return -float(k @ log(p) + (n - k) @ log(1 - p)) / total, gradient / total

    bounds = [(-STEEPEST, STEEPEST)] * X.shape[1] + [(0.0, MOST_LAPSES)]
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 300}
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(fitted.x, np.float64)
