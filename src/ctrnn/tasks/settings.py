"""What every task sets, and the registry of the tasks' sections."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from ctrnn.core.config import Count, Section, Share

MOST_STRENGTHS = 100  # of evidence, of which some tasks show every combination


class CurriculumStep(Section):
    """A step of a task's curriculum: settings of the task that it changes, and the accuracy that ends it."""

    settings: dict[str, Any]
    until: Share


class TaskSettings(Section):
    """What every task sets. A task's file in `ctrnn.tasks` derives its own settings from this."""

    registry: ClassVar[dict[str, type[TaskSettings]]] = {}

    T: Count
    loss_over: Literal["trial", "baseline_and_response"]
    train_trials: Count
    validation_trials: Count
    test_trials: Count
    curriculum: Annotated[list[CurriculumStep], Field(max_length=100)]

    def at(self, step: CurriculumStep) -> Self:
        """The settings of a step. Raises pydantic's ValidationError where they are not allowed."""
        return type(self).model_validate({**self.model_dump(), "curriculum": [], **step.settings})

    def __init_subclass__(cls, task: str | None = None, **kwargs: Any) -> None:
        """Enter the settings of `task` into the registry that `load` reads."""
        super().__init_subclass__(**kwargs)
        if task is not None:
            TaskSettings.registry[task] = cls
