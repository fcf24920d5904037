"""Modules that a room goes over, found by the function that they define, so that nobody keeps a list of them."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


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
