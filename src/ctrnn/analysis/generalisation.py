"""Accuracy outside training: other delays, stimulus durations, strengths of evidence, and noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator

from ctrnn.analysis.recording import Recording, Result, accuracies, measures, new_trials, responses
from ctrnn.core.config import MOST_IN_LIST, Count, NotNegative, Positive, Section, Time
from ctrnn.core.rng import key
from ctrnn.network import Backend, Network
from ctrnn.tasks import Task
from ctrnn.tasks.settings import MOST_STRENGTHS, whole_steps


class GeneralisationSettings(Section):
    """Section `analyze.generalisation`: values of settings outside training, for the tasks that have the setting."""

    trials_per_condition: Count
    delay: Annotated[list[Time], Field(max_length=MOST_IN_LIST)]
    response_delay: Annotated[list[Time], Field(max_length=MOST_IN_LIST)]
    stim_dur: Annotated[list[Positive], Field(max_length=MOST_IN_LIST)]
    evidence: Annotated[list[Positive], Field(max_length=MOST_STRENGTHS)]
    noise: Annotated[list[NotNegative], Field(max_length=MOST_IN_LIST)]

    @model_validator(mode="before")
    @classmethod
    def _without_bootstraps(cls, given: Any) -> Any:
        """A params.yaml from when intervals of slopes were bootstrapped has a number of resamples, which is unused."""
        if not isinstance(given, Mapping):
            return given
        return {name: value for name, value in given.items() if name != "bootstraps"}

    def check(self, task: Task[Any]) -> None:
        """Raises ParamsError where a time that the task is tested with is no whole number of its steps."""
        for name in set(task.varied_settings()) & {"delay", "response_delay"}:
            for i, time in enumerate(getattr(self, name)):
                whole_steps(time, task.dt, f"analyze.generalisation.{name}.{i}")


@dataclass(frozen=True)
class Curve:
    """values: of one setting; trained: that of training, None where there are several; accuracy: see `scoring`."""

    values: list[float]
    trained: float | None
    accuracy: Float[np.ndarray, "network value measure"]


def compute(recording: Recording) -> Result:
    """Accuracy by settings outside training.

    Returns:
        Of each setting: <setting>_values; <setting>_trained, which is empty where there are several, and the shortest
        and the longest of a time that is drawn for every trial; and <setting>_accuracy [network, value, measure]. And
        the metric generalisation: means over networks.
    """
    from tqdm import tqdm

    task, settings = recording.task, recording.section(GeneralisationSettings)
    curves = generalisation(
        task, recording.after, recording.seeds, recording.seed, settings, recording.backend
    )
    arrays: dict[str, np.ndarray] = {}
    report: dict[str, Any] = {}
    for setting, curve in tqdm(curves, desc="generalisation", unit="setting"):
        arrays[f"{setting}_values"] = np.array(curve.values)
        trained = [] if curve.trained is None else [curve.trained]
        arrays[f"{setting}_trained"] = np.array(recording.drawn.get(setting, trained), np.float64)
        arrays[f"{setting}_accuracy"] = curve.accuracy
        means = zip(measures(task), curve.accuracy.mean(axis=0).T.tolist(), strict=True)
        report[setting] = {"values": curve.values, **dict(means)}
    return arrays, {"generalisation": report}


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
            shares_correct = np.stack([accuracy(setting, value) for value in values], axis=1)
            yield setting, Curve([float(v) for v in values], trained, shares_correct)


def with_setting(task: Task[Any], setting: str, value: float) -> Task[Any]:
    """The task with another value of a time; that of stim_dur is a share of the trained one."""
    trained = getattr(task.settings, setting)
    if setting == "stim_dur":
        value = max(1, round(value * trained / task.dt)) * task.dt
    return task.with_settings(task.settings.varied(**{setting: value}))


def noisier(network: Network, factor: float) -> Network:
    """The network with so many times its noise."""
    settings = network.wiring.settings
    noise = {name: factor * getattr(settings, name) for name in ("sigma_pre", "sigma_post")}
    return Network(
        replace(network.wiring, settings=settings.model_copy(update=noise)), network.weights
    )
