"""Fixed and slow points of the noise-free dynamics under a constant input, their stability and what they add up to.

Sussillo & Barak (2013, Neural Comput 25:626) minimise q(x) = |F(x)|^2 / 2 from visited states; see also Golub &
Sussillo (2018, J Open Source Softw 3:1003). Here by Levenberg and Marquardt's step with damping proportional to |F|
(Fan & Yuan 2005, Computing 74:23), which converges quadratically to isolated zeros and to a continuum of them alike,
where Newton's step is undefined. States of a unit beside the one that its synaptic current drives are kept at their
steady values, see `search`.

Stability is that of the map that is run: a point is stable where every eigenvalue of one step's derivative is smaller
than 1 in size. Modes decay or grow by a factor e in -1 / ln|eigenvalue| steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Annotated, Self

import numpy as np
from jaxtyping import Bool, Complex, Float, Int
from pydantic import Field, model_validator

from ctrnn.analysis.dynamics import Dynamics, System, by_size, full
from ctrnn.core.config import Count, Positive, Section
from ctrnn.errors import shown
from ctrnn.kernel import log

PAIRS = 16  # of stable points, at most, between which a saddle is looked for
SLOW_MERGE = 10  # minima above zero are flat: those within so many merge distances are one
NEUTRAL = 1e-3  # per tau: a mode that grows or decays more slowly neither grows nor decays
CONTINUUM = 5  # neutral points, at least, that make a line
CHUNK = 16  # points whose Jacobians are in memory at a time
SETTLED = 1e-26  # q below this is as low as float64 tells
STUCK = 1e-3  # of q: a point whose next step promises to lower q by less has reached a minimum above zero
NEWTON_STEPS = 50  # to the steady values of states, at most
STEADY = 1e-14  # of a state: it is steady where Newton's step is smaller
FLOOR = 1e-12  # of the damping, so that the step is defined along a continuum of zeros


class SearchSettings(Section):
    """Settings of section `analyze.fixed_points` that decide which points a search finds."""

    iterations: Count
    tolerances: Annotated[list[Positive], Field(min_length=1, max_length=100)]
    merge_distance: Positive
    outlier_distance: Positive

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if any(later >= earlier for earlier, later in pairwise(self.tolerances)):
            raise ValueError(
                f"tolerances = {shown(self.tolerances)} do not fall; "
                "give the largest of {section}.tolerances first"
            )
        return self


@dataclass(frozen=True)
class Search:
    """Where a search ended, for every start.

    q: speed there, |F|^2 / 2 (F per tau). crossings: for each tolerance the state at which q first fell below it, nan
    where it never did.
    """

    x: Float[np.ndarray, "start unit"]
    q: Float[np.ndarray, " start"]
    crossings: Float[np.ndarray, "tolerance start unit"]


@dataclass(frozen=True)
class FixedPoints:
    """Points under one constant input, in the order of their first output.

    x: states. q: |F|^2 / 2, F per tau. outputs: z there. modes: eigenvalues of one step's derivative, by falling size.
    distance: to the nearest visited state, as a share of the visited region's radius. starts: how many of the visited
    states led there. fixed: q is below the smallest tolerance; else the point is slow. per_tau: steps' share of tau.
    dt: of a step, ms. survivors: distinct states at which q first fell below each tolerance. radius: root mean square
    distance of visited states from their mean.
    """

    x: Float[np.ndarray, "point unit"]
    q: Float[np.ndarray, " point"]
    outputs: Float[np.ndarray, "point output"]
    modes: Complex[np.ndarray, "point unit"]
    distance: Float[np.ndarray, " point"]
    starts: Int[np.ndarray, " point"]
    fixed: np.ndarray
    outside: np.ndarray
    survivors: Int[np.ndarray, " tolerance"]
    radius: float
    per_tau: float
    dt: float

    def __repr__(self) -> str:
        """How many there are of each kind."""
        kinds = {name: len(getattr(self, name)) for name in ("stable", "saddles", "slow")}
        counts = ", ".join(f"{n} {name}" for name, n in kinds.items())
        return f"FixedPoints: {counts}, {int(self.outside.sum())} outside: {verdict(self)}"

    @property
    def unstable(self) -> Int[np.ndarray, " point"]:
        """Number of unstable dimensions of every point; a neutral mode is not unstable."""
        return (self.rates > NEUTRAL).sum(axis=1)

    @property
    def rates(self) -> Float[np.ndarray, "point unit"]:
        """Growth of every mode, per tau: (|eigenvalue| - 1) / alpha, near the real part of the Jacobian's."""
        return (np.abs(self.modes) - 1) / self.per_tau

    @property
    def time_constants(self) -> Float[np.ndarray, "point unit"]:
        """Times in which modes decay by a factor e, ms; negative where they grow."""
        with np.errstate(divide="ignore"):
            return -self.dt / log(np.abs(self.modes))

    @property
    def counted(self) -> np.ndarray:
        """Fixed points inside the visited region."""
        return self.fixed & ~self.outside

    @property
    def stable(self) -> Int[np.ndarray, " stable"]:
        """Indices of the counted points that are stable."""
        return np.flatnonzero(self.counted & (self.unstable == 0))

    @property
    def saddles(self) -> Int[np.ndarray, " saddle"]:
        """Indices of the counted points that are not stable."""
        return np.flatnonzero(self.counted & (self.unstable > 0))

    @property
    def slow(self) -> Int[np.ndarray, " slow"]:
        """Indices of points that are slow, inside the visited region, and not fixed."""
        return np.flatnonzero(~self.fixed & ~self.outside)

    @property
    def neutral(self) -> Int[np.ndarray, " neutral"]:
        """Indices of fixed points with a mode that neither grows nor decays."""
        return np.flatnonzero(self.counted & (np.abs(self.rates) < NEUTRAL).any(axis=1))


