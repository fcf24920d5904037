"""The stages that a dvc.yaml makes, and what a change of a setting or file reruns, without running anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any


@dataclass(frozen=True)
class Stage:
    """A stage with its variables filled in. group: its name in dvc.yaml; task: None for a stage of all tasks."""

    group: str
    task: str | None
    deps: frozenset[str]
    params: frozenset[str]
    outs: frozenset[str]

    @property
    def name(self) -> str:
        return f"{self.group}@{self.task}" if self.task else self.group

    def names_setting(self, leaf: str) -> bool:
        """Whether its params name the setting, or a section that holds it."""
        return any(f"{leaf}.".startswith(f"{param}.") for param in self.params)

    def names_file(self, path: str) -> bool:
        """Whether its deps name the file, or a folder that holds it."""
        return covers(self.deps, path)

    def reads_from(self, before: Stage) -> bool:
        """Whether a dep of it is an output of the other, or holds one, or lies in one."""
        return any(covers(self.deps, out) for out in before.outs) or any(
            covers(before.outs, dep) for dep in self.deps
        )


class Graph:
    """Stages, and who reads what whom writes."""

    def __init__(self, pipeline: Mapping[str, Any], tasks: Iterable[str]) -> None:
        self.stages = [
            _stage(group, task, entry.get("do", entry))
            for group, entry in pipeline["stages"].items()
            for task in (tasks if "foreach" in entry else [None])
        ]

    @cached_property
    def readers(self) -> dict[Stage, set[Stage]]:
        """The stages that read what a stage writes."""
        return {one: {s for s in self.stages if s.reads_from(one)} for one in self.stages}

    def told_of_setting(self, leaf: str) -> set[Stage]:
        """Stages that DVC finds changed where this setting has changed."""
        return {stage for stage in self.stages if stage.names_setting(leaf)}

    def told_of_file(self, path: str) -> set[Stage]:
        """Stages that DVC finds changed where this file of the code has changed."""
        return {stage for stage in self.stages if stage.names_file(path)}

    def reruns(self, told: set[Stage], task: str | None = None) -> set[Stage]:
        """The told stages, and those that follow from them.

        task: the one whose settings alone have changed. The report leaves the figures of other tasks as they were, so
        nothing of these follows from it; `test_changing_a_task_runs_nothing_of_another` runs that.
        """
        found, todo = set(told), list(told)
        while todo:
            after = self.readers[todo.pop()] - found
            after = {stage for stage in after if task is None or stage.task in (None, task)}
            found |= after
            todo += after
        return found


def covers(paths: Collection[str], path: str) -> bool:
    """Whether one of the paths is this one, or a folder that holds it."""
    return any(str(one) in paths for one in (PurePosixPath(path), *PurePosixPath(path).parents))


def _stage(group: str, task: str | None, body: Mapping[str, Any]) -> Stage:
    def listed(*kinds: str) -> frozenset[str]:
        entries = [one for kind in kinds for one in body.get(kind, [])]
        names = [one if isinstance(one, str) else next(iter(one)) for one in entries]
        return frozenset(name.replace("${key}", task or "") for name in names)

    outs = listed("outs", "metrics", "plots")
    return Stage(group, task, listed("deps"), listed("params"), outs)
