"""The files of a training: weights before and after, history, summary, learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ctrnn.core import artifacts
from ctrnn.network import KINDS
from ctrnn.network.settings import NetworkSettings
from ctrnn.tasks import Task
from ctrnn.training.settings import TrainSettings
from ctrnn.training.state import TrainState


def save(
    folder: Path,
    task: Task[Any],
    states: Sequence[TrainState],
    network: NetworkSettings,
    settings: TrainSettings,
) -> None:
    """Write the weights, before and after, history.csv, summary.json and reports/train/<task>.csv.

    Beside its settings a weights file says which network it is: task.name, training (with number and seed), kind.
    """
    for state in states:
        made_with: dict[str, Any] = {
            "task": {"name": task.name, **task.settings.model_dump()},
            "network": network.decisive(),
            "train": settings.decisive(),
            "training": state.summary(),
        }
        for stem, network_then in (("network", state.network), ("initial", state.start)):
            path = folder / f"{stem}-{state.index}.safetensors"
            artifacts.write_weights(path, network_then.arrays(), {**made_with, "kind": KINDS[stem]})
    rows = [row for state in states for row in state.history]
    history = pd.DataFrame(rows).sort_values(["iteration", "network"], kind="stable")
    artifacts.write_table(folder / "history.csv", history)
    artifacts.write_table(artifacts.curve_path(task.name), learning_curve(history))
    summary = {"networks": [state.summary() for state in states]}
    artifacts.write_json(folder / "summary.json", summary)
    artifacts.write_sums(folder)


def learning_curve(history: pd.DataFrame) -> pd.DataFrame:
    """Loss and accuracy on validation trials at every check, means over networks.

    A network that has finished counts with its last values, so that the curve does not jump when it leaves.
    """
    columns = ["loss", "accuracy"]
    checks = history.dropna(subset=["accuracy"])
    if checks.empty:  # training ended before the first check
        return checks[["iteration", *columns]]
    wide = checks.pivot_table(index="iteration", columns="network", values=columns)
    return wide.ffill().T.groupby(level=0).mean().T[columns].reset_index()
