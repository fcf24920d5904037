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
from ctrnn.network import Backend, Network, Trials
from ctrnn.params import GeneralisationSettings
from ctrnn.streams import generator, key
from ctrnn.tasks import Batch, Task, trial_table

TRIALS_AT_ONCE = 512


@dataclass(frozen=True)
class Curve:
    """values: of one setting; trained: the value it was trained at (None for a list); accuracy: see `scoring`."""

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
    """The curve of every setting that the task has, one after the other, and of the noise; none for an empty list."""
    per_condition = settings.trials_per_condition

    def accuracy(variant: Task[Any], nets: Sequence[Network], name: str) -> np.ndarray:
        batch = new_trials(variant, per_condition, key(seed, "analyze", name))
        outputs = responses(nets, batch, [key(s, "analyze", name) for s in seeds], backend)
        return np.stack([accuracies(variant, z, batch.conditions) for z in outputs])

    for setting in task.varied_settings():
        values, trained = list(getattr(settings, setting)), getattr(task.settings, setting)
        if not values:
            continue
        found = []
        for value in values:
            variant = with_setting(task, setting, value)
            found.append(accuracy(variant, networks, f"{setting}={value:g}"))
        is_list = isinstance(trained, list)
        known = 1.0 if setting == "stim_dur" else None if is_list else float(trained)
        yield setting, Curve([float(v) for v in values], known, np.stack(found, axis=1))
    if settings.noise:
        found = [
            accuracy(task, [noisier(net, factor) for net in networks], f"noise={factor:g}")
            for factor in settings.noise
        ]
        yield "noise", Curve(list(settings.noise), 1.0, np.stack(found, axis=1))


def with_setting(task: Task[Any], setting: str, value: float) -> Task[Any]:
    """The task with another value of a setting; that of stim_dur is a share of the trained one."""
    trained = getattr(task.settings, setting)
    if setting == "stim_dur":
        value = max(1, round(value * trained))
    new = [value] if isinstance(trained, list) else type(trained)(value)
    return type(task)(task.settings.varied(**{setting: new}))


def noisier(network: Network, factor: float) -> Network:
    """The network with so many times its noise."""
    settings = network.wiring.settings
    noise = {name: factor * getattr(settings, name) for name in ("sigma_pre", "sigma_post")}
    return Network(
        replace(network.wiring, settings=settings.model_copy(update=noise)), network.weights
    )


def new_trials(task: Task[Any], per_condition: int, seed: int) -> Batch:
    """So many new trials of every condition, from a trial table of their own."""
    n_trials = per_condition * len(task.conditions())
    settings = task.settings.model_copy(update={"test_trials": n_trials})
    return task.render(trial_table(type(task)(settings), "test", seed))


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

    Every strength on every channel at once. The kinds are relevant and irrelevant where the task tells them apart.
    """
    varied = type(task)(task.settings.varied(evidence=list(settings.evidence)))
    batch = new_trials(varied, settings.trials_per_condition, key(seed, "analyze", "psychometric"))
    names, evidence = kinds_of_evidence(varied, batch.conditions)
    noise = [key(one, "analyze", "psychometric") for one in seeds]
    positive, fits = [], []
    for one, outputs in zip(seeds, responses(networks, batch, noise, backend), strict=True):
        positive.append(varied.score(outputs, batch.conditions).response > 0)
        random = generator(one, "analyze", "psychometric")
        fits.append(fit(evidence, positive[-1], settings.bootstraps, random))
    return names, evidence, np.stack(positive), fits


def kinds_of_evidence(
    task: Task[Any], rows: pd.DataFrame
) -> tuple[tuple[str, ...], Float[np.ndarray, "trial kind"]]:
    """Relevant and irrelevant evidence of every trial where the task has both, else its numbers under their names."""
    epochs = [epoch for epoch in task.epochs() if epoch.relevant and epoch.irrelevant]
    if not epochs:
        names = task.conditions().select_dtypes("number").columns.tolist()
        return tuple(names), rows[names].to_numpy(np.float64)
    evidence = np.zeros((len(rows), 2))
    for epoch in epochs:
        some = epoch.picks(rows)
        evidence[some] = rows.loc[some, [epoch.relevant, epoch.irrelevant]].to_numpy(np.float64)
    return ("relevant", "irrelevant"), evidence
