"""Continuous-time recurrent networks of excitatory and inhibitory rate units: train, compare, open up."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["Clamp", "Current", "Displacement", "Plane", "fixed_points", "load", "runs"]


def __getattr__(name: str) -> Any:
    """What notebooks use, such as `load` and `runs`: every stage imports this file, and none needs what they do."""
    if name in __all__:
        return getattr(import_module(f"{__name__}.notebook"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Those too, so that a notebook completes them before they are imported."""
    return sorted({*globals(), *__all__})
