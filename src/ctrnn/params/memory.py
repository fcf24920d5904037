"""What a run needs of memory and disk, estimated from its settings before anything is computed.

An estimate counts the arrays that a stage holds at once, by their shapes, and is right within a factor of two
(`tests/unit/test_memory.py`). What needs more than the machine has is refused.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctrnn.dynamics.models import models
from ctrnn.errors import ParamsError
from ctrnn.kernel import usable_cores
from ctrnn.network.settings import PairDensities
from ctrnn.params.schema import Params
from ctrnn.tasks import Task, get_task
from ctrnn.tasks.settings import TwoStimuli
from ctrnn.training.coarse import coarse_step

PROCESS = 200e6  # bytes of Python and its libraries
ROW = 300  # of a trial in a table
VISITED = 32  # trials whose states the search for fixed points starts from
LESIONS = 32  # networks with lesions that run at a time


@dataclass(frozen=True)
class Part:
    """Bytes that some arrays take, and the settings that they grow with, by dotted key."""

    bytes: float
    keys: dict[str, float]


@dataclass(frozen=True)
class Need:
    """What a stage of a task holds at once."""

    stage: str
    parts: list[Part]

    @property
    def bytes(self) -> float:
        """Of all parts."""
        return sum(part.bytes for part in self.parts)

    def largest(self) -> str:
        """The setting to lower, and its value: the largest number that the largest part grows with."""
        keys = max(self.parts, key=lambda part: part.bytes).keys
        key = max(keys, key=lambda name: keys[name])
        return f"{key} = {keys[key]:.15g}"


def check(params: Params, memory: float | None = None, disk: float | None = None) -> Params:
    """The settings. Raises ParamsError where a stage of a task needs more bytes than there are (None: here)."""
    memory = memory_here() if memory is None else memory
    disk = shutil.disk_usage(Path()).total if disk is None else disk
    tasks = [get_task(name, params.tasks, params.network.dt) for name in params.tasks]
    for need in itertools.chain.from_iterable(needs(task, params) for task in tasks):
        _refuse(need, need.bytes + PROCESS, memory, "memory")
    written = [part for task in tasks for part in files(task, params)]
    need = Need("all stages", written)
    _refuse(need, 2 * need.bytes, disk, "disk")  # results, and DVC's cache of them
    return params


def check_task(task: Task[Any]) -> None:
    """Raises ParamsError where the tables and the rendered test trials of a task need more memory than there is."""
    need = generating(task)
    _refuse(need, need.bytes + PROCESS, memory_here(), "memory")


def _refuse(need: Need, wanted: float, there_is: float, what: str) -> None:
    if wanted > there_is:
        raise ParamsError(
            f"{need.largest()} needs about {size(wanted)} of {what} in {need.stage}, and this machine has "
            f"{size(there_is)}; give a smaller one"
        )


def generating(task: Task[Any]) -> Need:
    """The tables of a task, and last its rendered test trials."""
    name, settings, o = task.name, task.settings, len(task.outputs)
    step = 4 * len(task.channels) + 5 * o  # bytes of a step of a rendered trial
    wide = 4 * max(len(task.channels), o)  # of its largest array

    def part(count: float, *keys: str) -> Part:
        return Part(count, {f"tasks.{name}.{key}": getattr(settings, key) for key in keys})

    splits = [f"{split}_trials" for split in ("train", "validation", "test")]
    rendered = task.steps.T * settings.test_trials * (step + 2 * wide)
    tables = [part(ROW * getattr(settings, trials), trials) for trials in splits]
    return Need(f"generate@{name}", [*tables, part(rendered, "T", "test_trials")])


def needs(task: Task[Any], params: Params) -> Iterator[Need]:
    """What each stage of a task holds at once; several of `analyze`, which does one thing after the other."""
    name, settings, train, analyze = task.name, task.settings, params.train, params.analyze
    T, U, N, o = task.steps.T, params.network.n_units, train.n_networks, len(task.outputs)
    step = 4 * len(task.channels) + 5 * o  # bytes of a step of a rendered trial
    n_conditions, test = len(task.conditions()), settings.test_trials
    p = params.network.p_rec
    density = sum(p.model_dump().values()) / 4 if isinstance(p, PairDensities) else p

    def part(count: float, *keys: str) -> Part:
        values = {f"tasks.{name}.{key}" if "." not in key else key: _value(key) for key in keys}
        return Part(count, values)

    def _value(key: str) -> float:
        at: Any = settings if "." not in key else params
        for attribute in key.split("."):
            at = getattr(at, attribute)
        return float(max(at, default=0) if isinstance(at, list) else at)

    units, networks = "network.n_units", "train.n_networks"
    first = generating(task)
    *tables, _ = first.parts
    yield first

    stages = [task.steps, *(task.with_settings(settings.at(s)).steps for s in settings.curriculum)]
    checked = sum(stage.T * stage.validation_trials for stage in stages)
    longest = max(stage.T for stage in stages)
    if coarse_dt := coarse_step(task, params.network, params.train):
        checked += checked * task.dt / coarse_dt
    batch = train.batch_size
    at_once = min(train.threads or usable_cores(), N * -(-batch // 32))
    if train.backend == "native":  # a slice of 32 trials in every thread
        states = len(models()[params.network.model].states)
        layers = max(2, 2 * states - 1)  # kept of a step
        layers += states if train.trainable.of_units else 0
        running = (
            at_once * 128 * (longest * (layers * U + len(task.channels) + o) + density * U**2 / 2)
        )
    else:
        running = 32 * longest * batch * U
    yield Need(
        f"train@{name}",
        [
            *tables,
            part(checked * step + settings.validation_trials * T * o * (4 * N + 16), "T", "validation_trials"),
            part(3 * N * longest * batch * (step + 4 * o), "T", networks, "train.batch_size"),
            part(running, "T", units),
            part(N * U**2 * (30 + 24 * density), networks, units),
            part(60 * U**2, units),
        ],
    )  # fmt: skip

    samples = n_conditions * min(params.evaluate.sample_trials, test // n_conditions)
    shown = part(2 * T * test * step, "T", "test_trials")
    yield Need(
        f"evaluate@{name}",
        [
            shown,
            part(N * T * test * o * 4, "T", "test_trials", networks),
            part(2 * N * test * ROW, "test_trials", networks),
            part((N + 1) * T * samples * U * 4, "T", networks, units, "evaluate.sample_trials"),
        ],
    )

    k = min(analyze.trials_per_condition, test // n_conditions)
    bins = max(1, int(settings.T // analyze.time_bin))
    averages, binned = n_conditions * T * U * 4, bins * n_conditions * k * U * 4
    opened = [shown, part(2 * N * (averages + binned), "T", networks, units)]
    trials = n_conditions * k
    roles, points, lesions = analyze.roles, analyze.fixed_points, analyze.lesions
    first = n_conditions * min(lesions.trials_per_condition, test // n_conditions)
    tested = analyze.generalisation
    phases = {
        "rates": [part(N * (T * k * U * 4 + averages + binned), "T", networks, units)],
        "axes": [part(8 * averages + 6 * binned, "T", units), part(64 * U**2, units)],
        "roles": [
            part(roles.permutations * (32 * trials + 17 * U + 24 * bins), "analyze.roles.permutations", units)
        ],
        "fixed points": [
            part(
                min(usable_cores(), N * len(task.constant_inputs()))
                * (16 * T * VISITED * U + 8 * min(points.starts, VISITED * T) * U * (len(points.tolerances) + 8)),
                "T", units, "analyze.fixed_points.starts",
            ),
            part(usable_cores() * 16 * U**2 * 8 * 5, units),
        ],
        "weights": [part(64 * N * analyze.weight_bins, "analyze.weight_bins", networks)],
        "lesions": [
            part(
                15 * len(lesions.doses) * lesions.draws * (300 + 4 * U),
                "analyze.lesions.draws", units,
            ),
            part(LESIONS * U**2 * (8 + 16 * density), units),
            part(first * T * (step + (step - o) * LESIONS), "T", "analyze.lesions.trials_per_condition"),
        ],
    }  # fmt: skip
    if isinstance(settings, TwoStimuli) and k > 1:
        learned = (1 - analyze.memory.test_share) * trials
        slow = len(models()[params.network.model].states) - 1
        if slow:  # of the networks' rates in one condition, those of one in float64, and its slow states thrice
            steps = T * k * U * (4 * (N + 1) + 8 + 12 * slow)
            keys = "T", networks, units, "analyze.trials_per_condition"
            phases["replay"] = [part(steps + N * binned, *keys)]
        phases["decoder"] = [
            part(2 * binned + N * binned, networks, units),
            part(16 * learned**2, "analyze.trials_per_condition"),
            part(2 * trials * T * step, "T", "analyze.trials_per_condition"),
        ]
    per_trial = tested.trials_per_condition
    for setting in (*task.varied_settings(), "noise"):
        key = f"analyze.generalisation.{setting}"
        rows = n_conditions * per_trial
        if setting == "evidence":
            graded = task.graded(tested.evidence) if tested.evidence else None
            rows = per_trial * (0 if graded is None else len(graded))
        last = max((_length(task, setting, value) for value in getattr(tested, setting)), default=0)
        phases[setting] = [
            part(
                rows * (last * (2 * step + 8 * o * N) + ROW),
                key, "analyze.generalisation.trials_per_condition", "T",
            ),
        ]  # fmt: skip
    for phase in phases.values():
        yield Need(f"analyze@{name}", opened + phase)


def _length(task: Task[Any], setting: str, value: float) -> int:
    """Steps of a trial with another value of a time; that of stim_dur is a share of the trained one."""
    settings = task.settings
    if setting in ("evidence", "noise"):
        return int(task.steps.T)
    time = value * settings.stim_dur if setting == "stim_dur" else value
    longer = settings.model_copy(update={setting: time}).window.stop - settings.window.stop
    return int(task.steps.T + longer / task.dt)


def files(task: Task[Any], params: Params) -> list[Part]:
    """The largest files of a task: rendered trials, and weights."""
    name, settings = task.name, task.settings
    T, test, U, N = (
        task.steps.T,
        settings.test_trials,
        params.network.n_units,
        params.train.n_networks,
    )
    step = 4 * len(task.channels) + 5 * len(task.outputs)
    return [
        Part(T * test * step, {f"tasks.{name}.T": T, f"tasks.{name}.test_trials": test}),
        Part(2 * N * 9 * U**2, {"train.n_networks": N, "network.n_units": U}),
        Part(
            100 * (settings.train_trials + settings.validation_trials + (1 + N) * test),
            {
                f"tasks.{name}.train_trials": settings.train_trials,
                f"tasks.{name}.test_trials": test,
            },
        ),
    ]


def memory_here() -> float:
    """Bytes of memory that this process may have: the machine's, or what its control group allows."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_allowed()])


def _allowed(root: Path = Path("/")) -> Iterator[int]:
    try:
        own = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not on Linux
        return
    places = [line.split(":", 2)[2].lstrip("/") for line in own if line.count(":") >= 2]
    for place in {"", *places}:
        for file in (
            root / "sys/fs/cgroup" / place / "memory.max",
            root / "sys/fs/cgroup/memory" / place / "memory.limit_in_bytes",
        ):
            try:
                yield int(file.read_text())
            except (OSError, ValueError):  # none, or `max`
                continue


def size(count: float) -> str:
    """Bytes in words."""
    for unit, unit_bytes in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9)):
        if count >= unit_bytes:
            return f"{count / unit_bytes:.3g} {unit}"
    return f"{count / 1e6:.3g} MB"
