"""What a notebook gives, in the shape in which it is computed with, or one sentence on what to give."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from ctrnn.core import rng
from ctrnn.errors import nearest, shown
from ctrnn.notebook.changes import NotebookError
from ctrnn.notebook.interventions import Normals
from ctrnn.tasks import Batch, ConstantInput, Task


def inputs_of(trials: Any, task: Task[Any]) -> Float[np.ndarray, "time trial channel"]:
    """The inputs of trials, or inputs of one's own, in float32."""
    channels = task.channels
    own = f"[time, trial, channel] with the {len(channels)} channels {', '.join(channels)}"
    if not isinstance(trials, Batch | np.ndarray | list):
        raise NotebookError(
            f"there are no trials or inputs in a {type(trials).__name__}; give model.trials(), or {own}"
        )
    given = trials.inputs if isinstance(trials, Batch) else trials
    try:
        inputs = np.asarray(given, np.float32)
    except (ValueError, TypeError):
        raise NotebookError(f"the inputs are no array of numbers; give {own}") from None
    if inputs.ndim != 3 or inputs.shape[2] != len(channels) or not inputs.size:
        raise NotebookError(f"the inputs have shape {list(inputs.shape)}; give {own}")
    if not np.isfinite(inputs).all():
        raise NotebookError("the inputs have numbers that are not finite; give others")
    return inputs


def constant_input(inputs: Any, task: Task[Any]) -> ConstantInput:
    """The constant input of this name or with these values; None is no input."""
    channels = task.channels
    by_name = {constant.name: constant for constant in task.constant_inputs()}
    if isinstance(inputs, str):
        if inputs not in by_name:
            raise NotebookError(
                f"{inputs} is no constant input of {task.name}; {nearest(inputs, by_name)}"
            )
        return by_name[inputs]
    values = _numbers(np.zeros(len(channels)) if inputs is None else inputs)
    if values.shape != (len(channels),) or not np.isfinite(values).all():
        raise NotebookError(
            f"the constant input has shape {list(values.shape)}; give [channel], a finite number for each of "
            f"{', '.join(channels)}, or one of the names {', '.join(by_name)}"
        )
    return ConstantInput("own", tuple(values.tolist()))


def states_of(
    states: Any, name: str, size: int, variables: tuple[str, ...]
) -> Float[np.ndarray, "*any state"]:
    """States of a network with these state variables of a unit, in float64; `name`: what was given."""
    array = _numbers(states)
    if not array.ndim or array.shape[-1] != size or not np.isfinite(array).all():
        raise NotebookError(
            f"{name} has shape {list(array.shape)}; give [..., state] with {size} finite numbers, "
            f"{', '.join(variables)} of {size // len(variables)} units"
        )
    return array


def start_of(
    x0: Any, trials: int, size: int, variables: tuple[str, ...]
) -> Float[np.ndarray, "trial state"]:
    """A state for every trial."""
    state = states_of(x0, "x0", size, variables)
    if state.shape[:-1] not in ((), (trials,)):
        raise NotebookError(
            f"x0 has shape {list(state.shape)}; give [state], or [trial, state] of {trials} trials"
        )
    return np.broadcast_to(state, (trials, size))


def noise_of(
    seed: int | None, noise: Any, shape: tuple[int, int, int]
) -> tuple[int | None, Normals | None]:
    """The key of the noise, or the normals that were given; neither for no noise."""
    if noise is True or noise is False or noise is None:
        noise = seed if noise else None
    if noise is None or isinstance(noise, int | np.integer):
        return None if noise is None else rng.key(int(noise), "notebook"), None
    pair = noise if isinstance(noise, tuple) else (noise, np.zeros(shape))
    arrays = [_numbers(part) for part in pair]
    if len(pair) == 2 and all(array.shape == shape for array in arrays):
        if not all(np.isfinite(array).all() for array in arrays):
            raise NotebookError("noise has numbers that are not finite; give standard normals")
        return None, (np.asarray(pair[0]), np.asarray(pair[1]))
    what = f"of shape {list(arrays[0].shape)}" if arrays[0].ndim else f"= {shown(noise)}"
    raise NotebookError(
        f"noise {what} is not allowed; give a seed, None, or standard normals [time, trial, unit], here "
        f"{list(shape)}, or a pair of them"
    )


def _numbers(values: Any) -> np.ndarray:
    """An array in float64; one without axes where there are no numbers."""
    try:
        return np.asarray(values, np.float64)
    except (ValueError, TypeError):
        return np.array(np.nan)
