"""Adam, with clipping of the gradient's norm: elementwise operations that IEEE 754 rounds the same on every CPU."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ctrnn.training.settings import TrainSettings

Arrays = Mapping[str, np.ndarray]


def gradient_norm(gradients: Arrays) -> float:
    """Euclidean norm over all arrays, whatever their order in the mapping."""
    squares = (float(np.sum(np.square(g, dtype=np.float64))) for g in gradients.values())
    return math.sqrt(math.fsum(squares))


def clip(gradients: Arrays, norm: float, longest: float | None) -> Arrays:
    """Gradients of norm `norm`, shortened to `longest`. Pascanu, Mikolov & Bengio 2013, algorithm 1."""
    if longest is None or norm <= longest:
        return gradients
    shrink = np.float32(longest / norm)
    return {name: g * shrink for name, g in gradients.items()}


@dataclass
class Adam:
    """Adam's moments of one network. Kingma & Ba 2015, algorithm 1."""

    settings: TrainSettings
    first: dict[str, np.ndarray] = field(default_factory=dict)
    second: dict[str, np.ndarray] = field(default_factory=dict)
    beta_1_power: float = 1.0
    beta_2_power: float = 1.0

    def step(self, weights: Arrays, gradients: Arrays) -> dict[str, np.ndarray]:
        """The weights after a step against the gradients; arrays without a gradient are kept."""
        beta_1, beta_2 = self.settings.beta_1, self.settings.beta_2
        self.beta_1_power *= (
            beta_1  # a running product: pow() rounds differently between C libraries
        )
        self.beta_2_power *= beta_2
        rate = np.float32(self.settings.learning_rate / (1 - self.beta_1_power))
        unbias = np.float32(1 / (1 - self.beta_2_power))
        new = dict(weights)
        for name, g in gradients.items():
            m = self.first.get(name, np.zeros_like(g))
            v = self.second.get(name, np.zeros_like(g))
            self.first[name] = m = np.float32(beta_1) * m + np.float32(1 - beta_1) * g
            self.second[name] = v = np.float32(beta_2) * v + np.float32(1 - beta_2) * (g * g)
            new[name] = weights[name] - rate * m / (
                np.sqrt(v * unbias) + np.float32(self.settings.epsilon)
            )
        return new
