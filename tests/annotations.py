"""The type checker that the tests put on every function of ctrnn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception, BeartypeDecorHintPep3119Exception

F = TypeVar("F", bound=Callable[..., Any])

NUMBERS = BeartypeConf(is_pep484_tower=True)  # an int is a float, as it is to mypy


def check(function: F) -> F:
    """beartype, but for functions that name `Self` or a protocol, which it cannot check on a function."""
    try:
        return beartype(conf=NUMBERS)(function)
    except (BeartypeDecorHintPep673Exception, BeartypeDecorHintPep3119Exception):
        return function
