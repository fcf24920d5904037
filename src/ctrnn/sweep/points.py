"""The points of a sweep: every combination of the values that `-S` gives, checked before anything runs."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctrnn import params
from ctrnn.errors import ParamsError, UserError, nearest
from ctrnn.params import Params


class SweepError(UserError, RuntimeError):
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

    sets: in the syntax of `dvc exp run -S`, several values as `key=1,2` or `key=range(1,4)`. Combinations whose results
    would be the same are one point. Raises ParamsError where a key or a task is unknown, SweepError where the syntax is
    wrong, where there are more than MOST points, or where nothing can run. A value that is not allowed is the complaint
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
        raise ParamsError(str(next(iter(made.values())).complaint))
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
        for one in to_hydra_overrides(list(sets)):
            key = str(one.key_or_group)
            if key in values:
                raise SweepError(
                    f"-S {key} is given twice; give all its values at once: -S {key}=1,2,3"
                )
            values[key] = list(itertools.islice(_of_one(one), MOST + 1))
            if not values[key]:
                raise SweepError(f"-S {one.input_line} has no value; give one at least")
    except (HydraException, ArithmeticError, ValueError, RecursionError) as error:
        said = " ".join(f"-S {' -S '.join(sets)} cannot be read ({error}".split())
        raise SweepError(
            f"{said[:300]}); write -S key=value, with several values -S key=1,2,3 or -S 'key=range(1,4)'"
        ) from None
    number = math.prod(len(several) for several in values.values())
    if number > MOST:
        some = any(len(several) > MOST for several in values.values())
        raise SweepError(
            f"-S {' -S '.join(sets)} makes {f'more than {MOST}' if some else number} points, and a sweep may have "
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

    (one,) = to_hydra_overrides([text])
    return str(one.key_or_group), one.value(), text


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
    settings, complaint = None, None
    try:
        settings = params.check(new)
        told = json.dumps(settings.decisive(), sort_keys=True)
    except ParamsError as error:
        complaint, told = str(error), repr(new)
    digest = hashlib.sha256(told.encode()).hexdigest()
    return digest, Point(_name(values, digest), values, overrides, settings, complaint)


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
