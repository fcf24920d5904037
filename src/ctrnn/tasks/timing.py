"""Timing that the tasks share: one or two stimuli in a row, then a delay, then the response window."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import ValidationInfo, model_validator

from ctrnn.core.config import Count, NotNegative, Step
from ctrnn.tasks.settings import TaskSettings

# Context of a validation that does not ask whether the trial is long enough.
ANY_LENGTH = "any length"


class OneStimulus(TaskSettings):
    """A stimulus, then a response window; times in steps.

    varied_times: those that networks are tested outside of. course: all, in the order in which they pass.
    """

    varied_times: ClassVar[tuple[str, ...]] = ("response_delay", "stim_dur")
    course: ClassVar[tuple[str, ...]] = ("stim_on", "stim_dur", "response_delay", "response_dur")

    stim_on: Step
    stim_dur: Count
    response_delay: Step
    response_dur: Count
    threshold: NotNegative  # a mean output beyond it, over the response window, is an answer

    @property
    def stim_off(self) -> int:
        """First step after the last stimulus."""
        return self.stim_on + self.stim_dur

    @property
    def window(self) -> slice:
        """Steps of the response window."""
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
        if self.window.stop > self.T:
            added = " + ".join(f"{key} {getattr(self, key)}" for key in self.course)
            raise ValueError(
                f"T = {self.T} ends before step {self.window.stop} = {added}; "
                f"give a T of at least {self.window.stop}, or shorter times"
            )
        return self


class TwoStimuli(OneStimulus):
    """Two stimuli of the same length with a delay between them, then a response window; times in steps."""

    varied_times: ClassVar[tuple[str, ...]] = ("delay", "response_delay", "stim_dur")
    course: ClassVar[tuple[str, ...]] = (
        "stim_on", "stim_dur", "delay", "stim_dur", "response_delay", "response_dur",
    )  # fmt: skip

    delay: Step

    @property
    def second_on(self) -> int:
        """Onset of the second stimulus."""
        return self.stim_on + self.stim_dur + self.delay

    @property
    def stim_off(self) -> int:
        """First step after the second stimulus."""
        return self.second_on + self.stim_dur
