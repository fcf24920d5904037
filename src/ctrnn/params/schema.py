"""All of params.yaml: the sections of every room, checked together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Self, TypeVar

from pydantic import Field, ValidationError

from ctrnn.analysis.analyze import AnalyzeSettings
from ctrnn.core import rng
from ctrnn.core.config import Section
from ctrnn.errors import ParamsError, format_validation_error, keys_of, nearest, shown, shown_key
from ctrnn.evaluation import EvaluateSettings
from ctrnn.network.settings import NetworkSettings
from ctrnn.report.settings import ReportSettings
from ctrnn.tasks import check_trials, get_task, settings_of
from ctrnn.tasks.settings import TaskSettings, whole_steps
from ctrnn.tracking.settings import PublishSettings
from ctrnn.training.coarse import coarse_step
from ctrnn.training.settings import TrainSettings

S = TypeVar("S", bound=Section)


class Params(Section):
    """The whole of params.yaml, or the sections of it that a stage is handed: see `only`."""

    seed: Annotated[int, Field(ge=0, le=10**18)]
    tasks: dict[str, TaskSettings]
    network: NetworkSettings
    train: TrainSettings
    evaluate: EvaluateSettings
    analyze: AnalyzeSettings
    report: ReportSettings
    publish: PublishSettings

    @property
    def network_seeds(self) -> list[int]:
        """Seeds of the networks 0 .. n_networks - 1."""
        return rng.network_seeds(self.seed, self.train.n_networks)

    def task(self, name: str) -> TaskSettings:
        """Settings of a task. Raises ParamsError where params.yaml has no such section."""
        return settings_of(name, self.tasks)

    def of_training(self, task: str) -> dict[str, Any]:
        """What decides the training of a task, by the keys of params.yaml."""
        return {
            "seed": self.seed,
            "tasks": {task: self.task(task).model_dump()},
            "network": self.network.decisive(),
            "train": self.train.decisive(),
        }

    def decisive(self) -> dict[str, Any]:
        """Every setting that decides a result, as params.yaml holds them."""
        settings = self.model_dump(serialize_as_any=True)  # also those that only some tasks have
        sections = {name: getattr(self, name) for name in settings}
        return settings | {
            name: section.decisive()
            for name, section in sections.items()
            if isinstance(section, Section)
        }

    def only(self, *sections: str) -> Self:
        """These sections and no other: a section that was not asked for is an AttributeError."""
        return self.model_construct(
            set(sections), **{name: getattr(self, name) for name in sections}
        )


def check(raw: Mapping[str, Any]) -> Params:
    """Params from the mapping that a params.yaml holds.

    Raises ParamsError, with one sentence that names key, value, what is allowed and the nearest key.
    """
    _refuse_names_of_before(raw)
    tasks = raw.get("tasks")
    if "tasks" in raw and (not isinstance(tasks, dict) or not tasks):
        names = ", ".join(TaskSettings.registry)
        raise ParamsError(f"tasks = {shown(tasks)} names no task; give at least one of {names}")
    checked = {name: check_task(name, section) for name, section in (tasks or {}).items()}
    params = _validate(Params, {**raw, "tasks": checked} if "tasks" in raw else raw, "")
    _refuse_times_in_steps(params)
    _refuse_unknown_parameters(params)
    for name in params.tasks:
        task = get_task(name, params.tasks, params.network.dt)
        check_trials(task, params.train.batch_size)
        coarse_step(task, params.network, params.train)
        params.analyze.generalisation.check(task)
    whole_steps(params.analyze.time_bin, params.network.dt, "analyze.time_bin")
    return params


@cache
def names_of_now() -> dict[str, str]:
    """Dotted keys that a params.yaml had before -> those of now."""
    return {
        f"{name}.{old}": f"{name}.{new}"
        for name, kind in _sections().items()
        for old, new in kind.renamed.items()
    }


@cache
def _sections() -> dict[str, type[Section]]:
    """Sections that one class describes, by name: all but seed and tasks."""
    kinds = {name: field.annotation for name, field in Params.model_fields.items()}
    return {n: k for n, k in kinds.items() if isinstance(k, type) and issubclass(k, Section)}


def _refuse_names_of_before(raw: Mapping[str, Any]) -> None:
    renamed = [
        (old, new)
        for old, new in names_of_now().items()
        if isinstance(section := raw.get(old.partition(".")[0]), Mapping)
        and old.partition(".")[2] in section
    ]
    if renamed:
        new_names = ", ".join(f"{old} is now {new}" for old, new in renamed)
        raise ParamsError(f"{new_names}; rename {'them' if len(renamed) > 1 else 'it'}")


def _refuse_times_in_steps(params: Params) -> None:
    """Times counted steps, whatever dt was, before there was a coarse_dt."""
    dt, tau = params.network.dt, params.network.tau
    if dt != 1 and "coarse_dt" not in params.train.model_fields_set:
        raise ParamsError(
            f"network.dt = {dt:g} and train.coarse_dt is missing, as in a file from when times counted steps; now they "
            f"are in ms: write network.dt: 1, network.tau: {tau / dt:g} and other time constants divided by {dt:g} for "
            "the same networks as before, or give all times in ms and add train.coarse_dt: null"
        )


def _refuse_unknown_parameters(params: Params) -> None:
    parameters = params.network.parameters
    for name in params.train.trainable.parameters:
        if name not in parameters:
            remedy = nearest(name, parameters) if parameters else "give []"
            if name == "tau":
                remedy = "set train.trainable.tau: true"
            raise ParamsError(
                f"train.trainable.parameters names {shown(name)}, which network.model = {params.network.model!r} does "
                f"not have; {remedy}"
            )


def check_part(raw: Mapping[str, Any]) -> Params:
    """Params of some sections only, from the mapping of these. Raises ParamsError as `check` does."""
    sections: dict[str, Any] = dict(raw)
    for name in raw.keys() & _sections().keys():
        sections[name] = _validate(_sections()[name], raw[name], name)
    if "tasks" in raw:
        sections["tasks"] = {
            name: check_task(name, section) for name, section in raw["tasks"].items()
        }
    return Params.model_construct(set(raw), **sections)


def check_task(name: Any, section: Any) -> TaskSettings:
    """Settings of a task from the mapping that section tasks.<name> holds. Raises ParamsError as `check` does."""
    if name not in TaskSettings.registry:
        names = TaskSettings.registry
        raise ParamsError(f"tasks.{shown_key(name)} is not a task; {nearest(str(name), names)}")
    task = _validate(TaskSettings.registry[name], section, f"tasks.{name}")
    for i, step in enumerate(task.curriculum):
        where = f"tasks.{name}.curriculum.{i}.settings"
        if "curriculum" in step.settings:
            raise ParamsError(
                f"{where}.curriculum is not a setting of a step; give the steps in one list"
            )
        own = {**task.model_dump(), "curriculum": []}
        _validate(type(task), {**own, **step.settings}, where)
    return task


@cache
def every_key() -> list[str]:
    """Every setting and section that a params.yaml may hold, by dotted key."""
    of_tasks = (keys_of(kind, f"tasks.{name}") for name, kind in TaskSettings.registry.items())
    return [*keys_of(Params), *(key for keys in of_tasks for key in keys)]


def _validate(section: type[S], raw: Any, where: str) -> S:
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        raise ParamsError(format_validation_error(error, section, where, every_key())) from None
