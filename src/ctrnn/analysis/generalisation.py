"""Accuracy outside training: other delays, stimulus durations, strengths of evidence, and noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ctrnn.analysis.psychometric import Psychometric, fit
from ctrnn.analysis.scoring import accuracies
from ctrnn.analysis.settings import GeneralisationSettings
from ctrnn.core.rng import generator, key
from ctrnn.network import Backend, Network, Trials
from ctrnn.tasks import Batch, Task, table_of

TRIALS_AT_ONCE = 512


@dataclass(frozen=True)
class Curve:
    """values: of one setting; trained: that of training, None where there are several; accuracy: see `scoring`."""

    values: list[float]
    trained: float | None
    accuracy: Float[np.ndarray, "network value measure"]


def generalisation(
    task: Task[Any],
    networks: Sequence[Network],
    seeds: Sequence[int],
    seed: int,
    settings: GeneralisationSettings,
    backend: Backend,
) -> Iterator[tuple[str, Curve]]:
    """The curve of everything that the task is varied in, and of the noise; none for an empty list."""
    per_condition = settings.trials_per_condition

    def accuracy(setting: str, value: float) -> np.ndarray:
        name, variant, conditions, nets = f"{setting}={value:g}", task, None, networks
        if setting == "evidence":
            conditions = task.graded([value])
        elif setting == "noise":
            nets = [noisier(net, value) for net in networks]
        else:
            variant = with_setting(task, setting, value)
        batch = new_trials(variant, per_condition, key(seed, "analyze", name), conditions)
        outputs = responses(nets, batch, [key(s, "analyze", name) for s in seeds], backend)
        return np.stack([accuracies(variant, z, batch.conditions) for z in outputs])

    for setting in (*task.varied_settings(), "noise"):
        values = list(getattr(settings, setting))
        if setting == "evidence":
            trained = None
        else:
            shares = setting in ("stim_dur", "noise")
            trained = 1.0 if shares else float(getattr(task.settings, setting))
        if values:
            found = np.stack([accuracy(setting, value) for value in values], axis=1)
            yield setting, Curve([float(v) for v in values], trained, found)


def with_setting(task: Task[Any], setting: str, value: float) -> Task[Any]:
    """The task with another value of a time; that of stim_dur is a share of the trained one."""
    trained = getattr(task.settings, setting)
    steps = max(1, round(value * trained)) if setting == "stim_dur" else type(trained)(value)
    return type(task)(task.settings.varied(**{setting: steps}))


def noisier(network: Network, factor: float) -> Network:
    """The network with so many times its noise."""
    settings = network.wiring.settings
    noise = {name: factor * getattr(settings, name) for name in ("sigma_pre", "sigma_post")}
    return Network(
        replace(network.wiring, settings=settings.model_copy(update=noise)), network.weights
    )


def new_trials(
    task: Task[Any], per_condition: int, seed: int, conditions: pd.DataFrame | None = None
) -> Batch:
    """So many new trials of every condition, from a trial table of their own. conditions: None for the task's."""
    if conditions is None:
        conditions = task.conditions()
    n_trials = per_condition * len(conditions)
    return task.render(table_of(task.name, conditions, n_trials, "test", seed))


def responses(
    networks: Sequence[Network], batch: Batch, noise: Sequence[int], backend: Backend
) -> list[Float[np.ndarray, "time trial output"]]:
    """Outputs of every network on the trials, some trials at a time."""
    parts = []
    for start in range(0, batch.inputs.shape[1], TRIALS_AT_ONCE):
        inputs = batch.inputs[:, start : start + TRIALS_AT_ONCE]
        trials = [Trials(inputs, key(one, start)) for one in noise]
        parts.append(backend.outputs(networks, trials))
    return [np.concatenate(outputs, axis=1) for outputs in zip(*parts, strict=True)]


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
    evidence, between = table.to_numpy(np.float64), np.float32(np.mean(task.answers or 0))
    noise = [key(one, "analyze", "psychometric") for one in seeds]
    positive, fits = [], []
    for one, outputs in zip(seeds, responses(networks, batch, noise, backend), strict=True):
        positive.append(task.score(outputs, batch.conditions).response > between)
        random = generator(one, "analyze", "psychometric")
        fits.append(fit(evidence, positive[-1], settings.bootstraps, random))
    return tuple(table.columns), evidence, np.stack(positive), fits
