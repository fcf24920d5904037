"""Fixed points and selection vectors of a population, under every constant input of its task."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from tqdm import tqdm

from ctrnn.analysis.dynamics import Dynamics, dynamics_of
from ctrnn.analysis.fixed_points import FixedPoints, fixed_points, verdict
from ctrnn.analysis.linearisation import Linearisation, linearise
from ctrnn.analysis.state_space import StateSpace
from ctrnn.network import Network
from ctrnn.network.native_backend import usable_cores
from ctrnn.params import FixedPointSettings
from ctrnn.streams import generator
from ctrnn.tasks import Batch, Epoch, Task

TRIALS = 32  # seen under an input, whose states count as visited: half of them with noise, half without
KINDS = ("stable", "saddle", "slow", "outside")
LONGEST = 1e6  # steps: time constants beyond it are given as this
LEADING = 6  # modes of a point that are kept


@dataclass(frozen=True)
class Portrait:
    """What one network does under one constant input; `at` is the point where it is linearised, None without any."""

    points: FixedPoints
    rates: Float[np.ndarray, "point unit"]
    at: int | None
    linear: Linearisation | None


def portraits(
    task: Task[Any],
    test: Batch,
    networks: Sequence[Network],
    seeds: Sequence[int],
    settings: FixedPointSettings,
) -> list[list[Portrait]]:
    """A portrait [network][epoch] for every constant input of the task."""
    jobs = list(product(zip(networks, seeds, strict=True), task.epochs()))

    def run(job: tuple[tuple[Network, int], Epoch]) -> Portrait:
        (network, seed), epoch = job
        random = generator(seed, "analyze", "fixed_points", epoch.name)
        return portrait(dynamics_of(network), epoch, test, task.settings.stim_on, settings, random)

    with ThreadPoolExecutor(usable_cores()) as pool:
        done = list(tqdm(pool.map(run, jobs), desc="fixed points", total=len(jobs), unit="search"))
    n_epochs = len(task.epochs())
    return [done[i : i + n_epochs] for i in range(0, len(done), n_epochs)]


def portrait(
    dynamics: Dynamics,
    epoch: Epoch,
    test: Batch,
    begin: int,
    settings: FixedPointSettings,
    random: np.random.Generator,
) -> Portrait:
    """Search from states that trials seen under this input visit, from step `begin` on."""
    rows = np.flatnonzero(epoch.picks(test.conditions))[:TRIALS]
    inputs = np.array(epoch.inputs)
    trials = test.inputs[:, rows]
    noisy, quiet = (
        dynamics.simulate(trials[:, half::2], random=noise)
        for half, noise in ((0, random), (1, None))
    )
    visited = np.concatenate([noisy, quiet], axis=1)[begin:].reshape(-1, len(dynamics.W))
    n_starts = min(settings.starts, len(visited))
    starts = visited[random.choice(len(visited), n_starts, replace=False)]
    points = fixed_points(dynamics, inputs, visited, starts, settings)
    at = informative(points)
    linear = None if at is None else linearise(dynamics, points.x[at], inputs)
    return Portrait(points, dynamics.rates(points.x), at, linear)


def informative(points: FixedPoints) -> int | None:
    """The saddle with the fewest unstable dimensions; without a saddle the slowest slow point, or else fixed point.

    Selection shows between the attractors: at the saddle, or at the slow point that stays where it has vanished.
    """
    if len(points.slow) and not len(points.saddles):
        return int(points.slow[np.lexsort((np.round(np.log10(points.q[points.slow]), 3),))[0]])
    some = points.saddles if len(points.saddles) else points.stable
    if not len(some):
        return None
    slowness = np.round(np.abs(points.rates[some, 0]), 6)
    return int(some[np.lexsort((slowness, points.unstable[some]))[0]])


def arrays(
    found: list[list[Portrait]],
    epochs: Sequence[Epoch],
    spaces: Sequence[StateSpace],
    tolerances: Sequence[float],
) -> dict[str, np.ndarray]:
    """fixed_points.npz: a row per point, with its network, epoch (number), kind (place in KINDS) and projection of rates.

    rates_per_tau and time_constants (steps) are those of the leading modes. overlap and error [network, epoch, channel]:
    see `Linearisation`; linearised [network, epoch]: the row of the point, -1 without any.
    """
    rows: dict[str, list[Any]] = {name: [] for name in (
        "network", "epoch", "kind", "x", "q", "outputs", "unstable", "starts", "distance", "projection", "rates_per_tau",
        "time_constants",
    )}  # fmt: skip
    linearised = np.full((len(found), len(epochs)), -1)
    n_channels = len(epochs[0].inputs)
    overlap, error = np.zeros((2, len(found), len(epochs), n_channels))
    for (i, space), e in product(enumerate(spaces), range(len(epochs))):
        one = found[i][e]
        points = one.points
        if one.linear is not None and one.at is not None:
            linearised[i, e] = len(rows["q"]) + one.at
            overlap[i, e], error[i, e] = one.linear.overlap, one.linear.error
        kinds = kind_of(points)
        for p in range(len(points.q)):
            for name, value in {
                "network": i, "epoch": e, "kind": kinds[p], "x": points.x[p], "q": points.q[p],
                "outputs": points.outputs[p], "unstable": points.unstable[p], "starts": points.starts[p],
                "distance": points.distance[p], "projection": (one.rates[p] - space.mean) @ space.axes,
                "rates_per_tau": points.rates[p, :LEADING],
                "time_constants": np.clip(points.time_constants[p, :LEADING], -LONGEST, LONGEST),
            }.items():  # fmt: skip
                rows[name].append(value)
    survivors = [[one.points.survivors for one in row] for row in found]
    return {
        "epochs": np.array([epoch.name for epoch in epochs]),
        "kinds": np.array(KINDS),
        "tolerances": np.array(tolerances),
        "survivors": np.array(survivors),
        "linearised": linearised,
        "overlap": overlap,
        "error": error,
        **{name: np.array(values) for name, values in rows.items()},
    }


def metrics(found: list[list[Portrait]], epochs: Sequence[Epoch], task: Task[Any]) -> dict[str, Any]:
    """fixed_points and selection_ratio of reports/analyze/<task>.json: lists over networks."""
    report: dict[str, Any] = {"fixed_points": {}}
    for e, epoch in enumerate(epochs):
        row = [network[e] for network in found]
        leading = [None if one.at is None else float(one.points.rates[one.at, 0]) for one in row]
        report["fixed_points"][epoch.name] = {
            "stable": [len(one.points.stable) for one in row],
            "saddle": [len(one.points.saddles) for one in row],
            "slow": [len(one.points.slow) for one in row],
            "outside": [int(one.points.outside.sum()) for one in row],
            "verdict": [verdict(one.points) for one in row],
            "unstable_dimensions": [one.points.unstable[one.points.saddles].tolist() for one in row],
            "stable_outputs": [one.points.outputs[one.points.stable, 0].tolist() for one in row],
            "stable_rates": [one.points.rates[one.points.stable, 0].tolist() for one in row],
            "linearised_at": [_kind(one) for one in row],
            "rate": leading,
            "time_constant": [
                None if one.at is None else _steps(one.points.time_constants[one.at, 0])
                for one in row
            ],
            "linear_error": [None if o.linear is None else float(o.linear.error.max()) for o in row],
        }
        if epoch.relevant and epoch.irrelevant:
            relevant, irrelevant = (task.channels.index(n) for n in (epoch.relevant, epoch.irrelevant))
            report.setdefault("selection_ratio", {})[epoch.name] = [
                None if one.linear is None else float(one.linear.overlap[relevant] / one.linear.overlap[irrelevant])
                for one in row
            ]  # fmt: skip
    return report


def kind_of(points: FixedPoints) -> Int[np.ndarray, " point"]:
    """Place in KINDS of every point."""
    return np.select([points.outside, ~points.fixed, points.unstable > 0], [3, 2, 1], 0)


def _kind(one: Portrait) -> str | None:
    return None if one.at is None else KINDS[kind_of(one.points)[one.at]]


def _steps(time_constant: float) -> float:
    return float(np.clip(time_constant, -LONGEST, LONGEST))
