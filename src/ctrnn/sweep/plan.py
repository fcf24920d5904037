"""The points of a sweep, every combination of the values that `-S` gives, and what of them is left to do.

All are checked before anything runs. A plan has the points to run, with how many processes and threads, and what they
will cost.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
import statistics
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctrnn import network, params, tasks
from ctrnn.core import rng
from ctrnn.errors import ParamsError, nearest
from ctrnn.kernel import usable_cores
from ctrnn.params import Params
from ctrnn.sweep.checkout import Checkout, Experiment, SweepError, read_record


@dataclass(frozen=True)
class Point:
    """One combination of values: one DVC experiment.

    name: of the experiment, decided by the settings alone. chosen: the values of the axes, by dotted key. overrides: as
    `dvc exp run -S` takes them. settings: None where `refusal` says why they are not allowed. targets: the stages to
    run, where not all.
    """

    name: str
    chosen: dict[str, Any]
    overrides: tuple[str, ...]
    settings: Params | None
    refusal: str | None = None
    targets: tuple[str, ...] = ()


def points(sets: Sequence[str], tasks: Sequence[str], root: Path) -> list[Point]:
    """Every combination of the values in `sets`, on these tasks of params.yaml (or on all).

    sets: in the syntax of `dvc exp run -S`, several values as `key=1,2` or `key=range(1,4)`. Combinations whose results
    would be the same are one point. Raises ParamsError where a key or a task is unknown, SweepError where the syntax is
    wrong, where there are more than MOST points, or where nothing can run. A value that is not allowed is the refusal
    of its points, since the other points can run.
    """
    raw = dumped(params.read(root / "params.yaml"))
    for task in tasks:
        if task not in raw["tasks"]:
            raise ParamsError(f"tasks.{task} is not in params.yaml; {nearest(task, raw['tasks'])}")
    left_out = [f"~tasks.{task}" for task in raw["tasks"] if tasks and task not in tasks]
    for task in [name for name in raw["tasks"] if tasks and name not in tasks]:
        del raw["tasks"][task]
    values = _values(sets)
    for key in values:
        _check_key(key, raw)
    axes = [key for key, several in values.items() if len(several) > 1]
    made: dict[str, Point] = {}
    for combination in itertools.product(*values.values()):
        digest, point = _point(combination, axes, left_out, raw)
        made.setdefault(digest, point)
    allowed = [point.settings for point in made.values() if point.settings]
    if not allowed:
        raise ParamsError(str(next(iter(made.values())).refusal))
    if len({settings.publish.experiment for settings in allowed}) > 1:
        raise SweepError(
            "publish.experiment has several values; the runs of a sweep go into one experiment of MLflow, so give one"
        )
    return list(made.values())


MOST = 10_000  # points of a sweep: docs/how-to/scale.md tells what so many cost
# They would take a third of a small point's time, and of its disk.
NO_FIGURES = "report.figures=false"
Override = tuple[str, Any, str]  # key, value, as it was written


def _values(sets: Sequence[str]) -> dict[str, list[Override]]:
    """The values of every key."""
    from dvc.utils.hydra import to_hydra_overrides
    from hydra.errors import HydraException

    values: dict[str, list[Override]] = {}
    try:
        for override in to_hydra_overrides(list(sets)):
            key = str(override.key_or_group)
            if key in values:
                raise SweepError(
                    f"-S {key} is given twice; give all its values at once: -S {key}=1,2,3"
                )
            values[key] = list(itertools.islice(_of_one(override), MOST + 1))
            if not values[key]:
                raise SweepError(f"-S {override.input_line} has no value; give one at least")
    except (HydraException, ArithmeticError, ValueError, RecursionError) as error:
        sentence = " ".join(f"-S {' -S '.join(sets)} cannot be read ({error}".split())
        raise SweepError(
            f"{sentence[:300]}); write -S key=value, with several values -S key=1,2,3 or -S 'key=range(1,4)'"
        ) from None
    number = math.prod(len(several) for several in values.values())
    if number > MOST:
        too_long = any(len(several) > MOST for several in values.values())
        raise SweepError(
            f"-S {' -S '.join(sets)} makes {f'more than {MOST}' if too_long else number} points, and a sweep may have "
            f"{MOST}; give fewer values, or make several sweeps"
        )
    return {"report.figures": [_parsed(NO_FIGURES)], **values}


def _of_one(override: Any) -> Iterator[Override]:
    """The values that one `-S` gives. Raises HydraException, ArithmeticError or ValueError where they are none."""
    from hydra.core.override_parser.types import RangeSweep
    from hydra.errors import HydraException

    key, given = str(override.key_or_group), override.value()
    if override.get_key_element() != key:
        raise HydraException("a setting can be changed, not added or removed")
    if isinstance(
        given, RangeSweep
    ):  # a range may be long: its numbers need no parser, and no list
        return ((key, number, f"{key}={number}") for number in given.range())
    if override.is_sweep_override():
        return (_parsed(f"{key}={text}") for text in override.sweep_string_iterator())
    return iter([(key, given, str(override.input_line))])


def _parsed(text: str) -> Override:
    from dvc.utils.hydra import to_hydra_overrides

    (override,) = to_hydra_overrides([text])
    return str(override.key_or_group), override.value(), text


def _check_key(key: str, raw: dict[str, Any]) -> None:
    at: Any = raw
    path = key.split(".")
    for i, part in enumerate(path):
        if not isinstance(at, dict) or part not in at:
            siblings = [".".join([*path[:i], name]) for name in at] if isinstance(at, dict) else []
            raise ParamsError(f"{key} is not a setting; {nearest(key, siblings)}")
        at = at[part]


def _point(
    combination: Sequence[Override], axes: list[str], left_out: list[str], raw: dict[str, Any]
) -> tuple[str, Point]:
    """A point, after the hash of all that decides its results."""
    new = changed(raw, {key: value for key, value, _ in combination})
    values = {key: value for key, value, _ in combination if key in axes}
    overrides = (*left_out, *(written for _, _, written in combination))
    settings, refusal = None, None
    try:
        settings = params.check(new)
        decisive = json.dumps(settings.decisive(), sort_keys=True)
    except ParamsError as error:
        refusal, decisive = str(error), repr(new)
    digest = hashlib.sha256(decisive.encode()).hexdigest()
    return digest, Point(_name(values, digest), values, overrides, settings, refusal)


def changed(raw: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with some changed by dotted key. Raises KeyError where a section is not there."""
    new = dict(raw)
    for dotted, value in changes.items():
        *path, last = dotted.split(".")
        section = new
        for part in path:
            section[part] = dict(section[part])
            section = section[part]
        section[last] = value
    return new


