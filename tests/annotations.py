"""The type checker that the tests put on every function of ctrnn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from beartype import beartype

F = TypeVar("F", bound=Callable[..., Any])


def check(function: F) -> F:
    """beartype, but for methods that name `Self`: it takes those on whole classes only."""
    if "Self" in getattr(function, "__annotations__", {}).values():
        return function
    return beartype(function)
