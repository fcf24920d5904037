"""Short-term plasticity: a unit's synapses facilitate (u) and depress (d) with its own firing.

Tsodyks & Markram (1997, PNAS 94:719), in the form of Mongillo, Barak & Tsodyks (2008, Science 319:1543), as Masse et
al. (2019, Nat Neurosci 22:1159) use it in networks that are trained: units take turns to facilitate (slow u, fast d)
and to depress (fast u, slow d).
"""

from __future__ import annotations

from typing import Any

from ctrnn.dynamics.model import Parameter

STATES = {
    "x": "input current",
    "u": "release probability",
    "d": "share of transmitter that is there",
}
PARAMETERS = {
    "tau_u": Parameter((1500.0, 200.0), "ms", "time constant of facilitation", at_least="dt"),
    "tau_d": Parameter((200.0, 1500.0), "ms", "time constant of depression", at_least="dt"),
    "U": Parameter((0.15, 0.45), "1", "release probability at rest", at_least=0.0, at_most=1.0),
    "r_max": Parameter(
        20.0, "Hz", "firing rate that r = 1 stands for", at_least=0.0, at_most=1000.0
    ),
}


def start(p: Any) -> dict[str, Any]:
    """At rest."""
    return {"u": p.U, "d": 1}


def step(y: Any, r: Any, current: Any, xi: Any, p: Any) -> dict[str, Any]:
    """tau dx/dt = -x + I, with noise; du/dt = (U - u) / tau_u + U (1 - u) r; dd/dt = (1 - d) / tau_d - u d r."""
    a, spikes = p.dt / p.tau, p.dt * p.r_max / 1000 * r
    return {
        "x": (1 - a) * y.x + a * current + p.sigma * xi,
        "u": y.u + p.dt / p.tau_u * (p.U - y.u) + p.U * spikes * (1 - y.u),
        "d": y.d + p.dt / p.tau_d * (1 - y.d) - spikes * y.u * y.d,
    }


def rate(y: Any, f: Any, p: Any) -> Any:
    """r = f(x)."""
    return f(y.x)


def transmitted(y: Any, r: Any, p: Any) -> Any:
    """s = u d r."""
    return y.u * y.d * r
