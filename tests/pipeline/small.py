"""The small configuration: `python tests/pipeline/small.py CLONE` gives it to a clone, with its lock and metrics."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

OVERRIDES = Path(__file__).with_name("small.yaml")
RESULTS = Path(__file__).with_name("small")  # dvc.lock and reports/ of the small configuration


def write_small(params: Path, more: Mapping[str, Any] | None = None) -> None:
    """Set the keys of small.yaml, then those of `more` (dotted key -> value), in the file `params`.

    Comments and order stay. Raises KeyError where a key does not stand in `params`.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 200
    settings = yaml.load(params)
    for dotted, value in {**yaml.load(OVERRIDES), **(more or {})}.items():
        *sections, key = dotted.split(".")
        section = settings
        for name in sections:
            section = section[name]
        if key not in section:
            raise KeyError(f"{dotted} is not a key of {params}; correct it in {OVERRIDES.name}.")
        section[key] = value
    yaml.dump(settings, params)


def make_small(clone: Path) -> None:
    """Give a clone the small settings, and the lock and metrics that belong to them instead of its own."""
    write_small(clone / "params.yaml")
    shutil.rmtree(clone / "reports", ignore_errors=True)
    shutil.copytree(RESULTS, clone, dirs_exist_ok=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clone", type=Path)
    make_small(parser.parse_args().clone)
