"""Models of a unit, a file each: see `ctrnn.dynamics.model` for what a file says."""

from __future__ import annotations

from functools import cache

from ctrnn.core.config import modules_with
from ctrnn.dynamics.model import Model


@cache
def models() -> dict[str, Model]:
    """Every model of this folder, by name."""
    modules = modules_with(__name__, "step")
    return {name: Model(name, module) for name, module in modules.items()}
