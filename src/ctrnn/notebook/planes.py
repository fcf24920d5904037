"""A plane of state space, and where the state of a network moves in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ctrnn.analysis.dynamics import Dynamics
from ctrnn.notebook.changes import NotebookError

MARGIN = 0.1  # on either side of the states that a plane is laid through, of their range


@dataclass(frozen=True)
class Plane:
    """A rectangle in a plane of state space: the states origin + a axes[0] + b axes[1].

    axes: of length 1, at right angles. low, high: the least and largest (a, b).
    """

    origin: Float[np.ndarray, " state"]
    axes: Float[np.ndarray, "2 state"]
    low: tuple[float, float]
    high: tuple[float, float]

    def __post_init__(self) -> None:
        if not np.allclose(self.axes @ self.axes.T, np.eye(2)):
            raise NotebookError(
                "the axes of a plane are not at right angles and of length 1; give orthonormal ones, such as two rows "
                "of np.eye(state) or of np.linalg.qr(...)"
            )

    @classmethod
    def through(cls, states: Any) -> Plane:
        """The plane of the first two principal components of states [..., state], as large as these reach in it."""
        array = np.asarray(states, np.float64)
        rows = array.reshape(-1, array.shape[-1])
        if len(rows) < 3 or rows.shape[1] < 2 or not np.isfinite(rows).all():
            raise NotebookError(
                f"a plane is laid through states, and not through {list(array.shape)}; give [..., state] with at least "
                "three finite states of at least two numbers"
            )
        origin = rows.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov(rows - origin, rowvar=False))
        axes = vectors[:, np.argsort(-values)[:2]].T
        axes = axes * np.where(axes.sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
        reached = (rows - origin) @ axes.T
        low, high = reached.min(axis=0), reached.max(axis=0)
        room = MARGIN * (high - low)
        return cls(origin, axes, tuple(low - room), tuple(high + room))

    def project(self, states: Float[np.ndarray, "*any state"]) -> Float[np.ndarray, "*any 2"]:
        """(a, b) of states, along the axes."""
        places: np.ndarray = (states - self.origin) @ self.axes.T
        return places

    def grid(self, n: int) -> tuple[Float[np.ndarray, "n n 2"], Float[np.ndarray, "n n state"]]:
        """n x n places (a, b) and their states; a grows along the second axis, as matplotlib's x does."""
        a, b = (np.linspace(low, high, n) for low, high in zip(self.low, self.high, strict=True))
        places = np.stack(np.meshgrid(a, b), axis=-1)
        return places, self.origin + places @ self.axes


@dataclass(frozen=True)
class Flow:
    """Where the state moves, at places of a plane; matplotlib's `streamplot(flow.a, flow.b, *flow.velocity)` draws it.

    a, b: along the axes of the plane. velocity: that of the state along either axis, per ms, b first among the places.
    speed: of the whole state, per ms, which may point out of the plane.
    """

    plane: Plane
    a: Float[np.ndarray, " a"]
    b: Float[np.ndarray, " b"]
    velocity: Float[np.ndarray, "2 b a"]
    speed: Float[np.ndarray, "b a"]


def flow(dynamics: Dynamics, plane: Plane, inputs: Float[np.ndarray, " channel"], n: int) -> Flow:
    """Velocities dx/dt under a constant input, at n x n places of a plane."""
    if plane.origin.shape != (dynamics.size,) or plane.axes.shape != (2, dynamics.size):
        raise NotebookError(
            f"the plane lies among states of {plane.axes.shape[-1]} numbers, and those of the network have "
            f"{dynamics.size}; give ctrnn.Plane.through(model.run(...).states)"
        )
    places, states = plane.grid(n)
    per_ms = dynamics.alpha / dynamics.dt
    velocity = per_ms * dynamics.velocity(
        states.reshape(-1, dynamics.size), dynamics.drive(inputs)
    ).reshape(states.shape)
    return Flow(
        plane,
        places[0, :, 0],
        places[:, 0, 1],
        np.moveaxis(velocity @ plane.axes.T, -1, 0),
        np.linalg.norm(velocity, axis=-1),
    )
