"""Trained networks, from folders and from runs in MLflow."""

from __future__ import annotations

import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from ctrnn import params
from ctrnn.core import artifacts
from ctrnn.core.artifacts import ArtifactError
from ctrnn.errors import UserError
from ctrnn.network import get_backend, read_with_settings
from ctrnn.notebook.changes import NotebookError
from ctrnn.notebook.model import Model
from ctrnn.notebook.results import checkout
from ctrnn.tasks import TASKS
from ctrnn.tracking import reading
from ctrnn.training.settings import TrainSettings


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
        return _model(path, folder.absolute())
    if not re.fullmatch("[0-9a-f]{32}", str(where)):
        raise NotebookError(
            f"{where} is neither a folder nor the id of a run; give artifacts/train/<task>, or a "
            "run_id of ctrnn.runs()"
        )
    with TemporaryDirectory() as temporary:
        path = reading.file(str(where), f"weights/{name}", temporary, checkout())
        try:
            return _model(path, str(where))
        except ArtifactError as error:
            raise NotebookError(
                f"weights/{name} of run {where} {error.fault}; load the network from artifacts/train, or delete the "
                "run and publish its results again with make publish"
            ) from None


def _model(path: Path, source: Path | str) -> Model:
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
    return Model(network, task, settings, get_backend(train), source)
