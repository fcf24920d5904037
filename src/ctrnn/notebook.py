"""For notebooks: a trained network that runs in one line, and the runs as a table. No stage imports this."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from pydantic import ValidationError

from ctrnn import artifacts, params, streams, tracking
from ctrnn.artifacts import ArtifactError
from ctrnn.complaints import Complaint
from ctrnn.evaluation.performance import by_output
from ctrnn.network import Activity, Backend, Network, Trials, get_backend, read_with_settings
from ctrnn.params import TrainSettings
from ctrnn.tasks import TASKS, Batch, Task, trial_table


class NotebookError(Complaint, ValueError):
    """There is no such network, or no checkout here."""


@dataclass(frozen=True)
class Model:
    """A trained network with its task. settings: sections of params.yaml, and `training`, how its training ended."""

    network: Network
    task: Task[Any]
    settings: dict[str, Any]
    backend: Backend

    def trials(self, seed: int = 0, **changes: Any) -> Batch:
        """New trials, balanced over conditions. changes: settings of the task that differ from those of training.

        `test_trials` is their number. Raises ParamsError where a setting is not allowed.
        """
        name = self.task.name
        settings = params.check_task(name, {**self.task.settings.model_dump(), **changes})
        task = TASKS[name](settings)
        return task.render(trial_table(task, "test", seed))

    def run(self, trials: Batch, seed: int | None = 0) -> Activity:
        """Rates [time, trial, unit] and outputs [time, trial, output]. seed: of the network's noise; None: no noise."""
        noise = None if seed is None else streams.key(seed, "notebook")
        return self.backend.activity([self.network], [Trials(trials.inputs, noise)])[0]

    def outcomes(self, trials: Batch, seed: int | None = 0) -> pd.DataFrame:
        """A row per trial: condition, `response` (mean output in the response window), `choice`, `correct`.

        Of several outputs, response_<output> and choice_<output>.
        """
        score = self.task.score(self.run(trials, seed).outputs, trials.conditions)
        return trials.conditions.assign(
            **by_output("response", score.response, self.task.outputs),
            **by_output("choice", score.choice, self.task.outputs),
            correct=score.correct,
        )


def load(where: str | Path, index: int = 0) -> Model:
    """A trained network of a population, from a folder such as artifacts/train/mante, or from an MLflow run's id.

    index: which network, from 0. Raises NotebookError where there is none, ArtifactError where its file is damaged or
    another's, TrackingError where the store fails.
    """
    name = f"network-{index}.safetensors"
    folder = Path(where)
    if os.path.isdir(folder):  # noqa: PTH112 - false, also of a text that cannot be a path
        path = folder / name
        if not os.path.lexists(path):
            raise NotebookError(
                f"{path} does not exist; give a folder below artifacts/train and the index of a "
                "network in it, or run dvc checkout first"
            )
        return _model(path)
    if not re.fullmatch("[0-9a-f]{32}", str(where)):
        raise NotebookError(
            f"{where} is neither a folder nor the id of a run; give artifacts/train/<task>, or a "
            "run_id of ctrnn.runs()"
        )
    with TemporaryDirectory() as temporary:
        path = tracking.reading.file(str(where), f"weights/{name}", temporary, checkout())
        try:
            return _model(path)
        except ArtifactError as error:
            raise NotebookError(
                f"weights/{name} of run {where} {error.fault}; load the network from artifacts/train, or delete the "
                "run and publish its results again with make publish"
            ) from None


def runs() -> pd.DataFrame:
    """The finished runs of this checkout's store, a row each: settings and metrics; see `tracking.reading.table`."""
    root = checkout()
    experiment = params.load(root / "params.yaml").publish.experiment
    return tracking.reading.table(experiment, root)


def checkout() -> Path:
    """The checkout that the current folder lies in: a notebook may be anywhere below it."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").exists() and (folder / "params.yaml").exists():
            return folder
    raise NotebookError(f"{here} is not in a checkout; start the notebook in one, or use os.chdir")


def _model(path: Path) -> Model:
    network, settings = read_with_settings(path)
    name, channels = settings["task"]["name"], network.weights["W_in"].shape[1]
    own = {key: value for key, value in settings["task"].items() if key != "name"}
    native = {"backend": "native", "device": "cpu", "threads": None, "checkpoint_every": 0}
    try:
        task = TASKS[name](params.check_task(name, own))
        train = TrainSettings.model_validate(settings["train"] | native)
    except (Complaint, KeyError, TypeError, ValidationError) as wrong:
        fault = f"holds settings that this version does not know ({' '.join(str(wrong).split())})"
        raise artifacts.error(path, fault.replace(";", ",")) from None
    if (channels, len(network.weights["W_out"])) != (len(task.channels), len(task.outputs)):
        raise artifacts.error(path, f"holds a network that does not fit the task {name}")
    return Model(network, task, settings, get_backend(train))
