"""What the analyses share: networks before and after training, and what they do on trials.

A recording holds their rates on test trials of each condition. On other trials, their answers are scored: strictly and,
where the task has sides, by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped

from ctrnn.core.config import Count, Length, Section
from ctrnn.core.rng import key, network_seeds
from ctrnn.network import Activity, Backend, Network, Trials
from ctrnn.tasks import Batch, Task, table_of
from ctrnn.tasks.settings import whole_steps

S = TypeVar("S", bound=Section)
T = TypeVar("T")
Result = tuple[dict[str, np.ndarray], dict[str, Any]]  # arrays by name, metrics by key


class SharedSettings(Section):
    """Settings of section `analyze` that stand in no section of one analysis."""

    trials_per_condition: Count
    n_components: Count
    weight_bins: Count
    time_bin: Length
    denoise_components: Count


@dataclass(frozen=True)
class NetworkRecording:
    """One network's trials, in the order of their conditions' labels, then of the trial table.

    labels: of the conditions. averages: rates averaged over the trials of each. binned: rates of single trials,
    averaged over bins of steps; steps that fill no bin are left out. rows: the trials' rows of the trial table.
    choice: of each trial, nan where there is none, as in every trial of a task without `has_choice`.
    """

    labels: list[str]
    averages: Float[np.ndarray, "condition time unit"]
    binned: Float[np.ndarray, "bin trial unit"]
    rows: pd.DataFrame
    choice: Shaped[np.ndarray, " trial"]


@dataclass(frozen=True, eq=False)
class Recording:
    """A population, the trials that it is tested on, and how it is analysed; what an analysis is given.

    before, after: the networks before and after training, in their order. seed: of params.yaml. drawn: shortest and
    longest of the times that training draws for every trial; `with_times_held` has each at its median.
    """

    task: Task[Any]
    test: Batch
    before: Sequence[Network]
    after: Sequence[Network]
    seed: int
    settings: SharedSettings
    backend: Backend
    drawn: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    _results: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)

    @cached_property
    def seeds(self) -> list[int]:
        """Seed of every network, from which its random numbers follow."""
        return network_seeds(self.seed, len(self.after))

    @property
    def time_bin(self) -> int:
        """Steps over which rates of single trials are averaged."""
        return whole_steps(self.settings.time_bin, self.task.dt, "analyze.time_bin")

    @cached_property
    def rates_before(self) -> list[NetworkRecording]:
        """What every network does before training."""
        return self._record(self.before)

    @cached_property
    def rates(self) -> list[NetworkRecording]:
        """What every network does after training."""
        return self._record(self.after)

    def with_times_held(self) -> Recording:
        """The same with every time that is drawn for a trial at its median, so that trials are in step; see `held`."""
        drawn, task = self.task.drawn, self.task.held()
        if not drawn:
            return self
        rows = self.test.conditions.drop(columns=list(drawn))
        ranges = {name: (own.shortest, own.longest) for name, own in drawn.items()}
        return replace(self, task=task, test=task.render(rows), drawn=ranges, _results={})

    @property
    def held(self) -> str:
        """The times at which trials are held that are drawn in training, as a sentence; empty where none are."""
        times = [f"{name} {getattr(self.task.settings, name):g} ms" for name in self.drawn]
        drawn = "Analyses hold times that are drawn for every trial at their medians"
        return f"{drawn}: {', '.join(times)}." if times else ""

    def section(self, kind: type[S]) -> S:
        """The section of params.yaml of this class, as `recording.section(LesionSettings)`."""
        return next(value for _, value in self.settings if type(value) is kind)

    def once(self, function: Callable[[Recording], T]) -> T:
        """What a function makes of this recording, computed when it is first asked for.

        So analyses share intermediate results, and results: `arrays, metrics = recording.once(roles.compute)`.
        """
        if function not in self._results:
            self._results[function] = function(self)
        result: T = self._results[function]
        return result

    def _record(self, networks: Sequence[Network]) -> list[NetworkRecording]:
        n = self.settings.trials_per_condition
        return record(self.task, self.test, networks, self.seeds, n, self.time_bin, self.backend)


def record(
    task: Task[Any],
    test: Batch,
    networks: Sequence[Network],
    seeds: Sequence[int],
    trials_per_condition: int,
    time_bin: int,
    backend: Backend,
) -> list[NetworkRecording]:
    """Run every network on the first trials of each condition, with noise.

    Args:
        task: Names the choices of the trials.
        test: Test trials, of which the first of each condition are run.
        networks: All of one task.
        seeds: Of the networks, in their order; the noise follows from them.
        trials_per_condition: At most so many trials.
        time_bin: Steps over which rates of single trials are averaged.
        backend: Runs the networks.

    Returns:
        A recording per network.
    """
    averages: list[list[np.ndarray]] = [[] for _ in networks]
    binned: list[list[np.ndarray]] = [[] for _ in networks]
    choices: list[list[np.ndarray]] = [[] for _ in networks]
    tables = []
    for rows, activities in by_condition(test, networks, seeds, trials_per_condition, backend):
        tables.append(rows)
        for i, activity in enumerate(activities):
            averages[i].append(activity.rates.mean(axis=1))
            binned[i].append(in_bins(activity.rates, time_bin))
            choices[i].append(
                task.choices(task.score(activity.outputs, rows))
                if task.has_choice
                else np.full(len(rows), np.nan, np.float32)
            )
    table = pd.concat(tables, ignore_index=True)
    return [
        NetworkRecording(
            [str(rows["condition"].iloc[0]) for rows in tables],
            np.stack(averages[i]),
            np.concatenate(binned[i], axis=1),
            table,
            np.concatenate(choices[i]),
        )
        for i in range(len(networks))
    ]


def by_condition(
    test: Batch,
    networks: Sequence[Network],
    seeds: Sequence[int],
    trials_per_condition: int,
    backend: Backend,
) -> Iterator[tuple[pd.DataFrame, Iterator[Activity]]]:
    """The rows of each condition's first trials, and what every network does on them, as in `record`.

    An iterator that has ended holds no activity, so that those of one condition are in memory.
    """
    from tqdm import tqdm  # here, since params.yaml is checked by way of this module

    groups = test.conditions.reset_index(drop=True).groupby("condition", sort=True)
    for label, all_rows in tqdm(groups, desc="rates by condition", unit="condition"):
        rows = all_rows.sort_values("trial").head(trials_per_condition)
        inputs = test.inputs[:, rows.index.to_numpy()]
        trials = [Trials(inputs, key(seed, "analyze", str(label))) for seed in seeds]
        yield rows, iter(backend.activity(networks, trials))


def in_bins(
    rates: Float[np.ndarray, "time trial unit"], time_bin: int
) -> Float[np.ndarray, "bin trial unit"]:
    """Means over bins of so many steps; one bin of all steps where there are fewer."""
    width = min(time_bin, len(rates))
    whole = rates[: len(rates) // width * width]
    return whole.reshape(-1, width, *rates.shape[1:]).mean(axis=1)


TRIALS_AT_ONCE = 512


def measures(task: Task[Any]) -> tuple[str, ...]:
    """Names of the measures of `accuracies`."""
    return ("correct",) if task.sides is None else ("correct", "right_side")


def accuracies(
    task: Task[Any], outputs: Float[np.ndarray, "time trial output"], rows: pd.DataFrame
) -> Float[np.ndarray, " measure"]:
    """Share of correct trials, and share of trials whose response is nearer to the right answer than to any other.

    A task without `sides` has the first alone.
    """
    score = task.score(outputs, rows)
    near = task.near(score.response, rows)
    return np.array([share.mean() for share in (score.correct, near) if share is not None])


def first_trials(test: Batch, per_condition: int) -> Batch:
    """The first trials of every condition."""
    rows = test.conditions.reset_index(drop=True).groupby("condition", sort=True)
    first = rows.head(per_condition).sort_values(["condition", "trial"])
    i = first.index.to_numpy()
    return Batch(test.inputs[:, i], test.targets[:, i], test.mask[:, i], first)


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
        trials = [Trials(inputs, key(seed, start)) for seed in noise]
        parts.append(backend.outputs(networks, trials))
    return [np.concatenate(outputs, axis=1) for outputs in zip(*parts, strict=True)]
