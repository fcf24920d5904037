"""The points of a sweep: every combination of the values that `-S` gives, checked before anything runs."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctrnn import params
from ctrnn.complaints import Complaint, ParamsError, nearest
from ctrnn.params import Params

CHANGE_NO_RESULT = {"train": {"threads", "checkpoint_every"}, "publish": {"live"}}


class SweepError(Complaint, RuntimeError):
    """A sweep cannot be run, or some of its points have failed."""


@dataclass(frozen=True)
class Point:
    """One combination of values: one DVC experiment.

    name: of the experiment, decided by the settings alone. chosen: the values of the axes, by dotted key. overrides: as
    `dvc exp run -S` takes them. settings: None where `complaint` says why they are not allowed.
    """

    name: str
    chosen: dict[str, Any]
    overrides: tuple[str, ...]
    settings: Params | None
    complaint: str | None = None


def points(sets: Sequence[str], tasks: Sequence[str], root: Path) -> list[Point]:
    """Every combination of the values in `sets`, on these tasks of params.yaml (or on all).

    sets: in the syntax of `dvc exp run -S`, several values as `key=1,2` or `key=range(1,4)`. Raises ParamsError where
    a key or a task is unknown, SweepError where the syntax is wrong or nothing can run. A value that is not allowed is
    the complaint of its points, since the other points can run.
    """
    raw = dumped(params.load(root / "params.yaml"))
    for task in tasks:
        if task not in raw["tasks"]:
            raise ParamsError(f"tasks.{task} is not in params.yaml; {nearest(task, raw['tasks'])}")
    left_out = [f"~tasks.{task}" for task in raw["tasks"] if tasks and task not in tasks]
    for task in [name for name in raw["tasks"] if tasks and name not in tasks]:
        del raw["tasks"][task]
    axes, combinations = _combinations(sets)
    for key, _, _ in combinations[0]:
        _check_key(key, raw)
    made = [_point(combination, axes, left_out, raw) for combination in combinations]
    if all(point.settings is None for point in made):
        raise ParamsError(str(made[0].complaint))
    return made


# They would take a third of a small point's time, and of its disk.
NO_FIGURES = "report.figures=false"
Override = tuple[str, Any, str]  # key, value, as it was written


def _combinations(sets: Sequence[str]) -> tuple[list[str], list[list[Override]]]:
    """The keys with several values, and every combination."""
    from dvc.exceptions import InvalidArgumentError
    from dvc.utils.hydra import get_hydra_sweeps, to_hydra_overrides
    from hydra.errors import OverrideParseException

    try:
        parsed = to_hydra_overrides(list(sets))
        axes = [str(one.key_or_group) for one in parsed if one.is_sweep_override()]
        more = [] if any(o.key_or_group == "report.figures" for o in parsed) else [NO_FIGURES]
        combined = [one["params.yaml"] for one in get_hydra_sweeps({"params.yaml": [*sets, *more]})]
        return axes, [
            [(str(o.key_or_group), o.value(), str(o.input_line)) for o in to_hydra_overrides(one)]
            for one in combined
        ]
    except (OverrideParseException, InvalidArgumentError) as error:
        raise SweepError(
            f"-S {' -S '.join(sets)} cannot be read ({str(error).splitlines()[0]}); write "
            "-S key=value, with several values -S key=1,2,3 or -S 'key=range(1,4)'"
        ) from None


def _check_key(key: str, raw: dict[str, Any]) -> None:
    at: Any = raw
    path = key.split(".")
    for i, part in enumerate(path):
        if not isinstance(at, dict) or part not in at:
            siblings = [".".join([*path[:i], name]) for name in at] if isinstance(at, dict) else []
            raise ParamsError(f"{key} is not a setting; {nearest(key, siblings)}")
        at = at[part]


def _point(
    combination: list[Override], axes: list[str], left_out: list[str], raw: dict[str, Any]
) -> Point:
    new = changed(raw, {key: value for key, value, _ in combination})
    values = {key: value for key, value, _ in combination if key in axes}
    overrides = (*left_out, *(written for _, _, written in combination))
    try:
        settings = params.check(new)
    except ParamsError as error:
        return Point(_name(values, new), values, overrides, None, str(error))
    return Point(_name(values, dumped(settings)), values, overrides, settings)


def changed(raw: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with some changed by dotted key. Raises KeyError where a section is not there."""
    new = copy.deepcopy(raw)
    for dotted, value in changes.items():
        *path, last = dotted.split(".")
        section = new
        for part in path:
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


def _name(values: dict[str, Any], settings: dict[str, Any]) -> str:
    """The values of the axes, and a hash of every setting that changes a result."""
    told = {k: v for k, v in settings.items() if k not in CHANGE_NO_RESULT}
    for section, keys in CHANGE_NO_RESULT.items():
        told[section] = {k: v for k, v in settings[section].items() if k not in keys}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]
    words = [f"{labels(values)[key]}{value}" for key, value in values.items()]
    legal = [re.sub(r"[^A-Za-z0-9_.]+", "_", word)[:30].strip(".") for word in words]
    return "-".join([*(legal or ["point"]), digest])
