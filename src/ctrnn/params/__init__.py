"""params.yaml: read, checked as a whole before anything is computed, and handed out by section.

Nothing here changes a result: a file is refused, or its values are passed on as DVC records them. So no stage depends
on this folder; a stage depends on the rooms whose sections it is handed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ctrnn.errors import ParamsError, shown
from ctrnn.params import dialect, memory
from ctrnn.params.schema import Params, check, check_part, check_task, every_key, names_of_now

__all__ = [
    "Params",
    "check",
    "check_part",
    "check_task",
    "every_key",
    "load",
    "names_of_now",
    "parse",
    "read",
]


def load(*sections: str, path: str | Path = "params.yaml") -> Params:
    """The sections that a stage uses, of a file that is checked as a whole.

    Raises ParamsError as `read` does, and where what the file asks for is beyond this machine's memory or disk.
    """
    return memory.check(read(path)).only(*sections)


def read(path: str | Path = "params.yaml") -> Params:
    """Read and check a params.yaml.

    Raises ParamsError, with one sentence that names key, value, what is allowed and the nearest key.
    """
    return _checked(dialect.read(path), path)


def parse(text: str, path: str | Path) -> Params:
    """What `read` makes of a file that holds this text; `path` is its name in a sentence."""
    return _checked(dialect.parse(text, path), path)


def _checked(raw: Any, path: str | Path) -> Params:
    if not isinstance(raw, dict):
        sections = ", ".join(Params.model_fields)
        raise ParamsError(
            f"{path} holds {shown(raw)}, which is not a mapping; give the sections {sections}"
        )
    return check(raw)
