"""What a file in `dynamics/models/` says.

A model is a module with these names, in plain Python arithmetic and the functions of `ctrnn.dynamics.functions`:

    STATES                      {name: what it is} of every state variable of a unit, y; the one that the synaptic
                                current drives comes first
    PARAMETERS                  {name: Parameter}, beside dt, tau and sigma, which every model has; may be left out
    start(p)                    {name: value} of the states that do not begin at 0; may be left out
    step(y, r, current, xi, p)  {name: value} of every state one step of dt later, from the states y and the rate r of
                                before, the synaptic current I and the standard normal xi
    rate(y, f, p)               the firing rate r, with the activation f
    transmitted(y, r, p)        what the synapses of the unit carry, s; may be left out: r

with I_i = sum_j W_eff[i, j] s_j + sum_k W_in[i, k] u_k + b_i, from the rates of the step before. Everything else is
derived: the kernel and its gradients, the torch version, the fixed points' equations and the Jacobian.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

GENERAL = ("dt", "tau", "sigma")  # parameters of every model: step, time constant, noise of a step


@dataclass(frozen=True)
class Parameter:
    """A parameter of every unit.

    default: its value; several: units take turns. unit: such as ms or Hz, "1" for none. meaning: in words. at_least,
    at_most: what is allowed; "dt": at least the time step.
    """

    default: float | tuple[float, ...]
    unit: str
    meaning: str
    at_least: float | Literal["dt"] | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Model:
    """A model file, with what it leaves out filled in."""

    name: str
    module: ModuleType

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the state variables."""
        return tuple(self.module.STATES)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """Its own parameters, by name."""
        return getattr(self.module, "PARAMETERS", {})

    def start(self, p: Any) -> dict[str, Any]:
        """The states before the first step."""
        given = self.module.start(p) if hasattr(self.module, "start") else {}
        return {name: given.get(name, 0) for name in self.states}

    def step(self, y: Mapping[str, Any], r: Any, current: Any, xi: Any, p: Any) -> dict[str, Any]:
        """The states after a step."""
        made: dict[str, Any] = self.module.step(SimpleNamespace(**y), r, current, xi, p)
        return {name: made[name] for name in self.states}

    def rate(self, y: Mapping[str, Any], f: Any, p: Any) -> Any:
        """The firing rate, without noise."""
        return self.module.rate(SimpleNamespace(**y), f, p)

    def transmitted(self, y: Mapping[str, Any], r: Any, p: Any) -> Any:
        """What synapses carry."""
        if not hasattr(self.module, "transmitted"):
            return r
        return self.module.transmitted(SimpleNamespace(**y), r, p)
