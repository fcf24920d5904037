"""Rate units: the input current x follows what it gets, the firing rate is f(x).

Equation 1 of Song, Yang & Wang (2016, PLoS Comput Biol 12:e1004792), in Euler steps.
"""

from __future__ import annotations

from typing import Any

STATES = {"x": "input current"}


def step(y: Any, r: Any, current: Any, xi: Any, p: Any) -> dict[str, Any]:
    """tau dx/dt = -x + I, with noise."""
    a = p.dt / p.tau
    return {"x": (1 - a) * y.x + a * current + p.sigma * xi}


def rate(y: Any, f: Any, p: Any) -> Any:
    """r = f(x)."""
    return f(y.x)
