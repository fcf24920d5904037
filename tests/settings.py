"""Settings for tests: the shipped params.yaml, and the tasks beside it, with some keys changed."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ctrnn import params
from ctrnn.network.settings import NetworkSettings
from ctrnn.params import Params

FILE = Path(__file__).parents[1] / "params.yaml"
MORE_TASKS = FILE.parent / "experiments" / "tasks.yaml"


@cache
def read(path: Path) -> dict[str, Any]:
    """What a YAML file holds, read once: that takes longer than many a test. Nobody changes it."""
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def settings(**changes: Any) -> Params:
    """params.yaml with changes by dotted key, dots written as two underscores (`network__p_inh=0.3`)."""
    raw = deepcopy(read(FILE))
    raw["tasks"] |= deepcopy(read(MORE_TASKS))
    for key, value in changes.items():
        *path, last = key.split("__")
        section = raw
        for part in path:
            section = section[part]
        section[last] = value
    return params.check(raw)


def network_settings(**changes: Any) -> NetworkSettings:
    """Section `network` with some keys changed."""
    return settings(**{f"network__{key}": value for key, value in changes.items()}).network
