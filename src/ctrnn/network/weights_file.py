"""The networks of a population, from their files, which are checked before anything is computed with them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ctrnn.core import artifacts
from ctrnn.dynamics.models import models
from ctrnn.errors import format_validation_error, keys_of
from ctrnn.network.model import WEIGHT_NAMES, Network, from_arrays, of_units, time_constants
from ctrnn.network.settings import NetworkSettings, range_of

KINDS = {
    "network": "trained",
    "initial": "initial",
}  # how the name of a file begins -> `kind` in it
NAME = re.compile(rf"({'|'.join(KINDS)})-(\d+)\.safetensors")


def read_with_settings(path: Path) -> tuple[Network, dict[str, Any]]:
    """A network and its settings, from its safetensors file.

    Raises ArtifactError where the file is damaged or another network's, or where its settings contradict its arrays.
    """
    arrays, settings = artifacts.read_weights(path)
    try:
        network = NetworkSettings.model_validate(settings["network"])
        own = settings["task"]["name"], settings.get("kind"), settings["training"]["network"]
        trained = trained_parameters(settings, network)
    except ValidationError as wrong:
        sentence = format_validation_error(
            wrong, NetworkSettings, "network", keys_of(NetworkSettings, "network")
        ).replace(";", ",")
        raise artifacts.error(path, f"has settings that are not allowed ({sentence})") from None
    except (KeyError, TypeError, AttributeError):
        raise artifacts.error(path, "does not have the settings of a network") from None
    if fault := _fault(arrays, network, trained) or _owner_fault(path, *own):
        raise artifacts.error(path, fault)
    made = from_arrays(arrays, settings["network"], trained)
    if not np.array_equal(made.W_eff, arrays["W_eff"]):
        raise artifacts.error(
            path, "has a W_eff that does not follow from its W_rec, mask and sign"
        )
    return made, settings


def read_network(path: Path) -> Network:
    """A network from its safetensors file. Raises ArtifactError as `read_with_settings` does."""
    return read_with_settings(path)[0]


def read_population(folder: Path, n_networks: int, stem: str = "network") -> list[Network]:
    """Networks 0 .. n_networks - 1: as trained (stem "network"), or as they started ("initial")."""
    return [read_network(folder / f"{stem}-{i}.safetensors") for i in range(n_networks)]


def trained_parameters(settings: Mapping[str, Any], network: NetworkSettings) -> list[str]:
    """Parameters that were trained, by the `train.trainable` of a weights file; none in a file without it."""
    trainable = settings.get("train", {}).get("trainable", {})
    named = ["tau"] if trainable.get("tau") else []
    return [
        *named,
        *(name for name in network.parameters if name in trainable.get("parameters", [])),
    ]


def _fault(
    arrays: Mapping[str, np.ndarray], settings: NetworkSettings, trained: Collection[str]
) -> str | None:
    """What is wrong with the arrays of a network of these settings, some parameters of which were trained."""
    n = settings.n_units
    own = tuple(settings.parameters)
    missing = [
        name for name in (*WEIGHT_NAMES, "W_eff", "mask", "sign", "tau", *own) if name not in arrays
    ]
    if missing:
        return f"does not have the array {missing[0]}"
    channels, outputs = max(arrays["W_in"].size // n, 1), max(arrays["b_out"].size, 1)
    shapes = {
        "W_in": (n, channels),
        "W_out": (outputs, n),
        "b_out": (outputs,),
        **dict.fromkeys(("W_rec", "W_eff", "mask"), (n, n)),
        **dict.fromkeys(("b_rec", "sign", "tau", *own), (n,)),
    }
    for name, shape in shapes.items():
        array, kind = arrays[name], np.dtype(bool if name == "mask" else np.float32)
        if array.shape != shape or array.dtype != kind:
            return f"has {name} as {array.dtype} {array.shape}, and by network.n_units = {n} it is {kind} {shape}"
        if not np.isfinite(array).all():
            return f"has numbers in {name} that are not finite"
    if (np.abs(arrays["sign"]) != 1).any():
        return "has numbers in sign that are neither 1 nor -1"
    with np.errstate(over="ignore"):
        tau = time_constants(settings, arrays["sign"])
    parameters = models()[settings.model].parameters
    for name in trained:
        least, most = range_of(parameters.get(name), settings.dt, settings.dt)
        if (arrays[name] < np.float32(least)).any() or (arrays[name] > np.float32(most)).any():
            return f"has numbers in {name} that are not from {least:g} to {most:g}"
    if "tau" not in trained and (arrays["tau"] != tau).any():
        return f"has time constants that contradict network.tau = {settings.tau:g} in it"
    for name, value in settings.parameters.items():
        given = of_units(value, arrays["sign"]).astype(np.float32)
        if name not in trained and (arrays[name] != given).any():
            return f"has numbers in {name} that contradict network.parameters.{name} in it"
    return None


def _owner_fault(path: Path, task: object, kind: object, index: object) -> str | None:
    """Whose file it is, where its name or folder says another. kind: None in files from before it was written."""
    name = NAME.fullmatch(path.name)
    if name and (KINDS[name[1]], int(name[2])) != (kind or KINDS[name[1]], index):
        return f"holds the {kind or KINDS[name[1]]} network {index} of {task}"
    folder = path.absolute().parts[-4:-1]
    if folder[:2] == ("artifacts", "train") and folder[2] != task:
        return f"holds a network of {task}"
    return None
