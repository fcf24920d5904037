"""Fixed points in a notebook: of a model under an input of one's own, and of any recurrent cell of torch.

The search, and what it says of a point, are those of the analysis (`ctrnn.analysis.points`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from ctrnn.analysis.fixed_points import FixedPointSettings, points_near
from ctrnn.analysis.points import FixedPoints
from ctrnn.core.rng import generator
from ctrnn.errors import ParamsError, format_validation_error, keys_of
from ctrnn.notebook.changes import NotebookError

if TYPE_CHECKING:
    from torch import Tensor
else:
    Tensor = Any

# What `analyze.fixed_points` of the shipped params.yaml has.
SEARCH = FixedPointSettings(
    starts=64,
    iterations=60,
    tolerances=[1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-12, 1e-20],
    merge_distance=0.01,
    outlier_distance=1.0,
)


def search_settings(changes: dict[str, Any]) -> FixedPointSettings:
    """Settings of a search with changes. Raises ParamsError where one is not allowed."""
    try:
        return FixedPointSettings.model_validate({**SEARCH.model_dump(), **changes})
    except ValidationError as wrong:
        where = "analyze.fixed_points"
        keys = keys_of(FixedPointSettings, where)
        sentence = format_validation_error(wrong, FixedPointSettings, where, keys)
        raise ParamsError(sentence) from None


def fixed_points(
    cell: Callable[[Tensor, Tensor], Tensor],
    inputs: Any,
    visited: Any,
    *,
    readout: Callable[[Tensor], Tensor] | None = None,
    dt: float = 1.0,
    seed: int = 0,
    **settings: Any,
) -> FixedPoints:
    """Fixed and slow points of a recurrent cell of torch under a constant input.

    The search is in float64 and follows the cell's gradients. Here F = x' - x, so `q` and `rates` are per step.

    Args:
        cell: Takes states [point, state] and inputs [point, channel], and gives the states a step later, each row from
            its own. In float64: a module is made so by `.double()`.
        inputs: The constant input, [channel].
        visited: States that the network visits, [..., state]. The search begins at some of them, and points far from
            all of them are `outside`.
        readout: Outputs [point, output] of states; None for the states. Points are in the order of the first output.
        dt: Length of a step, for `time_constants` in ms; 1 gives them in steps.
        seed: Draws the states where the search begins.
        settings: Of `analyze.fixed_points` in params.yaml, where they differ from the shipped ones.

    Returns:
        The points, with their stability, time constants and outputs.

    Raises:
        NotebookError: The cell does not take the states in float64 and give states.
        ParamsError: A setting is not allowed.
    """
    states = np.asarray(visited, np.float64)
    if states.ndim < 2 or not states.size or not np.isfinite(states).all():
        raise NotebookError(
            f"visited has shape {list(states.shape)}; give states [..., state] that the network visits, all finite"
        )
    states = states.reshape(-1, states.shape[-1])
    system = Cell(cell, np.atleast_1d(np.asarray(inputs, np.float64)), readout, dt)
    system.check(states[:1])
    random = generator(seed, "notebook", "fixed_points")
    with threadpool_limits(1, "blas"):
        return points_near(system, system.inputs, states, search_settings(settings), random)


@dataclass(frozen=True)
class Cell:
    """A cell of torch as a `System`, under one constant input: its derivative depends on that too."""

    cell: Callable[[Tensor, Tensor], Tensor]
    inputs: Float[np.ndarray, " channel"]
    readout: Callable[[Tensor], Tensor] | None
    dt: float
    per_tau: float = 1.0

    def check(self, x: Float[np.ndarray, "1 state"]) -> None:
        """Raises NotebookError where the cell does not give states from states in float64."""
        import torch

        try:
            later = self._step(torch.tensor(x))
            fault = f"gives {type(later).__name__}"
            if isinstance(later, torch.Tensor):
                fault = f"gives {list(later.shape)} in {later.dtype}"
                if later.shape == x.shape and later.dtype == torch.float64:
                    return
        except (RuntimeError, TypeError, ValueError, IndexError) as error:
            fault = f"fails ({' '.join(str(error).split())[:200]})"
        raise NotebookError(
            f"the cell {fault} of states {list(x.shape)} and inputs [1, {len(self.inputs)}] in torch.float64; give a "
            "cell (states, inputs) -> states, a module by its .double()"
        )

    def drive(self, inputs: np.ndarray) -> np.ndarray:
        """The input as it is."""
        return inputs

    def velocity(
        self, x: Float[np.ndarray, "point state"], drive: Float[np.ndarray, " channel"]
    ) -> Float[np.ndarray, "point state"]:
        """x' - x."""
        import torch

        with torch.no_grad():
            moved: np.ndarray = self._step(torch.tensor(x)).numpy() - x
        return moved

    def map_jacobian(
        self, x: Float[np.ndarray, "point state"]
    ) -> Float[np.ndarray, "point post pre"]:
        """dx'/dx, a row of each copy of a state."""
        import torch

        n = x.shape[1]
        made = np.empty((len(x), n, n))
        for i, state in enumerate(torch.tensor(x)):
            copies = state.repeat(n, 1).requires_grad_()
            with torch.enable_grad():
                later = self._step(copies)
            (rows,) = torch.autograd.grad(later, copies, torch.eye(n, dtype=later.dtype))
            made[i] = rows.numpy()
        return made

    def jacobian(self, x: Float[np.ndarray, "point state"]) -> Float[np.ndarray, "point post pre"]:
        """d(x' - x)/dx."""
        J: np.ndarray = self.map_jacobian(x) - np.eye(x.shape[1])
        return J

    def outputs(self, x: Float[np.ndarray, "point state"]) -> Float[np.ndarray, "point output"]:
        """What is read out; the states where there is no readout."""
        import torch

        if self.readout is None:
            return x
        with torch.no_grad():
            read: np.ndarray = self.readout(torch.tensor(x)).numpy()
        return read

    def _step(self, x: Tensor) -> Tensor:
        import torch

        return self.cell(x, torch.tensor(self.inputs).expand(len(x), -1))
