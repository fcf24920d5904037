"""A network run from any state, with noise of one's own, and with interventions while it runs.

This is a plain loop in float64 over the functions that the analyses use (`ctrnn.analysis.dynamics`). The kernel is in
float32: from the state in which networks start, both agree to rounding.

Step k of a trial goes from k dt to (k + 1) dt, and rates, outputs and states have what it ends with at place k. An
intervention from `start` to `end` acts on the steps between them, so on the places start / dt up to, but not with,
end / dt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Float

from ctrnn.analysis.dynamics import Dynamics
from ctrnn.core.artifacts import locked
from ctrnn.errors import nearest, shown
from ctrnn.network import Activity
from ctrnn.notebook.changes import NotebookError, units_of
from ctrnn.tasks.settings import whole_steps

Normals = tuple[Float[np.ndarray, "time trial unit"], Float[np.ndarray, "time trial unit"]]


@dataclass(frozen=True)
class Trajectory(Activity):
    """What a network did: rates [time, trial, unit], outputs [time, trial, output] and states [time, trial, state].

    A state is that of all units: of a model with several state variables these one after the other, as in
    fixed_points.npz. names: of the state variables. rates hold the noise on rates.
    """

    names: tuple[str, ...]
    make_states: Callable[[], np.ndarray] = field(repr=False)

    @cached_property
    def states(self) -> Float[np.ndarray, "time trial state"]:
        """The state after every step, in float64; computed when it is first asked for."""
        return locked(self.make_states())

    def state(self, name: str) -> Float[np.ndarray, "time trial unit"]:
        """One state variable of every unit, such as `x`. Raises NotebookError where the model has no such one."""
        if name not in self.names:
            raise NotebookError(f"{name} is no state of a unit; {nearest(name, self.names)}")
        return np.split(self.states, len(self.names), axis=-1)[self.names.index(name)]

    def __reduce__(self) -> tuple[Any, ...]:
        """With its states, so that another process can have it."""
        states = partial(np.asarray, self.states)
        return Trajectory, (self.rates, self.outputs, self.names, states)

    def __repr__(self) -> str:
        """Shapes."""
        steps, trials, units = self.rates.shape
        return (
            f"{steps} steps of {trials} trials: rates [time, trial, {units} units], outputs [time, trial, "
            f"{self.outputs.shape[2]} outputs], states [time, trial, {units} x ({', '.join(self.names)})]"
        )


@dataclass(frozen=True)
class Current:
    """A current into units, beside what they get from synapses and inputs.

    units: numbers of units, or a mask [unit]. amount: in the unit of x: a number, or [unit] or [trial, unit] of these
    units. start, end: ms; None: to the end of the trial.
    """

    units: Any
    amount: Any
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Clamp:
    """Units whose firing rate is held at a value, whatever their state; 0 silences them.

    rate: a number, or [unit] or [trial, unit] of these units. units, start, end: as those of a `Current`.
    """

    units: Any
    rate: Any
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Displacement:
    """A displacement of the state, just before the step that begins at a time.

    by: what is added, [state] or [trial, state]. at: ms.
    """

    by: Any
    at: float = 0.0


def simulate(
    dynamics: Dynamics,
    inputs: Float[np.ndarray, "time trial channel"],
    x0: Float[np.ndarray, "trial state"] | None = None,
    normals: Normals | None = None,
    perturb: Any = (),
) -> tuple[Float[np.ndarray, "time trial state"], Float[np.ndarray, "time trial unit"]]:
    """Run a network step by step, in float64.

    A clamp from 0 also holds the rate from which the first step starts.

    Args:
        dynamics: Of the network.
        inputs: What it sees; each makes one step.
        x0: The state before the first step; None for the model's.
        normals: Standard normals of the noise on the current and on rates; None for no noise.
        perturb: Interventions, or one.

    Returns:
        States and rates after every step.

    Raises:
        NotebookError: An intervention does not fit the network or the trials.
        ParamsError: A time is no whole number of steps.
    """
    steps, trials = inputs.shape[:2]
    n, dt = len(dynamics.W), dynamics.dt
    drive = dynamics.drive(inputs.astype(np.float64))
    clamps: list[tuple[slice, np.ndarray, np.ndarray]] = []
    displaced: list[tuple[int, np.ndarray]] = []
    for what in perturb if isinstance(perturb, Iterable) else [perturb]:
        kind = type(what).__name__
        if isinstance(what, Current | Clamp):
            units, span = units_of(what.units, n), _span(kind, what.start, what.end, steps, dt)
            if isinstance(what, Current):
                amount = _fitted(f"{kind}.amount", what.amount, (trials, len(units)))
                drive[span, :, units] += amount
            else:
                rate = _fitted(f"{kind}.rate", what.rate, (trials, len(units)))
                clamps.append((span, units, rate))
        elif isinstance(what, Displacement):
            first = _span(kind, what.at, None, steps, dt, "at").start
            displaced.append((first, _fitted(f"{kind}.by", what.by, (trials, dynamics.size))))
        else:
            raise NotebookError(
                f"perturb holds a {kind}; give a list of ctrnn.Current, ctrnn.Clamp and ctrnn.Displacement"
            )

    xi, eta = (None, None) if normals is None else normals

    def rates_of(x: np.ndarray, place: int) -> np.ndarray:
        r = dynamics.rates(x)
        if eta is not None and place >= 0:
            r = r + dynamics.sigma_post * eta[place]
        for span, units, rate in clamps:
            if span.start <= max(place, 0) < span.stop:
                r[:, units] = rate
        return r

    x = np.tile(dynamics.start, (trials, 1)) if x0 is None else x0
    r = rates_of(x, -1)
    states, rates = np.empty((steps, trials, dynamics.size)), np.empty((steps, trials, n))
    for t in range(steps):
        for first, by in displaced:
            if first == t:
                x = x + by
                r = rates_of(x, t - 1)
        x = x + dynamics.alpha * dynamics.velocity(x, drive[t], r)
        if xi is not None:
            x[:, :n] += dynamics.parameters["sigma"] * xi[t]
        r = rates_of(x, t)
        states[t], rates[t] = x, r
    return states, rates


def _span(
    kind: str, start: float, end: float | None, steps: int, dt: float, key: str = "start"
) -> slice:
    """The steps from a time to a time, both in ms."""
    stop = steps * dt if end is None else end
    if not 0 <= start < stop <= steps * dt:
        until = "" if key == "at" else f" to end = {stop:g} ms"
        raise NotebookError(
            f"{kind}.{key} = {start:g} ms{until} is no part of a trial of {steps * dt:g} ms; give times in it, the "
            "earlier one first"
        )
    return slice(whole_steps(start, dt, f"{kind}.{key}"), whole_steps(stop, dt, f"{kind}.end"))


def _fitted(name: str, value: Any, shape: tuple[int, int]) -> Float[np.ndarray, "trial any"]:
    """A number, or an array over the last or both axes, in this shape."""
    try:
        array = np.broadcast_to(np.asarray(value, np.float64), shape)
    except (ValueError, TypeError):
        raise NotebookError(
            f"{name} = {shown(value)} is not allowed; give a number, or an array [{shape[1]}] or {list(shape)}"
        ) from None
    if not np.isfinite(array).all():
        raise NotebookError(f"{name} has numbers that are not finite; give others")
    return array
