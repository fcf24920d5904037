"""Times that are drawn for every trial, when its trial table is made; the table has a column for each.

A waiting time whose end can be told from the time that has passed teaches the time, and not the memory: delays are
drawn from a uniform distribution, or from an exponential one, whose end is as near at every moment (Nobre, Correa &
Coull 2007, Curr Opin Neurobiol 17:465).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, Self

import numpy as np
from jaxtyping import Float
from pydantic import Discriminator, Field, Tag, model_validator

from ctrnn.core.config import Duration, InSteps, Section, Time
from ctrnn.kernel import log, logistic

MOST_CHOICES = 1000

Range = Annotated[list[Time], Field(min_length=2, max_length=2)]


class Drawn(Section):
    """A distribution of a time. `ends` by the setting that holds each: every drawn time lies between them."""

    @property
    @abstractmethod
    def ends(self) -> dict[str, float]:
        """The times of the distribution that stand in params.yaml, ms, by the end of their dotted key."""

    @abstractmethod
    def quantile(self, share: Float[np.ndarray, "*any"], dt: float) -> Float[np.ndarray, "*any"]:
        """The times, ms and whole steps of dt, below which these shares of the distribution lie; shares from 0 to 1."""

    @property
    def shortest(self) -> float:
        """The shortest time, ms."""
        return min(self.ends.values())

    @property
    def longest(self) -> float:
        """The longest time, ms."""
        return max(self.ends.values())

    def median(self, dt: float) -> float:
        """The median, ms, a whole number of steps of dt."""
        middle = float(self.quantile(np.array([0.5]), dt)[0])
        return int(middle) if middle.is_integer() else middle


class _Between(Drawn):
    """Times between two ends, every whole step of them."""

    @property
    def _range(self) -> list[float]:
        raise NotImplementedError

    @property
    def ends(self) -> dict[str, float]:
        """The two ends."""
        name = type(self).__name__.lower()
        return {f"{name}.{i}": end for i, end in enumerate(self._range)}

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self._range
        if low > high:
            raise ValueError(
                f"{type(self).__name__.lower()} = {self._range} ends before it begins; give {[high, low]}"
            )
        return self

    def _in_steps(self, since: Float[np.ndarray, "*any"], dt: float) -> Float[np.ndarray, "*any"]:
        """Whole steps from a time since the lower end, which may be up to a step longer than the range."""
        low, high = (round(end / dt) for end in self._range)
        times: np.ndarray = np.minimum(low + np.floor(since / dt), high) * dt
        return times.round(9)


class Uniform(_Between):
    """`{uniform: [20, 80]}`: every whole step from 20 to 80 ms is as likely."""

    uniform: Range

    @property
    def _range(self) -> list[float]:
        return self.uniform

    def quantile(self, share: Float[np.ndarray, "*any"], dt: float) -> Float[np.ndarray, "*any"]:
        """See `Drawn.quantile`."""
        return self._in_steps(share * (self.longest - self.shortest + dt), dt)


class Exponential(_Between):
    """`{exponential: [20, 200], scale: 50}`: from 20 ms on, falling to 1/e every 50 ms, and none beyond 200 ms."""

    exponential: Range
    scale: Duration

    @property
    def _range(self) -> list[float]:
        return self.exponential

    def quantile(self, share: Float[np.ndarray, "*any"], dt: float) -> Float[np.ndarray, "*any"]:
        """See `Drawn.quantile`; a step is as likely as the exponential distribution has it, cut at the longest time."""
        rest = logistic(np.array([-(self.longest - self.shortest + dt) / self.scale]))
        beyond = rest / (1 - rest)  # exp(-(range + dt) / scale)
        return self._in_steps(-self.scale * log(1 - share * (1 - beyond)), dt)


class Choice(Drawn):
    """`{choice: [20, 50, 100]}`: each of these times is as likely."""

    choice: Annotated[list[Time], Field(min_length=1, max_length=MOST_CHOICES)]

    @property
    def ends(self) -> dict[str, float]:
        """Every one of the times."""
        return {f"choice.{i}": time for i, time in enumerate(self.choice)}

    def quantile(self, share: Float[np.ndarray, "*any"], dt: float) -> Float[np.ndarray, "*any"]:
        """See `Drawn.quantile`."""
        times = np.sort(np.array(self.choice, np.float64))
        at = np.minimum((share * len(times)).astype(np.int64), len(times) - 1)
        whole: np.ndarray = (np.rint(times[at] / dt) * dt).round(9)
        return whole


def _form(value: Any) -> str:
    if isinstance(value, Drawn):
        return f"({type(value).__name__.lower()})"
    if not isinstance(value, dict):
        return "(number)"
    return next((f"({name})" for name in ("exponential", "choice") if name in value), "(uniform)")


# A time of a trial's phase, ms: a number, or a distribution that every trial's own is drawn from.
DrawnTime = Annotated[
    Annotated[Time, Tag("(number)")]
    | Annotated[Uniform, Tag("(uniform)")]
    | Annotated[Exponential, Tag("(exponential)")]
    | Annotated[Choice, Tag("(choice)")],
    Discriminator(_form),
    InSteps(1),
]  # fmt: skip
# Times of a phase that are a variable of the conditions, which have one each.
ChosenTime = Annotated[Choice, InSteps(1)]
