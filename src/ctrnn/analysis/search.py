"""The search for points where the noise-free dynamics stand still or are slow.

Sussillo & Barak (2013, Neural Comput 25:626) minimise q(x) = |F(x)|^2 / 2 from visited states. Here by Levenberg and
Marquardt's step with damping proportional to |F| (Fan & Yuan 2005, Computing 74:23), which converges quadratically to
isolated zeros and to a continuum of them alike, where Newton's step is undefined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ctrnn.analysis.dynamics import Dynamics

CHUNK = 16  # points whose Jacobians are in memory at a time
SETTLED = 1e-26  # q below this is as low as float64 tells
STUCK = 1e-3  # of q: a point whose next step promises to lower q by less has reached a minimum above zero


FLOOR = 1e-12  # of the damping, so that the step is defined along a continuum of zeros


@dataclass(frozen=True)
class Search:
    """Where a search ended, for every start.

    q: speed there, |F|^2 / 2 (F per tau). crossings: for each tolerance the state at which q first fell below it, nan
    where it never did.
    """

    x: Float[np.ndarray, "start unit"]
    q: Float[np.ndarray, " start"]
    crossings: Float[np.ndarray, "tolerance start unit"]


def search(
    dynamics: Dynamics,
    inputs: Float[np.ndarray, " channel"],
    starts: Float[np.ndarray, "start unit"],
    tolerances: Sequence[float],
    iterations: int,
) -> Search:
    """Minimise q from every start under a constant input, for at most so many iterations."""
    drive = dynamics.drive(inputs)
    x = starts.astype(np.float64).copy()
    F = dynamics.velocity(x, drive)
    q, damping = speed(F), np.ones(len(x))
    promised = q.copy()
    crossings = np.full((len(tolerances), *x.shape), np.nan)
    _note(crossings, tolerances, x, q)
    for _ in range(iterations):
        active = np.flatnonzero((q > SETTLED) & (promised > STUCK * q))
        if not len(active):
            break
        for some in np.array_split(active, -(-len(active) // CHUNK)):
            step, promised[some] = _step(dynamics, x[some], F[some], damping[some])
            moved = x[some] + step
            F_moved = dynamics.velocity(moved, drive)
            better = speed(F_moved) < q[some]
            damping[some] *= np.where(better, 0.1, 10.0)
            took = some[better]
            x[took], F[took] = moved[better], F_moved[better]
            q[took] = speed(F[took])
        _note(crossings, tolerances, x, q)
    return Search(x, q, crossings)


def speed(F: Float[np.ndarray, "point unit"]) -> Float[np.ndarray, " point"]:
    """q = |F|^2 / 2."""
    return 0.5 * np.square(F).sum(axis=1)


def distinct(
    x: Float[np.ndarray, "point unit"], z: Float[np.ndarray, " point"], radius: float
) -> tuple[Int[np.ndarray, " distinct"], Int[np.ndarray, " point"]]:
    """Points that stand for all others within `radius` of them, and for every point the place of its own.

    Taken in the order of the output z, then of |x|, so that neither the order of points nor that of units matters.
    """
    order = np.lexsort((np.round(np.linalg.norm(x, axis=1), 6), np.round(z, 6)))
    kept: list[int] = []
    its = np.empty(len(x), np.int64)
    for i in order:
        distances = np.linalg.norm(x[kept] - x[i], axis=1) if kept else np.array([np.inf])
        nearest = int(distances.argmin())
        if distances[nearest] <= radius:
            its[i] = nearest
        else:
            its[i] = len(kept)
            kept.append(int(i))
    return np.array(kept, np.int64), its


def _step(
    dynamics: Dynamics,
    x: Float[np.ndarray, "point unit"],
    F: Float[np.ndarray, "point unit"],
    damping: Float[np.ndarray, " point"],
) -> tuple[Float[np.ndarray, "point unit"], Float[np.ndarray, " point"]]:
    """-(J'J + damping |F| I)^-1 J'F, and by how much it lowers q where F is linear."""
    J = dynamics.jacobian(x)
    JT = J.transpose(0, 2, 1)
    normal = JT @ J
    diagonal = np.arange(x.shape[1])
    normal[:, diagonal, diagonal] += (damping * np.linalg.norm(F, axis=1) + FLOOR)[:, None]
    gradient = JT @ F[:, :, None]
    step = -np.linalg.solve(normal, gradient)
    lowered = speed(F) - speed(F + (J @ step).squeeze(-1))
    return step.squeeze(-1), lowered


def _note(
    crossings: Float[np.ndarray, "tolerance start unit"],
    tolerances: Sequence[float],
    x: Float[np.ndarray, "start unit"],
    q: Float[np.ndarray, " start"],
) -> None:
    for at, tolerance in zip(crossings, tolerances, strict=True):
        new: Bool[np.ndarray, " start"] = (q <= tolerance) & np.isnan(at).all(axis=1)
        at[new] = x[new]
