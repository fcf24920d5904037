"""Spike-frequency adaptation: a slow current w follows the firing rate and is taken from the input.

A linear form of the adaptation of Benda & Herz (2003, Neural Comput 15:2523).
"""

from __future__ import annotations

from typing import Any

from ctrnn.dynamics.model import Parameter

STATES = {"x": "input current", "w": "adaptation current"}
PARAMETERS = {
    "tau_w": Parameter(200.0, "ms", "time constant of the adaptation current", at_least="dt"),
    "g_w": Parameter(1.0, "1", "adaptation current of a unit that fires at rate 1", at_least=0.0),
}


def step(y: Any, r: Any, current: Any, xi: Any, p: Any) -> dict[str, Any]:
    """tau dx/dt = -x + I - g_w w, with noise; tau_w dw/dt = -w + r."""
    a = p.dt / p.tau
    return {
        "x": (1 - a) * y.x + a * (current - p.g_w * y.w) + p.sigma * xi,
        "w": y.w + p.dt / p.tau_w * (r - y.w),
    }


def rate(y: Any, f: Any, p: Any) -> Any:
    """r = f(x)."""
    return f(y.x)
