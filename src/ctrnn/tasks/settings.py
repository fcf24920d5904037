"""What every task sets: the lengths and times of its trials, in ms, and their number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from ctrnn.tasks.drawn import Drawn, DrawnTime

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

    @property
    def drawn(self) -> dict[str, Drawn]:
        """The times that are drawn for every trial, by the names of their settings."""
        return {name: value for name, value in self if isinstance(value, Drawn)}

    def longest(self) -> Self:
        """The same settings with every time that is drawn at its longest."""
        return self.model_copy(update={name: own.longest for name, own in self.drawn.items()})

    def times_in_steps(self, dt: float, where: str, key: str = "network.dt") -> dict[str, int]:
        """The settings that are times, in steps; of one that is drawn, the times that its distribution names.

        Args:
            dt: Length of a step, ms.
            where: Dotted key of the section.
            key: Setting that dt is of.

        Raises:
            ParamsError: A time is no whole number of steps.

        """
        return {n: whole_steps(time, dt, f"{where}.{n}", key) for n, time in self._times()}

    def _times(self) -> Iterator[tuple[str, float]]:
        # T last: it changes with a delay, say, which is the one to name.
        names = sorted((n for n, power in self._powers().items() if power == 1), key="T".__eq__)
        for name in names:
            value = getattr(self, name)
            if isinstance(value, Drawn):
                yield from ((f"{name}.{end}", time) for end, time in value.ends.items())
            else:
                yield name, value

    def in_steps(self, dt: float, where: str) -> Self:
        """The settings of the longest trial with times in steps, and white noise as that of a step.

        Raises ParamsError as `times_in_steps` does.
        """
        self.times_in_steps(dt, where)
        longest = self.longest()
        scaled = {n: getattr(longest, n) / dt**power for n, power in self._powers().items()}
        return longest.model_copy(update=scaled | longest.times_in_steps(dt, where))

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


class Phases(TaskSettings):
    """A trial as phases that follow each other; times in ms, or in steps where they are those of `Task.steps`.

    A task's settings name its phases, of which the first is the baseline and "response" the one to answer in, and have
    a `Time`, `Length` or `DrawnTime` for the length of each. What is left of T after the last phase ends the trial.
    T is the length of the longest trial; one whose drawn times are shorter ends sooner.

    phases: the setting that is its length, by the name of every phase. varied_times: settings that networks are tested
    outside of.
    """

    phases: ClassVar[Mapping[str, str]] = {}
    varied_times: ClassVar[tuple[str, ...]] = ()

    def begin(self, phase: str) -> float:
        """Onset of a phase in the longest trial."""
        longest, time = self.longest(), 0
        for name, setting in self.phases.items():
            if name == phase:
                return time
            time += getattr(longest, setting)
        raise KeyError(phase)

    def end(self, phase: str) -> float:
        """End of a phase in the longest trial; in steps, the first one after it."""
        length: float = getattr(self.longest(), self.phases[phase])
        return self.begin(phase) + length

    @property
    def baseline(self) -> float:
        """Length of the first phase in the longest trial."""
        return self.end(next(iter(self.phases)))

    @property
    def window(self) -> slice:
        """The response window of the longest trial."""
        return slice(self.begin("response"), self.end("response"))

    def varied(self, **changes: Any) -> Self:
        """These settings with changes; the trial ends as much later or earlier as its response window does.

        Where T is among the changes, it stays as given. Raises pydantic's ValidationError where a value is not allowed.
        """
        new = {**self.model_dump(), **changes}
        if "T" not in changes:
            any_length = self.model_validate(new, context=ANY_LENGTH)
            new["T"] += any_length.window.stop - self.window.stop
        return self.model_validate(new)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Raise TypeError where phases name no response, or a setting that is not there."""
        super().__pydantic_init_subclass__(**kwargs)
        if "response" not in cls.phases:
            raise TypeError(f"{cls.__name__}.phases has no phase called response; name one so")
        for phase, setting in cls.phases.items():
            if setting not in cls.model_fields:
                raise TypeError(
                    f"{cls.__name__}.phases[{phase!r}] = {setting!r} is no setting of it; add one of that name"
                )

    @model_validator(mode="after")
    def _fits(self, info: ValidationInfo) -> Self:
        if info.context == ANY_LENGTH:
            return self
        stop = round(self.window.stop, 9)
        if stop > self.T:
            longest = self.longest()
            added = " + ".join(f"{key} {getattr(longest, key)}" for key in self.phases.values())
            raise ValueError(
                f"T = {self.T} ends before {stop} ms = {added}; "
                f"give a T of at least {stop}, or shorter times"
            )
        return self


class OneStimulus(Phases):
    """A stimulus, then a response window."""

    phases: ClassVar[Mapping[str, str]] = {
        "baseline": "stim_on", "stimulus": "stim_dur", "wait": "response_delay", "response": "response_dur",
    }  # fmt: skip
    varied_times: ClassVar[tuple[str, ...]] = ("response_delay", "stim_dur")

    stim_on: Time
    stim_dur: Length
    response_delay: Time
    response_dur: Length
    threshold: NotNegative  # a mean output beyond it, over the response window, is an answer

    @property
    def stim_off(self) -> float:
        """End of the last stimulus; in steps, the first one after it."""
        return self.begin("wait")

    @property
    def window(self) -> slice:
        """The response window of the longest trial, which a task may move by its own `stim_off`."""
        longest = self.longest()
        start = self.stim_off + longest.response_delay
        return slice(start, start + longest.response_dur)


class TwoStimuli(OneStimulus):
    """Two stimuli of the same length with a delay between them, then a response window."""

    phases: ClassVar[Mapping[str, str]] = {
        "baseline": "stim_on", "first": "stim_dur", "delay": "delay", "second": "stim_dur",
        "wait": "response_delay", "response": "response_dur",
    }  # fmt: skip
    varied_times: ClassVar[tuple[str, ...]] = ("delay", "response_delay", "stim_dur")

    delay: Time

    @property
    def second_on(self) -> float:
        """Onset of the second stimulus."""
        return self.begin("second")


class DrawnDelays(TwoStimuli):
    """Two stimuli whose delays may be drawn for every trial."""

    delay: DrawnTime  # type: ignore[assignment]
    response_delay: DrawnTime  # type: ignore[assignment]
