"""How much of the memory of a stimulus is in firing rates, and how much in synapses, while a second one is awaited.

The two questions of Masse, Yang, Song, Wang & Freedman (2019, Nat Neurosci 22:1159): how well the first stimulus is
decoded from the rates of single trials and from the synaptic efficacies, by linear support vector machines at every
time; and how well a network answers once the rates, or the synapses, have changed places between trials just before
the second stimulus. Two things differ. The machine has squared errors in place of the hinge loss, so that its solution
is that of a linear system (Suykens & Vandewalle 1999, Neural Process Lett 9:293). And no trial is drawn twice: the
decoder learns from one part of the trials and guesses each of the others once, so that the number of right guesses is
binomial.

What a model's slow states make of a unit follows from its rates: u d of `short_term_plasticity`, w of `adaptation`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from pydantic import Field

from ctrnn.analysis.dynamics import FUNCTIONS, Dynamics, dynamics_of, full
from ctrnn.analysis.recording import (
    Recording,
    Result,
    accuracies,
    by_condition,
    first_trials,
    in_bins,
)
from ctrnn.core.artifacts import mean_sd
from ctrnn.core.config import LARGEST, Section
from ctrnn.core.rng import generator
from ctrnn.tasks import Batch
from ctrnn.tasks.settings import TwoStimuli

NORMAL = 1.959963984540054  # 97.5% of the normal distribution lie below it
CONSTANT = 1e-9  # standard deviation below which a feature says nothing
DIGITS = 9  # of a decoder's scores: beyond them, LAPACK decides
STEPS_AT_ONCE = 20  # of a simulation, whose states are in memory


class MemorySettings(Section):
    """Section `analyze.memory`, which may be left out, as in a params.yaml from before this analysis."""

    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    C: Annotated[float, Field(ge=1e-9, le=1e9)] = 1.0


@dataclass(frozen=True)
class SlowStates:
    """States of a unit that follow from its rates alone, and what is decoded of them.

    name: "synapses" where they scale what synapses carry, else "slow_states". places: theirs among the states of the
    model. step: of these, the rate and the parameters, the states a step later. seen: likewise, what is decoded: what
    synapses carry per rate, or the states themselves.
    """

    name: str
    places: tuple[int, ...]
    step: Callable[..., list[Any]]
    seen: Callable[..., list[Any]]


@cache
def slow_states(model: str, activation: str) -> SlowStates | None:
    """Those of a model; None where there is none, or where one follows from more than the rates."""
    import sympy  # here, since params.yaml is checked by way of this module

    from ctrnn.dynamics.derive import RATE, as_function, equations

    e = equations(model, activation)
    read = e.argument.free_symbols | e.fired.free_symbols
    slow = {name: y for name, y in e.y.items() if name != e.driven and y not in read}
    symbols = [*slow.values(), RATE, *e.p.values()]
    efficacy = sympy.diff(e.sent, RATE)
    scale = bool(efficacy.free_symbols & set(slow.values()))
    seen = [efficacy] if scale else list(slow.values())
    step = [e.carried[name] for name in slow]
    if not slow or set().union(*(part.free_symbols for part in (*step, *seen))) - set(symbols):
        return None
    names = list(e.y)
    return SlowStates(
        "synapses" if scale else "slow_states",
        tuple(names.index(name) for name in slow),
        as_function(symbols, step, FUNCTIONS),
        as_function(symbols, seen, FUNCTIONS),
    )


@np.errstate(over="ignore", invalid="ignore")
def replay(
    slow: SlowStates, dynamics: Dynamics, rates: Float[np.ndarray, "time trial unit"]
) -> Float[np.ndarray, "time trial feature"]:
    """What is decoded of the slow states at every step, from the rates; states that grow without end stay finite."""
    start = [full(state, (len(dynamics.W),)) for state in dynamics.flow.start(*dynamics.p)]
    y, r = [start[place] for place in slow.places], dynamics.rates(np.concatenate(start))
    steps = []
    for after in rates.astype(np.float64):
        y, r = slow.step(*y, r, *dynamics.p), after
        seen = [full(part, r.shape) for part in slow.seen(*y, r, *dynamics.p)]
        finite = np.nan_to_num(np.concatenate(seen, axis=-1))
        steps.append(np.clip(finite, -LARGEST, LARGEST).astype(np.float32))
    return np.stack(steps)


def split(
    rows: pd.DataFrame, test_share: float, random: np.random.Generator
) -> Bool[np.ndarray, " trial"]:
    """Which trials the decoder is tested on: this share of every condition, and of two or more at least one."""
    test = np.zeros(len(rows), bool)
    for places in rows.groupby("condition").indices.values():
        n_test = min(max(1, round(test_share * len(places))), len(places) - 1)
        test[random.permutation(places)[:n_test]] = True
    return test


def decode(
    features: Float[np.ndarray, "bin trial feature"],
    classes: Int[np.ndarray, " trial"],
    test: Bool[np.ndarray, " trial"],
    C: float,
) -> Bool[np.ndarray, "bin tested"]:
    """Which test trials are given their class, by a linear decoder that learns from the other trials.

    At every bin a least squares support vector machine for each class against the others. Features are standardised
    on the trials to learn from, and scaled to a mean squared length of 1 of a trial.
    """
    targets = np.where(classes[:, None] == np.unique(classes), 1.0, -1.0)
    mean = targets[~test].mean(axis=0)
    right = []
    for X in features.astype(np.float64):
        sd = X[~test].std(axis=0)
        varies = sd > CONSTANT
        Z = (X[:, varies] - X[~test][:, varies].mean(axis=0)) / sd[varies]
        Z /= np.sqrt(max(1, varies.sum()))
        learned = Z[~test]
        dual = np.linalg.solve(
            learned @ learned.T + np.eye(len(learned)) / C, targets[~test] - mean
        )
        scores = Z[test] @ (learned.T @ dual) + mean
        guessed = np.round(scores, DIGITS).argmax(axis=1)
        right.append(guessed == targets[test].argmax(axis=1))
    return np.stack(right)


def wilson(
    share: Float[np.ndarray, "*any"], n: int
) -> tuple[Float[np.ndarray, "*any"], Float[np.ndarray, "*any"]]:
    """Low and high end of the 95% interval of a share of n trials (Wilson 1927, J Am Stat Assoc 22:209)."""
    z = NORMAL**2 / n
    middle = (share + z / 2) / (1 + z)
    half = np.sqrt(share * (1 - share) * z + z**2 / 4) / (1 + z)
    return middle - half, middle + half


def chance_of(right: int, n: int, chance: float) -> float:
    """Probability of so many right guesses among n or more, where each is right with probability `chance`."""
    from scipy.special import bdtrc  # here, since params.yaml is checked by way of this module

    return float(bdtrc(right - 1, n, chance)) if right else 1.0


@np.errstate(over="ignore", invalid="ignore")
def answers_after_shuffles(
    recording: Recording, dynamics: Dynamics, slow: SlowStates, trials: Batch, seed: int
) -> Float[np.ndarray, " shuffled"]:
    """Share of right answers with nothing, the rates, and the slow states shuffled before the second stimulus.

    The states from which rates follow, or the slow ones, are those of another trial when the second stimulus begins.
    The noise is the same each time. Answers count by the side where the task has sides.
    """
    onset = recording.task.steps.second_on

    def run(inputs: np.ndarray, x: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        random, outputs = generator(seed, "analyze", "memory", "noise", len(inputs)), []
        starts = range(0, len(inputs), STEPS_AT_ONCE)
        parts = (inputs[start : start + STEPS_AT_ONCE] for start in starts)
        for states in dynamics.simulate_parts(parts, x, random):
            outputs.append(dynamics.outputs(states).astype(np.float32))
        return np.concatenate(outputs), states[-1]

    before, x = run(trials.inputs[:onset], None)
    other = x[generator(seed, "analyze", "memory", "shuffle").permutation(len(x))]
    is_slow = np.repeat(np.isin(np.arange(dynamics.flow.n_states), slow.places), len(dynamics.W))
    shares = []
    for begin in (x, np.where(is_slow, x, other), np.where(is_slow, other, x)):
        after, _ = run(trials.inputs[onset:], begin)
        answered = np.concatenate([before, after])
        shares.append(accuracies(recording.task, answered, trials.conditions)[-1])
    return np.array(shares)


def states_of_networks(
    recording: Recording, slow: SlowStates
) -> list[Float[np.ndarray, "bin trial feature"]]:
    """What is decoded of the slow states of every network, in bins, on the trials of `recording.rates`."""
    parts: list[list[np.ndarray]] = [[] for _ in recording.after]
    n = recording.settings.trials_per_condition
    run = by_condition(recording.test, recording.after, recording.seeds, n, recording.backend)
    for _, activities in run:
        for part, network, activity in zip(parts, recording.after, activities, strict=True):
            seen = replay(slow, dynamics_of(network), activity.rates)
            part.append(in_bins(seen, recording.time_bin))
    return [np.concatenate(part, axis=1) for part in parts]


def compute(recording: Recording) -> Result:
    """Where the first stimulus is kept; nothing for a task without a second one, or with one trial of a condition.

    The first stimulus is the first variable of the task's conditions.

    Returns:
        sources: what is decoded, "rates" and the name of the slow states. times: middle of every bin, ms. delay: its
        begin and end, ms. decoded, low, high: share of trials that are decoded and its interval [network,
        source, bin]. answered: [network, shuffled], see `answers_after_shuffles`. And the metrics memory, memory_p,
        memory_chance and memory_answers: of the last bin before the second stimulus.
    """
    task, settings = recording.task, recording.section(MemorySettings)
    trials = first_trials(recording.test, recording.settings.trials_per_condition)
    rows = trials.conditions.reset_index(drop=True)
    if not isinstance(task.settings, TwoStimuli) or rows["condition"].value_counts().min() < 2:
        return {}, {}
    first = rows[task.conditions().columns[0]]
    _, classes = np.unique(first.to_numpy(), return_inverse=True)
    tests = [
        split(rows, settings.test_share, generator(seed, "analyze", "memory", "split"))
        for seed in recording.seeds
    ]
    wiring = recording.after[0].wiring.settings
    slow = slow_states(wiring.model, wiring.activation)
    features = {"rates": [rates.binned for rates in recording.rates]}
    if slow:
        features[slow.name] = states_of_networks(recording, slow)
    n = int(tests[0].sum())
    decoded = shares_decoded(features, classes, tests, settings.C)
    low, high = wilson(decoded, n)
    width = min(recording.time_bin, len(recording.test.inputs))
    times = (np.arange(decoded.shape[2]) + 0.5) * width * task.dt
    last = max(0, task.steps.second_on // width - 1)
    chance = float(np.bincount(classes[tests[0]]).max()) / n
    at_end = {source: decoded[:, s, last].tolist() for s, source in enumerate(features)}
    arrays = {
        "sources": np.array(list(features)),
        "times": times,
        "delay": np.array(
            [task.settings.stim_on + task.settings.stim_dur, task.settings.second_on], np.float64
        ),
        "decoded": decoded,
        "low": low,
        "high": high,
    }  # fmt: skip
    metrics: dict[str, Any] = {
        "memory": {source: mean_sd(shares) for source, shares in at_end.items()},
        "memory_p": {
            source: [chance_of(round(share * n), n, chance) for share in shares]
            for source, shares in at_end.items()
        },
        "memory_chance": chance,
    }
    if slow:
        arrays["answered"] = np.stack([
            answers_after_shuffles(recording, dynamics_of(network), slow, some(trials, test), seed)
            for network, test, seed in zip(recording.after, tests, recording.seeds, strict=True)
        ])  # fmt: skip
        shuffled = ("nothing", "rates", slow.name)
        metrics["memory_answers"] = {
            what: mean_sd(arrays["answered"][:, k].tolist()) for k, what in enumerate(shuffled)
        }
    return arrays, metrics


def shares_decoded(
    features: dict[str, list[np.ndarray]],
    classes: Int[np.ndarray, " trial"],
    tests: Sequence[np.ndarray],
    C: float,
) -> Float[np.ndarray, "network source bin"]:
    """Share of test trials that are given their class, of every network and source at every bin."""
    return np.stack([
        [decode(of_source[i], classes, test, C).mean(axis=1) for of_source in features.values()]
        for i, test in enumerate(tests)
    ])  # fmt: skip


def some(batch: Batch, chosen: Bool[np.ndarray, " trial"]) -> Batch:
    """The chosen trials of a batch."""
    return Batch(
        batch.inputs[:, chosen], batch.targets[:, chosen], batch.mask[:, chosen], batch.conditions[chosen]
    )  # fmt: skip
