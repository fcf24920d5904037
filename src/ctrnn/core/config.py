"""Sections of params.yaml: strict types, no unknown key, immutable. Each room brings the sections that it uses.

Every setting is required, so that what a run used is what stands in the file. Times are in ms, each a whole number of
time steps of `network.dt`. `modules_with` finds the modules that a room goes over, so that nobody keeps a list of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

# Networks calculate with 32-bit floats, which end at 3e38; arrays are counted with 64-bit integers.
LARGEST = 1e30
MOST = 2**31 - 1
MOST_IN_LIST = 10_000

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=LARGEST)]
NotNegative = Annotated[float, Field(ge=0, le=LARGEST)]
Duration = Annotated[float, Field(ge=1e-9, le=1e9)]
Count = Annotated[int, Field(ge=1, le=MOST)]


@dataclass(frozen=True)
class InSteps:
    """Marks a setting that is another number in time steps than in ms. power: of dt that it is divided by."""

    power: float


def _plain(value: float) -> float:
    """A whole number as an int, as it is written in params.yaml; sums of others without the rounding of floats."""
    return int(value) if value == int(value) else round(value, 9)


Time = Annotated[float, Field(ge=0, le=MOST), AfterValidator(_plain), InSteps(1)]  # ms
Length = Annotated[float, Field(gt=0, le=MOST), AfterValidator(_plain), InSteps(1)]  # ms
# Standard deviation of white noise at steps of 1 ms: a step of dt has 1/sqrt(dt) of it, so that a sum over time has the
# same whatever dt is.
WhiteNoise = Annotated[float, Field(ge=0, le=LARGEST), InSteps(0.5)]


def steps(time: float, dt: float) -> int | None:
    """How many time steps a time takes, both as they are written; None where they are no whole number.

    Args:
        time: ms.
        dt: Length of a step, ms.
    """
    n = Fraction(repr(time)) / Fraction(repr(dt))
    return int(n) if n.denominator == 1 else None


def duration(steps: int, dt: float) -> float:
    """So many time steps of dt, ms, in ms: without the rounding of floats, as both are written."""
    return float(Fraction(repr(dt)) * steps)


def multiples(time: float, dt: float) -> str:
    """The times next to one that is no whole number of time steps, in words."""
    n = Fraction(repr(time)) // Fraction(repr(dt))
    return " or ".join(f"{duration(k, dt):g}" for k in (n, n + 1))


class Section(BaseModel):
    """A section of params.yaml.

    changes_no_result: names of settings that decide how fast a result comes, or what is shown on the way, and never
    the result. No stage names them in dvc.yaml, and none writes them into a file. renamed: names of before -> names of
    now; weights files and runs of before are read with them, a params.yaml is told the new name.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    changes_no_result: ClassVar[frozenset[str]] = frozenset()
    renamed: ClassVar[dict[str, str]] = {}

    @classmethod
    def with_names_of_now(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The same settings, each under the name that it has now."""
        return {cls.renamed.get(name, name): value for name, value in settings.items()}

    def decisive(self) -> dict[str, Any]:
        """The settings that decide a result, by name."""
        return self.model_dump(exclude=set(self.changes_no_result))


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key, each of which begins with `prefix`; an empty section is a setting."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        nested = isinstance(value, Mapping) and value
        flat |= flatten(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat


def modules_with(package: str, function: str) -> dict[str, ModuleType]:
    """Import the modules of a package and keep those that define a function.

    Args:
        package: Dotted name, as "ctrnn.figures".
        function: Name of the function, as "draw".

    Returns:
        The modules by their own name, in alphabetical order.
    """
    names = sorted(info.name for info in iter_modules(import_module(package).__path__))
    modules = {name: import_module(f"{package}.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, function)}
