"""Typed read and write of every file that crosses a stage.

artifacts/<stage>/<task>/ holds arrays, weights and tables, reports/<stage>/<task>.json the metrics. The same content
gives the same bytes on every machine: no dates, no machine, floats written to their shortest exact form. Settings stand
in what was made with them (of training beside the weights, of evaluate and analyze in settings.json), so that a stage
that reads it need not name them among its params.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
import pandas as pd
from safetensors import safe_open
from safetensors.numpy import save_file

SPLITS = ("train", "validation", "test")


def folder(stage: str, task: str, root: str | Path = ".") -> Path:
    """artifacts/<stage>/<task>, made where it is missing."""
    path = Path(root) / "artifacts" / stage / task
    path.mkdir(parents=True, exist_ok=True)
    return path


def metrics_path(stage: str, task: str, root: str | Path = ".") -> Path:
    """reports/<stage>/<task>.json; its folder is made where it is missing."""
    path = Path(root) / "reports" / stage / f"{task}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def curve_path(task: str, root: str | Path = ".") -> Path:
    """reports/train/<task>.csv, the learning curve that `dvc plots` shows; its folder is made where it is missing."""
    return metrics_path("train", task, root).with_suffix(".csv")


# In place of a task's figures where none are wanted: DVC keeps no empty folder.
NO_FIGURES = "none.txt"


def figures_folder(task: str, root: str | Path = ".") -> Path:
    """reports/figures/<task>, made where it is missing."""
    path = Path(root) / "reports" / "figures" / task
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_table(path: Path, table: pd.DataFrame) -> None:
    """A table as CSV without its index."""
    table.to_csv(path, index=False, lineterminator="\n")


def read_table(path: Path) -> pd.DataFrame:
    """A table that `write_table` wrote. Floats come back exactly, by pandas 3.1 or later."""
    return pd.read_csv(path)


def write_json(path: Path, content: Any) -> None:
    """Metrics or a summary as indented JSON. Raises ValueError on a number that is not finite."""
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """What `write_json` wrote."""
    return json.loads(path.read_text())


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Named arrays as an npz. Compressed, its bytes would depend on zlib; from np.savez, on the release of Python."""
    with ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            content = BytesIO()
            np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
            member = ZipInfo(f"{name}.npy")  # dated 1980
            member.create_system = 3  # Unix, on whatever system
            archive.writestr(member, content.getvalue())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz, all in memory, read-only."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: locked(stored[name]) for name in stored.files}


def write_weights(
    path: Path, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> None:
    """Arrays of a network as safetensors, with the settings that made it as JSON under metadata key `settings`."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    # One metadata key only: safetensors writes several in an order that changes from run to run.
    save_file(contiguous, path, metadata={"settings": json.dumps(settings, sort_keys=True)})


def read_weights(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays, read-only, and settings that `write_weights` wrote."""
    with safe_open(path, framework="numpy") as stored:
        arrays = {name: locked(stored.get_tensor(name)) for name in stored.keys()}  # noqa: SIM118
        return arrays, json.loads(stored.metadata()["settings"])


def locked(array: np.ndarray) -> np.ndarray:
    """The array, which from now on cannot be written to."""
    array.flags.writeable = False
    return array
