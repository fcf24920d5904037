"""What of a sweep is left to do, with how many processes and threads, and what it will cost."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ctrnn import network, tasks
from ctrnn.core import rng
from ctrnn.kernel import usable_cores
from ctrnn.params import Params
from ctrnn.sweep.checkout import Checkout, Experiment, read_record
from ctrnn.sweep.points import Point

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
        counted = Counter(str(point.complaint) for point in self.refused)
        told = [f"{of_points(n)} not allowed: {why}" for why, n in counted.items()]
        more = sum([*counted.values()][SHOWN:])
        return told[:SHOWN] + ([f"{of_points(more)} not allowed for other values"] if more else [])


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
    wanted, got = (one.decisive() for one in (point.settings, experiment.settings))
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
    task = tasks.get_task(name, settings.tasks)
    backend = network.get_backend(settings.train.model_copy(update={"threads": threads}))
    table = tasks.trial_table(task, "train", settings.seed)
    batch = task.render(table.head(settings.train.batch_size))
    sizes = (len(task.channels), len(task.outputs))
    some = [network.initialise(settings.network, *sizes, seed) for seed in settings.network_seeds]
    taught = [
        network.SupervisedTrials(
            inputs=batch.inputs,
            noise=rng.key(seed, "sweep", "timing"),
            targets=batch.targets,
            mask=batch.mask,
            rate_penalty=0.0,
        )
        for seed in settings.network_seeds
    ]
    took = []
    for _ in range(STEPS):
        began = time.perf_counter()
        backend.loss_and_gradients(some, taught, settings.train.trainable.names)
        took.append(time.perf_counter() - began)
    return statistics.median(took[1:])


def duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