def fixed_points(
    dynamics: System,
    inputs: Float[np.ndarray, " channel"],
    visited: Float[np.ndarray, "state unit"],
    starts: Float[np.ndarray, "start unit"],
    settings: SearchSettings,
) -> FixedPoints:
    """Search from `starts`, merge, then search once more between every two stable points.

    Slow are points with q below the largest tolerance, outside those farther from every visited state than the settings
    allow.
    """
    tolerances = settings.tolerances
    first = search(dynamics, inputs, starts, tolerances, settings.iterations)
    radius = float(np.sqrt(np.square(visited - visited.mean(axis=0)).sum(axis=1).mean()))
    merge = settings.merge_distance * radius
    survivors = [
        len(distinct(at, dynamics.outputs(at)[:, 0], merge)[0])
        for at in (x[~np.isnan(x).any(axis=1)] for x in first.crossings)
    ]
    x, q, counts = _merged(dynamics, first.x, first.q, np.ones(len(starts)), settings, merge)
    stable = x[(q <= tolerances[-1]) & (_growth(dynamics, x) <= NEUTRAL)]
    between = [(a + b) / 2 for a, b in list(combinations(stable, 2))[:PAIRS]]
    if between:
        more = search(dynamics, inputs, np.array(between), tolerances, settings.iterations)
        weight = np.r_[counts, np.zeros(len(between))]
        x, q = np.r_[x, more.x], np.r_[q, more.q]
        x, q, counts = _merged(dynamics, x, q, weight, settings, merge)
    distance = np.array([np.linalg.norm(visited - state, axis=1).min() for state in x]) / (
        radius or 1.0
    )
    return FixedPoints(
        x=x,
        q=q,
        outputs=dynamics.outputs(x),
        modes=_modes(dynamics, x),
        distance=distance,
        starts=counts,
        fixed=q <= tolerances[-1],
        outside=distance > settings.outlier_distance,
        survivors=np.array(survivors, np.int64),
        radius=radius,
        per_tau=dynamics.per_tau,
        dt=dynamics.dt,
    )


def verdict(points: FixedPoints) -> str:
    """What the points under one input add up to, in a name.

    A line attractor is a continuum of points that stay apart down to the smallest tolerance, each with one mode that
    neither grows nor decays. Slow points that vanish or collapse onto a few fixed points as the tolerance falls are no
    line, however well they lie on one. Points outside the visited region do not count.
    """
    n_stable, neutral = len(points.stable), points.neutral
    if len(neutral) >= CONTINUUM and 2 * len(neutral) >= points.counted.sum():
        flat = np.median((np.abs(points.rates[neutral]) < NEUTRAL).sum(axis=1))
        return "line attractor" if flat == 1 else f"attractor of {flat:.0f} dimensions"
    few = {0: "no stable point nearby", 1: "one stable point", 2: "bistable"}
    return few.get(n_stable, f"{n_stable} stable points")


