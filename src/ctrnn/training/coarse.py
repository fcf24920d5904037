"""The coarse time step that training begins at: early on, a network needs no fine time, and fewer steps take less."""

from __future__ import annotations

import math
from typing import Any

from ctrnn.core.config import duration, steps
from ctrnn.dynamics.models import models
from ctrnn.errors import ParamsError
from ctrnn.network.settings import NetworkSettings, numbers_of
from ctrnn.tasks import Task
from ctrnn.training.settings import TrainSettings

COARSEST = 0.25  # dt / tau of the fastest units, at most
SHORTEST = 2  # steps of the shortest time, at least
FEWER = 2  # times fewer steps than at the network's own time step, at least


def coarse_step(task: Task[Any], network: NetworkSettings, train: TrainSettings) -> float | None:
    """The time step that a network is trained at first, by `train.coarse_dt`.

    Where it is `auto`, the longest decimal number of which every time of the task and of its curriculum is a whole
    number of steps, at least `SHORTEST`, and that is at least `FEWER` times network.dt and at most `COARSEST` of the
    fastest time constant.

    Args:
        task: At the network's own time step.
        network: Section `network`.
        train: Section `train`.

    Returns:
        ms; None where training begins at the network's own time step.

    Raises:
        ParamsError: train.coarse_dt is a number that cannot be.

    """
    chosen, where = train.coarse_dt, f"tasks.{task.name}"
    if chosen is None:
        return None
    stages = [task.settings, *(task.settings.at(step) for step in task.settings.curriculum)]
    fastest = min(time_constants(network))
    if chosen != "auto":
        if not network.dt < chosen <= fastest:
            raise ParamsError(
                f"train.coarse_dt = {chosen:g} ms is not between network.dt = {network.dt:g} ms and the shortest time "
                f"constant of network, {fastest:g} ms; give a number between them, auto, or null"
            )
        for stage in stages:
            stage.times_in_steps(chosen, where, "train.coarse_dt")
        return chosen
    times = [n for s in stages for n in s.times_in_steps(network.dt, where).values() if n]
    most = min(COARSEST * fastest, min(times) * network.dt / SHORTEST)
    whole = duration(math.gcd(*times), network.dt)
    parts = range(math.ceil(whole / most), math.floor(whole / (FEWER * network.dt)) + 1)
    return next((whole / n for n in parts if steps(whole, whole / n) == n), None)


def time_constants(network: NetworkSettings) -> list[float]:
    """Every time constant of a network, ms: of its units, and of the other states of its model."""
    parameters = models()[network.model].parameters
    own = [
        number
        for name, value in network.parameters.items()
        if parameters[name].at_least == "dt"
        for number in numbers_of(value)
    ]
    return [network.tau, *([] if network.tau_inh is None else [network.tau_inh]), *own]
