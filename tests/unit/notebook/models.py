"""Untrained networks as a notebook has them, of every model of a unit and activation."""

from __future__ import annotations

from functools import cache
from itertools import cycle
from typing import Any

import numpy as np
import pytest

from ctrnn import network, tasks
from ctrnn.dynamics.activations import ACTIVATIONS
from ctrnn.dynamics.models import models
from ctrnn.notebook import Model
from tests.settings import settings

EVERY = pytest.mark.parametrize(
    ("model", "activation"), [(model, f) for model in models() for f in ACTIVATIONS]
)
# For what does not ask for the activation: it is another one in each model.
EACH_MODEL = pytest.mark.parametrize(
    ("model", "activation"), list(zip(models(), cycle(("relu", "sigmoid", "tanh"))))
)
UNITS, STEPS, TRIALS = 12, 40, 5


@cache
def model_of(task: str = "dmts", **changes: Any) -> Model:
    """A network of twelve units; changes: settings of section `network`."""
    small = settings(**{f"network__{key}": value for key, value in changes.items()})
    own = small.network.model_copy(update={"n_units": UNITS})
    made = tasks.get_task(task, small.tasks, own.dt)
    training = {
        "network": 0,
        "seed": 1,
        "converged": False,
        "iterations": 0,
        "validation_accuracy": 0.0,
    }
    return Model(
        network.initialise(own, len(made.channels), len(made.outputs), seed=1),
        made,
        {"training": training},
        network.get_backend(small.train),
    )


def inputs_of(model: Model, steps: int = STEPS, trials: int = TRIALS) -> np.ndarray:
    """Inputs of one's own."""
    shape = (steps, trials, len(model.task.channels))
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)