def _merged(
    dynamics: System,
    x: Float[np.ndarray, "start unit"],
    q: Float[np.ndarray, " start"],
    counts: Float[np.ndarray, " start"],
    settings: SearchSettings,
    merge: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distinct fixed points, then distinct slow ones, in the order of their outputs, with how many led to each."""
    fixed = q <= settings.tolerances[-1]
    slow = (q <= settings.tolerances[0]) & ~fixed
    groups = []
    for kind, apart in ((fixed, merge), (slow, SLOW_MERGE * merge)):
        points, weight = x[kind], counts[kind]
        kept, its = distinct(points, dynamics.outputs(points)[:, 0], apart)
        groups.append((points[kept], q[kind][kept], np.bincount(its, weight, len(kept))))
    x, q, counts = (np.concatenate(parts) for parts in zip(*groups, strict=True))
    order = np.lexsort((np.linalg.norm(x, axis=1), np.round(dynamics.outputs(x)[:, 0], 6)))
    return x[order], q[order], counts[order].astype(np.int64)


def _modes(
    dynamics: System, x: Float[np.ndarray, "point unit"]
) -> Complex[np.ndarray, "point unit"]:
    if not len(x):
        return np.empty((0, x.shape[1]), np.complex128)
    values = np.linalg.eigvals(dynamics.map_jacobian(x)).astype(np.complex128)
    return np.take_along_axis(values, by_size(values), axis=1)


def _growth(dynamics: System, x: Float[np.ndarray, "point unit"]) -> Float[np.ndarray, " point"]:
    """Growth of the leading mode of every point, per tau."""
    return (np.abs(_modes(dynamics, x)[:, 0]) - 1) / dynamics.per_tau


def search(
    dynamics: System,
    inputs: Float[np.ndarray, " channel"],
    starts: Float[np.ndarray, "start unit"],
    tolerances: Sequence[float],
    iterations: int,
) -> Search:
    """Minimise q from every start under a constant input, for at most so many iterations.

    Where the model has states beside the one that the synaptic current drives, these follow it at their steady values,
    which fixed points have anyway: the search then is in one dimension a unit, and slow states do not make it slow.
    Where there are no such values, as of a state that adds up without end, the search is in all of them.
    """
    if isinstance(dynamics, Dynamics) and dynamics.flow.n_states > 1:
        driven = Driven(dynamics)
        try:
            ended = _search(driven, inputs, starts[:, : driven.n], tolerances, iterations)
            crossings = np.full((len(tolerances), *starts.shape), np.nan)
            reached = ~np.isnan(ended.crossings).any(axis=2)
            crossings[reached] = driven.states(ended.crossings[reached])
            return Search(driven.states(ended.x), ended.q, crossings)
        except np.linalg.LinAlgError:
            pass
    return _search(dynamics, inputs, starts, tolerances, iterations)


class Driven:
    """The states that the synaptic current drives, while the others of their units are at their steady values."""

    def __init__(self, dynamics: Dynamics) -> None:
        self.dynamics, self.n, self.drive = dynamics, len(dynamics.W), dynamics.drive

    def states(self, x: Float[np.ndarray, "point unit"]) -> Float[np.ndarray, "point state"]:
        """The whole states, by Newton's method for each unit. Raises LinAlgError where there are none."""
        d, k = self.dynamics, self.dynamics.flow.n_states
        others = np.stack([full(value, x.shape) for value in d.flow.start(*d.p)[1:]], axis=-1)
        for _ in range(NEWTON_STEPS):
            whole = np.concatenate([x, *np.moveaxis(others, -1, 0)], axis=-1)
            rest = d.flow.rest(*np.split(whole, k, axis=-1), d.rates(whole), *d.p)[1:]
            moving = np.stack([full(value, x.shape) for value in rest], axis=-1)
            step = np.linalg.solve(self._slopes(whole)[1], moving[..., None])[..., 0]
            others = others - step
            if (np.abs(step) <= STEADY * (1 + np.abs(others))).all():
                return np.concatenate([x, *np.moveaxis(others, -1, 0)], axis=-1)
        raise np.linalg.LinAlgError("states beside the driven one have no steady values")

    def velocity(
        self, x: Float[np.ndarray, "point unit"], drive: Float[np.ndarray, " unit"]
    ) -> Float[np.ndarray, "point unit"]:
        """F of the driven states, per tau."""
        return self.dynamics.velocity(self.states(x), drive)[:, : self.n]

    def jacobian(self, x: Float[np.ndarray, "point unit"]) -> Float[np.ndarray, "point post pre"]:
        """Its derivative, with what the others follow by."""
        whole = self.states(x)
        by_driven, by_others = self._slopes(whole)
        follow = -np.linalg.solve(by_others, by_driven[..., None])[..., 0]
        own, *parts = np.split(
            self.dynamics.jacobian(whole)[:, : self.n], follow.shape[-1] + 1, axis=2
        )
        for part, slope in zip(parts, np.moveaxis(follow, -1, 0), strict=True):
            own = own + part * slope[:, None]
        return own

    def _slopes(
        self, whole: Float[np.ndarray, "point state"]
    ) -> tuple[Float[np.ndarray, "point unit other"], Float[np.ndarray, "point unit other by"]]:
        """Derivatives of the other states' velocities, by the driven one and by themselves."""
        d, k = self.dynamics, self.dynamics.flow.n_states
        shape = (len(whole), self.n)
        slopes = [full(s, shape) for s in d.flow.slopes(*np.split(whole, k, axis=-1), *d.p)]
        table = np.stack(slopes[2 * k :], axis=-1).reshape(*shape, k - 1, k)
        return table[..., 0], table[..., 1:]


def _search(
    dynamics: System | Driven,
    inputs: Float[np.ndarray, " channel"],
    starts: Float[np.ndarray, "start unit"],
    tolerances: Sequence[float],
    iterations: int,
) -> Search:
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
        for chunk in np.array_split(active, -(-len(active) // CHUNK)):
            step, promised[chunk] = _step(dynamics, x[chunk], F[chunk], damping[chunk])
            moved = x[chunk] + step
            F_moved = dynamics.velocity(moved, drive)
            better = speed(F_moved) < q[chunk]
            damping[chunk] *= np.where(better, 0.1, 10.0)
            took = chunk[better]
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
    dynamics: System | Driven,
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