def dumped(settings: Params) -> dict[str, Any]:
    """The mapping that a params.yaml holds, with all settings of the tasks, not only those that every task has."""
    return settings.model_dump(serialize_as_any=True)


def labels(keys: Iterable[str]) -> dict[str, str]:
    """Dotted keys -> their last part, or all of it where two end alike."""
    keys = list(keys)
    last = [key.rpartition(".")[2] for key in keys]
    return {key: end if last.count(end) == 1 else key for key, end in zip(keys, last, strict=True)}


def _name(values: dict[str, Any], digest: str) -> str:
    """The values of the axes, and the beginning of a hash: a name for a file, and for a reference of git."""
    words = [f"{labels(values)[key]}{value}" for key, value in values.items()]
    legal = [re.sub(r"[^A-Za-z0-9_.]+|\.{2,}", "_", word)[:30].strip(".") for word in words]
    return "-".join(["-".join(legal or ["point"])[:150], digest[:8]])


STEPS = 5  # of training, timed for a number of threads
SHOWN = 5  # reasons why points are not allowed


@dataclass(frozen=True)
class Plan:
    """Points by what becomes of them.

    cached: finished experiments with all runs in MLflow. refused: with settings that are not allowed. threads: of a
    point. at_once: points on this machine. seconds, bytes: of one point, as earlier ones took; None where none has run.
    longest: seconds of training of one point that needs all of train.max_iterations, from steps timed now.
    """

    cached: list[Point]
    todo: list[Point]
    refused: list[Point]
    threads: int
    at_once: int
    seconds: float | None
    bytes: float | None
    longest: float

    def text(self) -> str:
        """The plan in words."""
        n = len(self.todo)
        parts = [
            f"{of_points(n + len(self.cached) + len(self.refused))}: {len(self.cached)} cached, {n} to run"
            + (f", {len(self.refused)} not allowed" if self.refused else "")
        ]
        if n:
            parts.append(
                f"{self.at_once} at once, {self.threads} thread{'s' * (self.threads > 1)} each (as measured)"
            )
        if n and self.seconds is not None and self.bytes is not None:
            parts.append(
                f"about {duration(self.seconds * -(-n // self.at_once))} and "
                f"{self.bytes * n / 1e6:.0f} MB of disk (as earlier points took)"
            )
        elif n:
            parts.append(
                f"at most {duration(self.longest * -(-n // self.at_once))} of training, if all need "
                "train.max_iterations (steps timed now; the first points will tell more)"
            )
        return "; ".join(parts)

    def reasons(self) -> list[str]:
        """Why points are not allowed: the first SHOWN reasons, and how many points have each."""
        counted = Counter(str(point.refusal) for point in self.refused)
        sentences = [f"{of_points(n)} not allowed: {why}" for why, n in counted.items()]
        more = sum([*counted.values()][SHOWN:])
        return sentences[:SHOWN] + (
            [f"{of_points(more)} not allowed for other values"] if more else []
        )


