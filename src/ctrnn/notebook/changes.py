"""A changed network is a new one: weights, parameters or wiring replaced, units lesioned."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Int

from ctrnn.dynamics.models import models
from ctrnn.errors import UserError, nearest, shown
from ctrnn.network import Network
from ctrnn.network.settings import range_of

OF_WIRING = ("mask", "sign")


class NotebookError(UserError, ValueError):
    """There is no such network or no checkout here, or a network is given what it cannot run."""


def units_of(units: Any, n_units: int) -> Int[np.ndarray, " chosen"]:
    """Numbers of the units that a number, a list of numbers, a slice or a mask [unit] chooses, in its order.

    Raises NotebookError where it is none of these for a network of so many units, or names a unit twice.
    """
    try:
        key = units if isinstance(units, slice) else np.array(units)
        chosen = np.atleast_1d(np.arange(n_units)[key])
    except (IndexError, ValueError, TypeError):
        chosen = None
    if chosen is None or chosen.ndim > 1 or len(set(chosen.tolist())) < len(chosen):
        raise NotebookError(
            f"units = {shown(units)} does not choose among {n_units} units; give numbers from 0 to {n_units - 1}, each "
            f"once, or a mask of {n_units} true or false"
        )
    return chosen


def replaced(network: Network, changes: Mapping[str, Any]) -> Network:
    """The network with other weights, parameters of units, `mask` or `sign`; a number stands for all of an array.

    Raises NotebookError where a name, a shape or a number is not allowed.
    """
    wiring, settings = network.wiring, network.wiring.settings
    own = models()[settings.model].parameters
    shapes = {name: np.shape(array) for name, array in network.weights.items()}
    shapes |= dict.fromkeys(("tau", *own), wiring.sign.shape)
    shapes |= {name: np.shape(getattr(wiring, name)) for name in OF_WIRING}
    arrays = {
        name: _array(name, value, shapes, bool if name == "mask" else np.float32)
        for name, value in changes.items()
    }
    for name in arrays.keys() & {"tau", *own}:
        least, most = range_of(own.get(name), settings.dt, settings.dt)
        if (arrays[name] < np.float32(least)).any() or (arrays[name] > np.float32(most)).any():
            raise NotebookError(
                f"{name} has numbers that are not from {least:g} to {most:g}; give others"
            )
    if "sign" in arrays and (np.abs(arrays["sign"]) != 1).any():
        raise NotebookError("sign has numbers that are neither 1 nor -1; give 1 or -1 of each unit")
    parts: dict[str, Any] = {name: arrays.pop(name) for name in OF_WIRING if name in arrays}
    wiring = dataclasses.replace(wiring, **parts) if parts else wiring
    if "W_rec" in arrays and (off := np.count_nonzero(arrays["W_rec"][~wiring.mask])):
        raise NotebookError(
            f"W_rec has {off} weights where there is no synapse; give 0 there, or a mask that has these synapses"
        )
    return Network(wiring, {**network.weights, **arrays})


def _array(name: str, value: Any, shapes: Mapping[str, tuple[int, ...]], kind: type) -> np.ndarray:
    """A new value of the array of this name."""
    if name == "W_eff":
        raise NotebookError("W_eff follows from W_rec, mask and sign; give W_rec as it is trained")
    if name not in shapes:
        raise NotebookError(
            f"{name} is nothing of a network that can be replaced; {nearest(name, shapes)}"
        )
    try:
        array: np.ndarray = np.array(value, kind)
        made = np.broadcast_to(array, shapes[name]).copy() if array.ndim == 0 else array
    except (ValueError, TypeError):
        raise NotebookError(
            f"{name} = {shown(value)} is no array of numbers; give {list(shapes[name])}"
        ) from None
    if made.shape != shapes[name]:
        raise NotebookError(
            f"{name} has shape {list(made.shape)}; give {list(shapes[name])}, or one number for all"
        )
    if not np.isfinite(made).all():
        raise NotebookError(f"{name} has numbers that are not finite; give others")
    return made
