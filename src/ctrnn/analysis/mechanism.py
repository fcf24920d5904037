"""Fixed points and selection vectors of a population, under every constant input of its task."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from ctrnn.analysis.dynamics import Dynamics, dynamics_of
from ctrnn.analysis.fixed_points import FixedPoints, fixed_points
from ctrnn.analysis.linearisation import Linearisation, linearise
from ctrnn.analysis.settings import FixedPointSettings
from ctrnn.core.rng import generator
from ctrnn.kernel import log, usable_cores
from ctrnn.network import Network
from ctrnn.tasks import Batch, ConstantInput, Task

# Trials seen under an input, whose states count as visited: half of them with noise, half without.
TRIALS = 32


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
    jobs = list(product(zip(networks, seeds, strict=True), task.constant_inputs()))

    def run(job: tuple[tuple[Network, int], ConstantInput]) -> Portrait:
        (network, seed), epoch = job
        random = generator(seed, "analyze", "fixed_points", epoch.name)
        return portrait(dynamics_of(network), epoch, test, task.settings.stim_on, settings, random)

    with ThreadPoolExecutor(usable_cores()) as pool:
        done = list(tqdm(pool.map(run, jobs), desc="fixed points", total=len(jobs), unit="search"))
    n_epochs = len(task.constant_inputs())
    return [done[i : i + n_epochs] for i in range(0, len(done), n_epochs)]


def portrait(
    dynamics: Dynamics,
    epoch: ConstantInput,
    test: Batch,
    begin: int,
    settings: FixedPointSettings,
    random: np.random.Generator,
) -> Portrait:
    """Search from states that trials seen under this input visit, from step `begin` on."""
    visited = visited_states(dynamics, epoch, test, begin, random)
    n_starts = min(settings.starts, len(visited))
    starts = visited[random.choice(len(visited), n_starts, replace=False)]
    inputs = np.array(epoch.inputs)
    points = fixed_points(dynamics, inputs, visited, starts, settings)
    at = informative(points)
    linear = None if at is None else linearise(dynamics, points.x[at], inputs)
    return Portrait(points, dynamics.rates(points.x), at, linear)


def visited_states(
    dynamics: Dynamics, epoch: ConstantInput, test: Batch, begin: int, random: np.random.Generator
) -> Float[np.ndarray, "state unit"]:
    """States on some trials seen under an input, from step `begin` on; half of the trials are with noise."""
    rows = np.flatnonzero(epoch.picks(test.conditions))[:TRIALS]
    trials = test.inputs[:, rows]
    noisy, quiet = (
        dynamics.simulate(trials[:, half::2], random=noise)
        for half, noise in ((0, random), (1, None))
    )
    return np.concatenate([noisy, quiet], axis=1)[begin:].reshape(-1, len(dynamics.W))


def informative(points: FixedPoints) -> int | None:
    """The saddle with the fewest unstable dimensions; without a saddle the slowest slow point, or else fixed point.

    Selection shows between the attractors: at the saddle, or at the slow point that stays where it has vanished.
    """
    if len(points.slow) and not len(points.saddles):
        return int(points.slow[np.lexsort((np.round(log(points.q[points.slow]), 3),))[0]])
    some = points.saddles if len(points.saddles) else points.stable
    if not len(some):
        return None
    slowness = np.round(np.abs(points.rates[some, 0]), 6)
    return int(some[np.lexsort((slowness, points.unstable[some]))[0]])
