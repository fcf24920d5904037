"""What the stages left of a task, as the report reads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ctrnn.core import artifacts
from ctrnn.params import Params
from ctrnn.tasks import Batch, Task, get_task, one_of_each, read_test

OPENED = (
    "fixed_points", "targeted", "roles", "lesions", "generalisation", "psychometric", "similarity",
)  # fmt: skip


@dataclass(frozen=True)
class Results:
    """Artifacts and metrics of a task.

    test: table of the test trials; example: one trial of every condition; opened: the other files of `analyze` by
    their stems.
    """

    name: str
    params: Params
    task: Task[Any]
    networks: list[dict[str, Any]]  # summary.json, with the accuracy on test trials
    history: pd.DataFrame
    test: pd.DataFrame
    example: Batch
    samples: dict[str, np.ndarray]
    state_space: dict[str, np.ndarray]
    spectrum: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    opened: dict[str, dict[str, np.ndarray]]
    evaluation: dict[str, Any]
    analysis: dict[str, Any]

    @property
    def window(self) -> slice:
        """Steps of the response window."""
        window: slice = self.task.settings.window
        return window

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the input channels."""
        return self.task.channels

    def seen(self) -> np.ndarray:
        """[epoch, condition]: whether the trials of a condition are seen under each constant input."""
        conditions = self.test.groupby("condition", sort=True).head(1).sort_values("condition")
        return np.stack([epoch.picks(conditions) for epoch in self.task.constant_inputs()])

    @property
    def lacks(self) -> list[list[str]]:
        """What each network lacks: see `connectivity.lacks`."""
        nothing: list[list[str]] = [[] for _ in self.networks]
        return list(self.analysis.get("lacks", nothing))

    @property
    def left_out(self) -> str:
        """What analyses left out of the task, as a sentence that follows another one; empty where nothing."""
        said = self.analysis.get("left_out", "")
        return f" {said}" if said else ""

    @property
    def failed(self) -> list[int]:
        """Networks that did not converge."""
        return [run["network"] for run in self.networks if not run["converged"]]


def read(task: str, params: Params, root: Path) -> Results:
    """The results of a task, from its artifacts and metrics below `root`."""
    generated, trained, evaluated, analyzed = (
        artifacts.folder(stage, task, root)
        for stage in ("generate", "train", "evaluate", "analyze")
    )
    trials = read_test(generated)
    evaluation = artifacts.read_json(artifacts.metrics_path("evaluate", task, root))
    runs = artifacts.read_json(trained / "summary.json")["networks"]
    accuracies = evaluation["accuracy"]["per_network"]
    return Results(
        name=task,
        params=params,
        task=get_task(task, params.tasks),
        networks=[{**run, "accuracy": a} for run, a in zip(runs, accuracies, strict=True)],
        history=artifacts.read_table(trained / "history.csv"),
        test=trials.conditions,
        example=one_of_each(trials),
        samples=artifacts.read_arrays(evaluated / "outputs.npz"),
        state_space=artifacts.read_arrays(analyzed / "state_space.npz"),
        spectrum=artifacts.read_arrays(analyzed / "spectrum.npz"),
        weights=artifacts.read_arrays(analyzed / "weights.npz"),
        opened={stem: artifacts.read_arrays(analyzed / f"{stem}.npz") for stem in OPENED},
        evaluation=evaluation,
        analysis=artifacts.read_json(artifacts.metrics_path("analyze", task, root)),
    )
