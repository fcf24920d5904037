"""Models of a unit, a file each: see `ctrnn.dynamics.model` for what a file says."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from pkgutil import iter_modules

from ctrnn.core.config import modules_with
from ctrnn.dynamics.model import Model
from ctrnn.errors import UserError

NEEDED = ("STATES", "step", "rate")


class ModelFileError(UserError, ImportError):
    """A file of this folder is no model."""


def names() -> list[str]:
    """Of the models: those of the files, none of which is imported."""
    return sorted(info.name for info in iter_modules(__path__))


@cache
def models() -> dict[str, Model]:
    """Every model of this folder, by name. Raises ModelFileError where a file cannot be imported, or lacks a part."""
    try:
        modules = modules_with(__name__, "step")
    except Exception as error:  # whatever a file does while it is imported
        broken = next(name for name in names() if f"{__name__}.{name}" not in sys.modules)
        fault = " ".join(f"{type(error).__name__}: {error}".split())
        raise _error(broken, f"cannot be imported ({fault})") from error
    for name in names():
        module = sys.modules[f"{__name__}.{name}"]
        if missing := [part for part in NEEDED if not hasattr(module, part)]:
            raise _error(name, f"has no {' and no '.join(missing)}")
    return {name: Model(name, module) for name, module in modules.items()}


def _error(name: str, fault: str) -> ModelFileError:
    files = (Path(folder, f"{name}.py") for folder in __path__)
    file = next((file for file in files if file.exists()), Path(__path__[0], name))
    return ModelFileError(
        f"{os.path.relpath(file)} {fault}; correct it, or take it out of the folder of models"
    )
