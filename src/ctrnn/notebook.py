"""For notebooks: a trained network that runs in one line, and the runs as a table. No stage imports this."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from ctrnn import params
from ctrnn.core import artifacts, rng
from ctrnn.core.artifacts import ArtifactError
from ctrnn.errors import ParamsError, UserError, format_validation_error
from ctrnn.evaluation import by_output
from ctrnn.network import Activity, Backend, Network, Trials, get_backend, read_with_settings
from ctrnn.params import memory
from ctrnn.tasks import TASKS, Batch, Task, trial_table
from ctrnn.tracking import reading
from ctrnn.training.settings import TrainSettings


class NotebookError(UserError, ValueError):
    """There is no such network or no checkout here, or a network is given what it cannot run."""


@dataclass(frozen=True)
class NewTrials(Batch):
    """Trials of a task whose settings may differ from those of training; it scores them."""

    task: Task[Any]


@dataclass(frozen=True)
class Model:
    """A trained network with its task. settings: sections of params.yaml, and `training`, how its training ended."""

    network: Network
    task: Task[Any]
    settings: dict[str, Any]
    backend: Backend

    def __repr__(self) -> str:
        """What it is, in a few lines."""
        task, training = self.task, self.settings["training"]
        ended = "converged after" if training["converged"] else "did not converge in"
        return (
            f"Model of {task.name}, network {training['network']}, seed {training['seed']}\n"
            f"{self.network}\n"
            f"inputs: {', '.join(task.channels)}; outputs: {', '.join(task.outputs)}\n"
            f"training {ended} {training['iterations']} iterations; "
            f"{training['validation_accuracy']:.3f} of validation trials correct"
        )

    def trials(self, seed: int = 0, **changes: Any) -> NewTrials:
        """New trials, balanced over conditions. changes: settings of the task that differ from those of training.

        `test_trials` is their number. Trials are as much longer or shorter as the changes make them, unless T is given.
        Raises ParamsError where a setting is not allowed, or asks for more than the memory of this machine.
        """
        settings = self.task.settings
        try:
            task = self.task.with_settings(settings.varied(**changes))
        except ValidationError as error:
            where = f"tasks.{self.task.name}"
            sentence = format_validation_error(error, type(settings), where, params.every_key())
            raise ParamsError(sentence) from None
        memory.check_task(task)
        batch = task.render(trial_table(task, "test", seed))
        return NewTrials(batch.inputs, batch.targets, batch.mask, batch.conditions, task)

    def run(self, trials: Any = None, seed: int | None = 0, **unknown: Any) -> Activity:
        """Rates [time, trial, unit] and outputs [time, trial, output] on trials, as `trials` and read_test give them.

        seed: of the network's noise; None: no noise. Raises NotebookError where what is given is something else.
        """
        if unknown:
            raise NotebookError(
                f"run takes no {', '.join(unknown)}; give trials and seed. A network starts at x = 0"
            )
        if not isinstance(trials, Batch):
            raise NotebookError(
                f"run takes trials, not {type(trials).__name__}; give model.trials(), and for inputs of your own "
                "dataclasses.replace(trials, inputs=...) with [time, trial, channel]"
            )
        shape, channels = np.shape(trials.inputs), self.task.channels
        if len(shape) != 3 or shape[2] != len(channels):
            raise NotebookError(
                f"the inputs have shape {list(shape)}; give [time, trial, channel] with the {len(channels)} channels "
                f"{', '.join(channels)}"
            )
        noise = None if seed is None else rng.key(seed, "notebook")
        inputs = np.asarray(trials.inputs, np.float32)
        return self.backend.activity([self.network], [Trials(inputs, noise)])[0]

    def outcomes(self, trials: Batch, seed: int | None = 0) -> pd.DataFrame:
        """A row per trial: condition, `response` (mean output in the response window), `choice`, `correct`.

        Of several outputs, response_<output> and choice_<output>. The response window is that of the settings that
        `trials` was given, of other trials that of training. Raises NotebookError where inputs end before it does.
        """
        outputs = self.run(trials, seed).outputs
        task = trials.task if isinstance(trials, NewTrials) else self.task
        end = task.steps.window.stop
        if len(outputs) < end:
            raise NotebookError(
                f"the inputs have {len(outputs)} steps, and the response window of {task.name} ends with step {end}; "
                "give trials as long as that"
            )
        score = task.score(outputs, trials.conditions)
        return trials.conditions.assign(
            **by_output("response", score.response, task.outputs),
            **by_output("choice", score.choice, task.outputs),
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
        path = reading.file(str(where), f"weights/{name}", temporary, checkout())
        try:
            return _model(path)
        except ArtifactError as error:
            raise NotebookError(
                f"weights/{name} of run {where} {error.fault}; load the network from artifacts/train, or delete the "
                "run and publish its results again with make publish"
            ) from None


def runs() -> pd.DataFrame:
    """The finished runs of this checkout's store, a row each: settings and metrics; see `reading.table`."""
    root = checkout()
    experiment = params.read(root / "params.yaml").publish.experiment
    return reading.table(experiment, root)


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
    dt = network.wiring.settings.dt
    native = {"backend": "native", "device": "cpu", "threads": None, "checkpoint_every": 0}
    try:
        task = TASKS[name](params.check_task(name, own), dt)
        train = TrainSettings.model_validate(
            TrainSettings.with_names_of_now(settings["train"]) | native
        )
    except (UserError, KeyError, TypeError, ValidationError) as wrong:
        fault = f"holds settings that this version does not know ({' '.join(str(wrong).split())})"
        raise artifacts.error(path, fault.replace(";", ",")) from None
    if dt != 1 and "coarse_dt" not in settings["train"]:
        fault = f"is from a version whose times were in steps, here of network.dt = {dt:g}, and are in ms now"
        raise artifacts.error(path, fault)
    if (channels, len(network.weights["W_out"])) != (len(task.channels), len(task.outputs)):
        raise artifacts.error(path, f"holds a network that does not fit the task {name}")
    return Model(network, task, settings, get_backend(train))
