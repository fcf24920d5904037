"""What every task sets: the lengths and times of its trials, in ms, and their number."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from ctrnn.core.config import (
    MOST,
    Count,
    InSteps,
    Length,
    NotNegative,
    Section,
    Share,
    Time,
    multiples,
    steps,
)
from ctrnn.errors import ParamsError

MOST_STRENGTHS = 100  # of evidence, of which some tasks show every combination


class CurriculumStep(Section):
    """A step of a task's curriculum: settings of the task that it changes, and the accuracy that ends it."""

    settings: dict[str, Any]
    until: Share


class TaskSettings(Section):
    """What every task sets. A task's file in `ctrnn.tasks` derives its own settings from this."""

    registry: ClassVar[dict[str, type[TaskSettings]]] = {}

    T: Length
    loss_over: Literal["trial", "baseline_and_response"]
    train_trials: Count
    validation_trials: Count
    test_trials: Count
    curriculum: Annotated[list[CurriculumStep], Field(max_length=100)]

    def at(self, step: CurriculumStep) -> Self:
        """The settings of a step. Raises pydantic's ValidationError where they are not allowed."""
        return type(self).model_validate({**self.model_dump(), "curriculum": [], **step.settings})

    def times_in_steps(self, dt: float, where: str, key: str = "network.dt") -> dict[str, int]:
        """The settings that are times, in steps.

        Args:
            dt: Length of a step, ms.
            where: Dotted key of the section.
            key: Setting that dt is of.

        Raises:
            ParamsError: A time is no whole number of steps.

        """
        # T last: it changes with a delay, say, which is the one to name.
        times = sorted((n for n, power in self._powers().items() if power == 1), key="T".__eq__)
        return {n: whole_steps(getattr(self, n), dt, f"{where}.{n}", key) for n in times}

    def in_steps(self, dt: float, where: str) -> Self:
        """The same settings with times in steps, and white noise as that of a step; see `times_in_steps`."""
        scaled = {n: getattr(self, n) / dt**power for n, power in self._powers().items()}
        return self.model_copy(update=scaled | self.times_in_steps(dt, where))

    @classmethod
    def _powers(cls) -> dict[str, float]:
        """The power of dt that a setting is divided by, of those that are another number in steps."""
        marks = ((name, m) for name, info in cls.model_fields.items() for m in info.metadata)
        return {name: mark.power for name, mark in marks if isinstance(mark, InSteps)}

    def __init_subclass__(cls, task: str | None = None, **kwargs: Any) -> None:
        """Enter the settings of `task` into the registry that `load` reads."""
        super().__init_subclass__(**kwargs)
        if task is not None:
            TaskSettings.registry[task] = cls


def whole_steps(time: float, dt: float, key: str, of: str = "network.dt") -> int:
    """Steps of dt (ms) in a time (ms).

    Raises ParamsError, which names the keys of the time and of dt, where they are no whole number.
    """
    n = steps(time, dt)
    if n is None:
        raise ParamsError(
            f"{key} = {time:g} ms is no whole number of steps of {of} = {dt:g} ms; give {multiples(time, dt)}"
        )
    if n > MOST:
        raise ParamsError(
            f"{key} = {time:g} ms has more than {MOST} steps of {of} = {dt:g} ms; give a longer {of}"
        )
    return n


# Context of a validation that does not ask whether the trial is long enough.
ANY_LENGTH = "any length"


class OneStimulus(TaskSettings):
    """A stimulus, then a response window; times in ms, or in steps where they are those of `Task.steps`.

    varied_times: those that networks are tested outside of. course: all, in the order in which they pass.
    """

    varied_times: ClassVar[tuple[str, ...]] = ("response_delay", "stim_dur")
    course: ClassVar[tuple[str, ...]] = ("stim_on", "stim_dur", "response_delay", "response_dur")

    stim_on: Time
    stim_dur: Length
    response_delay: Time
    response_dur: Length
    threshold: NotNegative  # a mean output beyond it, over the response window, is an answer

    @property
    def stim_off(self) -> float:
        """End of the last stimulus; in steps, the first one after it."""
        return self.stim_on + self.stim_dur

    @property
    def window(self) -> slice:
        """The response window."""
        start = self.stim_off + self.response_delay
        return slice(start, start + self.response_dur)

    def varied(self, **changes: Any) -> Self:
        """These settings with changes; the trial ends as much later or earlier as its response window does.

        Where T is among the changes, it stays as given. Raises pydantic's ValidationError where a value is not allowed.
        """
        new = {**self.model_dump(), **changes}
        if "T" not in changes:
            any_length = self.model_validate(new, context=ANY_LENGTH)
            new["T"] += any_length.window.stop - self.window.stop
        return self.model_validate(new)

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> Self:
        if info.context == ANY_LENGTH:
            return self
        stop = round(self.window.stop, 9)
        if stop > self.T:
            added = " + ".join(f"{key} {getattr(self, key)}" for key in self.course)
            raise ValueError(
                f"T = {self.T} ends before {stop} ms = {added}; "
                f"give a T of at least {stop}, or shorter times"
            )
        return self


class TwoStimuli(OneStimulus):
    """Two stimuli of the same length with a delay between them, then a response window; times as in `OneStimulus`."""

    varied_times: ClassVar[tuple[str, ...]] = ("delay", "response_delay", "stim_dur")
    course: ClassVar[tuple[str, ...]] = (
        "stim_on", "stim_dur", "delay", "stim_dur", "response_delay", "response_dur",
    )  # fmt: skip

    delay: Time

    @property
    def second_on(self) -> float:
        """Onset of the second stimulus."""
        return self.stim_on + self.stim_dur + self.delay

    @property
    def stim_off(self) -> float:
        """End of the second stimulus; in steps, the first one after it."""
        return self.second_on + self.stim_dur
