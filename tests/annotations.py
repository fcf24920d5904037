"""The type checker that the tests put on every function of ctrnn."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

import jaxtyping
from beartype import BeartypeConf, beartype
from beartype.roar import (
    BeartypeDecorHintPep612Exception,
    BeartypeDecorHintPep673Exception,
    BeartypeDecorHintPep3119Exception,
)

F = TypeVar("F", bound=Callable[..., Any])

# An int is a float, as it is to mypy; what is wrong is a TypeError, as it is where Python notices.
NUMBERS = BeartypeConf(is_pep484_tower=True, violation_type=TypeError)
# Of annotations with a ParamSpec, with `Self` and with a protocol.
UNCHECKED = (
    BeartypeDecorHintPep612Exception,
    BeartypeDecorHintPep673Exception,
    BeartypeDecorHintPep3119Exception,
)
ARRAYS = re.compile(r"\b(Bool|Complex|Float|Int|Num|Shaped)\w*\[")


def install() -> None:
    """Check the arguments and results of functions of ctrnn that are imported from now on."""
    jaxtyping.install_import_hook("ctrnn", f"{__name__}.check")
    with_axes = jaxtyping.jaxtyped

    def jaxtyped(function: Any = None, *, typechecker: Any) -> Any:
        """As jaxtyping's, which compares axes, and takes longer than many a function; others have none to compare.

        Of a function that another one makes each time it is called, mypy sees all calls.
        """
        if function is None:
            return lambda function: jaxtyped(function, typechecker=typechecker)
        if not inspect.isfunction(function) or names_arrays(function):
            return with_axes(function, typechecker=typechecker)
        return function if "<locals>" in function.__qualname__ else typechecker(function)

    jaxtyping.jaxtyped = jaxtyped  # type: ignore[assignment]


def names_arrays(function: Callable[..., Any]) -> bool:
    """Whether the annotations of a function name an array with its axes."""
    return bool(ARRAYS.search(" ".join(map(str, function.__annotations__.values()))))


def check(function: F) -> F:
    """beartype, but for functions whose annotations it cannot check."""
    try:
        return beartype(conf=NUMBERS)(function)
    except UNCHECKED:
        return function
