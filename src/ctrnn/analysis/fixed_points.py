"""Fixed points and selection vectors of a population, under every constant input of its task.

A row per point, with its network, its epoch and its kind by number; counts and leading modes by network.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ctrnn.analysis.dynamics import Dynamics, Linearisation, System, dynamics_of, linearise
from ctrnn.analysis.intervals import RATIO_BY_CHANCE, geometric_mean, overlap_by_chance
from ctrnn.analysis.points import NEUTRAL, FixedPoints, SearchSettings, fixed_points, verdict
from ctrnn.analysis.recording import Recording, Result
from ctrnn.analysis.state_space import StateSpace, spaces
from ctrnn.core.config import Count
from ctrnn.core.rng import generator
from ctrnn.kernel import log, usable_cores
from ctrnn.network import Network
from ctrnn.tasks import Batch, ConstantInput, Task

# Trials seen under an input, whose states count as visited: half of them with noise, half without.
TRIALS = 32
KINDS = ("stable", "saddle", "slow", "outside")
LN2 = 0.6931471805599453
LONGEST = 1e6  # ms: time constants beyond it are given as this
LEADING = 6  # modes of a point that are kept
MEASURES = {
    "stable_points": ("fixed_points/[^/]+/stable/{}", "stable fixed points an input"),
    "saddles": ("fixed_points/[^/]+/saddle/{}", "saddles an input"),
    "slow_points": ("fixed_points/[^/]+/slow/{}", "slow points an input"),
    "growth": (
        "fixed_points/[^/]+/growth/{}",
        "growth per tau of the leading mode, where it grows",
    ),
    "decay": ("fixed_points/[^/]+/decay/{}", "decay per tau of the leading mode, where it decays"),
}


class FixedPointSettings(SearchSettings):
    """Section `analyze.fixed_points`."""

    starts: Count


@dataclass(frozen=True)
class Portrait:
    """What one network does under one constant input; `at` is the point where it is linearised, None without any."""

    points: FixedPoints
    rates: Float[np.ndarray, "point unit"]
    at: int | None
    linear: Linearisation | None


def compute(recording: Recording) -> Result:
    """Fixed and slow points of every trained network, and what its slow mode takes up.

    Returns:
        Arrays of `point_arrays` and metrics of `point_metrics`.
    """
    task, settings = recording.task, recording.section(FixedPointSettings)
    each = portraits(task, recording.test, recording.after, recording.seeds, settings)
    epochs = task.constant_inputs()
    arrays = point_arrays(each, epochs, recording.once(spaces), settings.tolerances)
    return arrays, point_metrics(each, epochs, task)


def portraits(
    task: Task[Any],
    test: Batch,
    networks: Sequence[Network],
    seeds: Sequence[int],
    settings: FixedPointSettings,
) -> list[list[Portrait]]:
    """A portrait [network][epoch] for every constant input of the task."""
    from tqdm import tqdm

    jobs = list(product(zip(networks, seeds, strict=True), task.constant_inputs()))

    def run(job: tuple[tuple[Network, int], ConstantInput]) -> Portrait:
        (network, seed), epoch = job
        random = generator(seed, "analyze", "fixed_points", epoch.name)
        return portrait(dynamics_of(network), epoch, test, task.steps.baseline, settings, random)

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
    inputs = np.array(epoch.inputs)
    points = points_near(dynamics, inputs, visited, settings, random)
    at = informative(points)
    linear = None if at is None else linearise(dynamics, points.x[at], inputs)
    return Portrait(points, dynamics.rates(points.x), at, linear)


def points_near(
    dynamics: System,
    inputs: Float[np.ndarray, " channel"],
    visited: Float[np.ndarray, "state unit"],
    settings: FixedPointSettings,
    random: np.random.Generator,
) -> FixedPoints:
    """Search from some of the visited states, which are drawn."""
    n_starts = min(settings.starts, len(visited))
    starts = visited[random.choice(len(visited), n_starts, replace=False)]
    return fixed_points(dynamics, inputs, visited, starts, settings)


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
    return np.concatenate([noisy, quiet], axis=1)[begin:].reshape(-1, dynamics.size)


def informative(points: FixedPoints) -> int | None:
    """The saddle with the fewest unstable dimensions; without a saddle the slowest slow point, or else fixed point.

    Selection shows between the attractors: at the saddle, or at the slow point that stays where it has vanished.
    """
    if len(points.slow) and not len(points.saddles):
        return int(points.slow[np.lexsort((np.round(log(points.q[points.slow]), 3),))[0]])
    fixed = points.saddles if len(points.saddles) else points.stable
    if not len(fixed):
        return None
    slowness = np.round(np.abs(points.rates[fixed, 0]), 6)
    return int(fixed[np.lexsort((slowness, points.unstable[fixed]))[0]])


def point_arrays(
    each: list[list[Portrait]],
    epochs: Sequence[ConstantInput],
    spaces: Sequence[StateSpace],
    tolerances: Sequence[float],
) -> dict[str, np.ndarray]:
    """fixed_points.npz: a row per point, with its network, its epoch and kind by number, and projected rates.

    rates_per_tau and time_constants (ms) are those of the leading modes; q of fixed points is given as 0, since what
    is left of it is rounding. overlap, error [network, epoch, channel]: of `Linearisation`. overlap_chance [network,
    epoch, 2]: overlap of a random direction, its mean and what 95% are below. linearised [network, epoch] is the row
    of the point, -1 without any.
    """
    parts: list[dict[str, np.ndarray]] = []
    linearised = np.full((len(each), len(epochs)), -1)
    overlap, error = np.zeros((2, len(each), len(epochs), len(epochs[0].inputs)))
    chance = np.zeros((len(each), len(epochs), 2))
    n_rows = 0
    for (i, space), e in product(enumerate(spaces), range(len(epochs))):
        portrait, points = each[i][e], each[i][e].points
        n = len(points.q)
        if portrait.linear is not None and portrait.at is not None:
            linearised[i, e] = n_rows + portrait.at
            overlap[i, e], error[i, e] = portrait.linear.overlap, portrait.linear.error
            chance[i, e] = _chance(portrait.linear)
        n_rows += n
        time_constants = np.clip(points.time_constants[:, :LEADING], -LONGEST, LONGEST)
        parts.append({
            "network": np.full(n, i), "epoch": np.full(n, e), "kind": kind_of(points), "x": points.x,
            "q": np.where(points.fixed, 0.0, points.q), "outputs": points.outputs, "unstable": points.unstable,
            "starts": points.starts, "distance": points.distance,
            "projection": (portrait.rates - space.mean) @ space.axes,
            "rates_per_tau": points.rates[:, :LEADING], "time_constants": time_constants,
        })  # fmt: skip
    survivors = [[portrait.points.survivors for portrait in row] for row in each]
    return {
        "epochs": np.array([epoch.name for epoch in epochs]),
        "kinds": np.array(KINDS),
        "tolerances": np.array(tolerances),
        "survivors": np.array(survivors),
        "linearised": linearised,
        "overlap": overlap,
        "overlap_chance": chance,
        "error": error,
        **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
    }


def point_metrics(
    each: list[list[Portrait]], epochs: Sequence[ConstantInput], task: Task[Any]
) -> dict[str, Any]:
    """fixed_points and selection of reports/analyze/<task>.json: lists over networks, and a mean with its interval."""
    report: dict[str, Any] = {"fixed_points": {}, "overlap_over_chance": {}}
    for e, epoch in enumerate(epochs):
        row = [network[e] for network in each]
        leading = [
            None if portrait.at is None else float(portrait.points.rates[portrait.at, 0])
            for portrait in row
        ]
        times = [None if o.at is None else _clipped(o.points.time_constants[o.at, 0]) for o in row]
        grows = [rate is not None and rate > NEUTRAL for rate in leading]
        decays = [rate is not None and rate < -NEUTRAL for rate in leading]
        report["fixed_points"][epoch.name] = {
            "stable": [len(portrait.points.stable) for portrait in row],
            "saddle": [len(portrait.points.saddles) for portrait in row],
            "slow": [len(portrait.points.slow) for portrait in row],
            "outside": [int(portrait.points.outside.sum()) for portrait in row],
            "verdict": [verdict(portrait.points) for portrait in row],
            "unstable_dimensions": [
                portrait.points.unstable[portrait.points.saddles].tolist() for portrait in row
            ],
            "stable_outputs": [
                _by_output(portrait.points.outputs[portrait.points.stable], task.outputs)
                for portrait in row
            ],
            "stable_rates": [
                portrait.points.rates[portrait.points.stable, 0].tolist() for portrait in row
            ],
            "linearised_at": [_kind(portrait) for portrait in row],
            "rate": leading,
            "time_constant": times,
            "growth": [rate if up else None for rate, up in zip(leading, grows, strict=True)],
            "decay": [
                _minus(rate) if down else None for rate, down in zip(leading, decays, strict=True)
            ],
            "doubling_time": [
                LN2 * abs(t) if up and t is not None else None
                for t, up in zip(times, grows, strict=True)
            ],
            "decay_time": [
                abs(t) if down and t is not None else None
                for t, down in zip(times, decays, strict=True)
            ],
            "linear_error": [
                None if o.linear is None else float(o.linear.error.max()) for o in row
            ],
        }
        report["overlap_over_chance"][epoch.name] = {
            channel: [
                None if o.linear is None else o.linear.overlap[c] / _chance(o.linear)[0]
                for o in row
            ]
            for c, channel in enumerate(task.channels[: len(epoch.inputs)])
        }
        if epoch.relevant and epoch.irrelevant:
            relevant, irrelevant = (
                task.channels.index(n) for n in (epoch.relevant, epoch.irrelevant)
            )
            ratios = [_ratio(portrait, relevant, irrelevant) for portrait in row]
            report.setdefault("selection_ratio", {})[epoch.name] = ratios
            mean = geometric_mean(np.array([ratio for ratio in ratios if ratio]))
            report.setdefault("selection_ratio_mean", {})[epoch.name] = dict(
                zip(("mean", "low", "high"), mean or (None, None, None), strict=True)
            ) | dict(zip(("low_by_chance", "high_by_chance"), RATIO_BY_CHANCE, strict=True))
    return report


def kind_of(points: FixedPoints) -> Int[np.ndarray, " point"]:
    """Place in KINDS of every point."""
    return np.select([points.outside, ~points.fixed, points.unstable > 0], [3, 2, 1], 0)


def _chance(linear: Linearisation) -> tuple[float, float]:
    """Overlap by chance, with a selection vector that is complex where its mode turns."""
    return overlap_by_chance(len(linear.left), bool(np.abs(linear.left.imag).max() > 1e-9))


def _by_output(outputs: np.ndarray, names: Sequence[str]) -> list[float] | dict[str, list[float]]:
    """Outputs at some points; of several outputs, by their names."""
    if len(names) == 1:
        return list(outputs[:, 0].tolist())
    return {name: outputs[:, i].tolist() for i, name in enumerate(names)}


def _ratio(portrait: Portrait, relevant: int, irrelevant: int) -> float | None:
    """Overlap of the selection vector with one channel over that with the other; None where there is none."""
    if portrait.linear is None or not portrait.linear.overlap[irrelevant]:
        return None
    return float(portrait.linear.overlap[relevant] / portrait.linear.overlap[irrelevant])


def _kind(portrait: Portrait) -> str | None:
    return None if portrait.at is None else KINDS[kind_of(portrait.points)[portrait.at]]


def _minus(rate: float | None) -> float | None:
    return None if rate is None else -rate


def _clipped(time_constant: float) -> float:
    return float(np.clip(time_constant, -LONGEST, LONGEST))
