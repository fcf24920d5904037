"""The tasks, by the names of their sections in params.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctrnn.errors import ParamsError, nearest
from ctrnn.tasks.dmts import Dmts
from ctrnn.tasks.flip_flop import FlipFlop
from ctrnn.tasks.go_nogo import GoNogo
from ctrnn.tasks.mante import Mante, ManteGraded
from ctrnn.tasks.perceptual_decision import PerceptualDecision
from ctrnn.tasks.scoring import Score, right_side
from ctrnn.tasks.settings import TaskSettings
from ctrnn.tasks.task import Batch, ConstantInput, Task
from ctrnn.tasks.trials import (
    batches,
    check_trials,
    one_of_each,
    read_test,
    save,
    table_of,
    trial_table,
)
from ctrnn.tasks.working_memory import WorkingMemory
from ctrnn.tasks.xor import Xor

__all__ = [
    "TASKS",
    "Batch",
    "ConstantInput",
    "Score",
    "Task",
    "batches",
    "check_trials",
    "get_task",
    "one_of_each",
    "read_test",
    "right_side",
    "save",
    "settings_of",
    "table_of",
    "trial_table",
]

ALL = (GoNogo, Dmts, Mante, Xor, PerceptualDecision, WorkingMemory, FlipFlop, ManteGraded)
TASKS: dict[str, type[Task[Any]]] = {task.name: task for task in ALL}


def get_task(name: str, settings: Mapping[str, TaskSettings], dt: float) -> Task[Any]:
    """The task of that name, with its section of `tasks`, at steps of dt (ms).

    Raises ParamsError where params.yaml has no such section.
    """
    own: Any = settings_of(name, settings)
    return TASKS[name](own, dt)


def settings_of(name: str, settings: Mapping[str, TaskSettings]) -> TaskSettings:
    """The section of a task. Raises ParamsError where params.yaml has no such section."""
    if name not in settings:
        raise ParamsError(f"tasks.{name} is not in params.yaml; {nearest(name, settings)}")
    return settings[name]
