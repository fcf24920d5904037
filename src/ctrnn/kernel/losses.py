"""What training makes small: a number that follows from the outputs, and its slope by each of them.

The squared error is part of the kernel. For any other loss the kernel runs the outputs, and is given their slopes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Bool, Float

from ctrnn.kernel.elementary import log, logistic

Outputs = Float[np.ndarray, "time trial output"]
# Where the loss counts: yes or no, or by how much.
Mask = Bool[np.ndarray, "time trial output"] | Float[np.ndarray, "time trial output"]


class Loss(ABC):
    """A loss of outputs [time, trial, output], given targets and where the loss counts, of the same shape."""

    @abstractmethod
    def value(self, outputs: Outputs, targets: Outputs, mask: Mask) -> float:
        """The loss."""

    @abstractmethod
    def slopes(self, outputs: Outputs, targets: Outputs, mask: Mask) -> Outputs:
        """Its derivative by each of the outputs, float32."""


class MeanSquaredError(Loss):
    """sum(mask (z - y)^2) / sum(mask)."""

    def value(self, outputs: Outputs, targets: Outputs, mask: Mask) -> float:
        """See `Loss.value`."""
        squares = np.square(outputs - targets)
        if mask.dtype == bool:
            return float(squares[mask].mean(dtype=np.float64))
        return float((mask * squares).sum(dtype=np.float64) / mask.sum(dtype=np.float64))

    def slopes(self, outputs: Outputs, targets: Outputs, mask: Mask) -> Outputs:
        """See `Loss.slopes`."""
        slopes: np.ndarray = 2 * mask * (outputs - targets) / mask.sum(dtype=np.float64)
        return slopes.astype(np.float32)


class CrossEntropy(Loss):
    """Mean of -sum(y log p) over steps and trials, where p is the softmax of the outputs.

    The targets of a step are the probabilities of the outputs, such as 1 for the right one; a step whose targets are
    all 0 asks for nothing. A step counts by the mean of the mask over its outputs.
    """

    def value(self, outputs: Outputs, targets: Outputs, mask: Mask) -> float:
        """See `Loss.value`."""
        share, centred, total = self._parts(outputs, mask)
        surprise = log(total) - centred
        return float((share * (targets * surprise).sum(axis=2, keepdims=True)).sum())

    def slopes(self, outputs: Outputs, targets: Outputs, mask: Mask) -> Outputs:
        """See `Loss.slopes`."""
        share, centred, total = self._parts(outputs, mask)
        p = _exp(centred) / total
        slopes: np.ndarray = share * (p * targets.sum(axis=2, keepdims=True) - targets)
        return slopes.astype(np.float32)

    @staticmethod
    def _parts(
        outputs: Outputs, mask: Mask
    ) -> tuple[Float[np.ndarray, "time trial 1"], Outputs, Float[np.ndarray, "time trial 1"]]:
        """Share of each step in the mean, outputs less their largest, and the sum of the exponentials of these."""
        weight = mask.mean(axis=2, keepdims=True, dtype=np.float64)
        centred = outputs.astype(np.float64) - outputs.max(axis=2, keepdims=True)
        return weight / weight.sum(), centred, _exp(centred).sum(axis=2, keepdims=True)


def _exp(x: Outputs) -> Outputs:
    """exp(x) for x of 0 or below, with the same bits on every machine."""
    below = logistic(x)
    exponential: np.ndarray = below / (1 - below)
    return exponential