def of_points(n: int) -> str:
    """The number in words."""
    return f"{n} point{'s' * (n > 1)}"


def plan(
    points: Sequence[Point],
    checkout: Checkout,
    done: Mapping[str, Experiment],
    published: Collection[str],
) -> Plan:
    """Sort the points. done: finished experiments; published: content keys of the finished runs in MLflow."""
    allowed = [point for point in points if point.settings is not None]
    cached = [p for p in allowed if p.name in done and complete(p, done[p.name], published)]
    ended = {point.name for point in cached}
    todo = [point for point in allowed if point.name not in ended]
    threads, at_once, longest = allocate_cores(todo) if todo else (1, 1, 0.0)
    wanted = [sorted(point.settings.tasks) for point in todo if point.settings]
    records = [
        record
        for path in checkout.record("*").parent.glob("*.json")
        if (record := read_record(path)) and record["tasks"] in wanted
    ]
    return Plan(
        cached=cached,
        todo=todo,
        refused=[point for point in points if point.settings is None],
        threads=threads,
        at_once=at_once,
        seconds=statistics.median(r["seconds"] for r in records) if records else None,
        bytes=statistics.median(r["bytes"] for r in records) if records else None,
        longest=longest,
    )


def complete(point: Point, experiment: Experiment, published: Collection[str]) -> bool:
    """Whether a finished experiment has the settings of the point, and each of its tasks its run."""
    assert point.settings is not None
    wanted, got = (settings.decisive() for settings in (point.settings, experiment.settings))
    keys = [experiment.keys.get(task) for task in point.settings.tasks]
    return wanted == got and all(key in published for key in keys)


def allocate_cores(points: Sequence[Point]) -> tuple[int, int, float]:
    """Threads of a point, and points at once, that make the most steps of training a second on this machine.

    Then the seconds of training of a point that needs all of its iterations.
    """
    cores = usable_cores()
    choices = [threads for threads in range(1, cores + 1) if cores % threads == 0]
    at_once = {threads: min(cores // threads, len(points)) for threads in choices}
    settings = points[0].settings
    assert settings is not None
    steps = {
        t: sum(seconds_of_a_step(task, settings, t) for task in settings.tasks) for t in choices
    }
    rates = {t: at_once[t] / steps[t] for t in choices}
    # What is not training gains more from points side by side: more threads have to be clearly better.
    best = next(threads for threads in choices if rates[threads] > max(rates.values()) / 1.1)
    return best, at_once[best], steps[best] * settings.train.max_iterations


def seconds_of_a_step(name: str, settings: Params, threads: int) -> float:
    """Median seconds of a step of training of all networks of a point on a task."""
    task = tasks.get_task(name, settings.tasks, settings.network.dt)
    backend = network.get_backend(settings.train.model_copy(update={"threads": threads}))
    table = tasks.trial_table(task, "train", settings.seed)
    batch = task.render(table.head(settings.train.batch_size))
    sizes = (len(task.channels), len(task.outputs))
    networks = [
        network.initialise(settings.network, *sizes, seed) for seed in settings.network_seeds
    ]
    taught = [
        network.SupervisedTrials(
            inputs=batch.inputs,
            noise=rng.key(seed, "sweep", "timing"),
            targets=batch.targets,
            mask=batch.mask,
            loss=task.loss,
        )
        for seed in settings.network_seeds
    ]
    took = []
    for _ in range(STEPS):
        began = time.perf_counter()
        backend.loss_and_gradients(networks, taught, settings.train.trainable.names)
        took.append(time.perf_counter() - began)
    return statistics.median(took[1:])


def duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
