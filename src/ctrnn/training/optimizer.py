"""From gradients to new weights and parameters: penalties on weights, clipping of the gradient's norm, Adam.

All are elementwise operations that IEEE 754 rounds the same on every CPU. The penalty on firing rates is the backend's,
which has the rates. Song, Yang & Wang (2016, PLoS Comput Biol 12:e1004792) and Yang et al. (2019, Nat Neurosci 22:297)
penalise rates and weights. All are mean squares here, so that a factor means the same in a network of any size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from ctrnn.network import Network
from ctrnn.training.settings import Penalties, TrainSettings


def with_weight_penalties(
    loss: float, gradients: Mapping[str, np.ndarray], network: Network, penalties: Penalties
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss with the mean squares of W_eff over the pattern and of the effective W_out, and its gradient."""
    gradients = dict(gradients)
    for name, factor in (("W_rec", penalties.W_rec), ("W_out", penalties.W_out)):
        if factor:
            effective = network.effective_weights[name]
            n = max(1, network.wiring.n_synapses) if name == "W_rec" else effective.size
            loss += factor * float(np.square(effective, dtype=np.float64).sum()) / n
            if name in gradients:
                # Effective weights are +-W where they are not 0, so that d(effective^2)/dW = 2 |effective| sign(W).
                slope = 2 * np.abs(effective) * np.sign(network.weights[name])
                gradients[name] = gradients[name] + np.float32(factor / n) * slope
    return loss, gradients


def by_share(gradients: Mapping[str, np.ndarray], network: Network) -> dict[str, np.ndarray]:
    """Gradients, those by parameters of units times the parameter: by its logarithm, so that ms are no matter.

    Perez-Nieves, Leung, Dragotti & Goodman (2021, Nat Commun, doi 10.1038/s41467-021-26022-3) train the time constants
    of spiking units.
    """
    trained = network.trained_parameters
    return {
        name: g * network.weights[name] if name in trained else g for name, g in gradients.items()
    }


Arrays = Mapping[str, np.ndarray]
Ranges = Mapping[str, tuple[float, float]]


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

    def step(
        self, weights: Arrays, gradients: Arrays, ranges: Ranges = MappingProxyType({})
    ) -> dict[str, np.ndarray]:
        """The weights after a step against the gradients; arrays without a gradient are kept.

        ranges: of the parameters of units among them, what they may be. Their gradients are `by_share`, and so is their
        step: it is a share of the parameter.
        """
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
            change = rate * m / (np.sqrt(v * unbias) + np.float32(self.settings.epsilon))
            if name in ranges:
                least, most = map(np.float32, ranges[name])
                new[name] = np.clip(weights[name] - weights[name] * change, least, most)
            else:
                new[name] = weights[name] - change
        return new
