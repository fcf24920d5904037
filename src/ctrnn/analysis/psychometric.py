"""Psychometric functions: how the choice depends on evidence, fitted with lapses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from ctrnn.kernel import log, logistic

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
    slopes = [_maximise(points, one, n, best)[1:-1] for one in drawn.astype(np.float64)]
    low, high = np.percentile(slopes, [2.5, 97.5], axis=0)
    return Psychometric(best[1:-1], float(best[0]), float(best[-1]), np.stack([low, high], axis=1))


def _maximise(
    points: Float[np.ndarray, "point kind"],
    k: Float[np.ndarray, " point"],
    n: Float[np.ndarray, " point"],
    start: Float[np.ndarray, " parameter"],
) -> Float[np.ndarray, " parameter"]:
    """(bias, slopes, lapse) of the largest likelihood of k positive choices among n at each point."""
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
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return np.asarray(found.x, np.float64)
