"""A network: its wiring, which never changes, and its weights, which training changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ctrnn.params import NetworkSettings

Weights = Mapping[str, np.ndarray]
WEIGHT_NAMES = ("W_in", "W_rec", "b_rec", "W_out", "b_out")


@dataclass(frozen=True, eq=False)
class Wiring:
    """What is fixed for the life of a network.

    mask is the sparse pattern of the recurrent weights; sign is +1 for an excitatory, -1 for an inhibitory
    presynaptic unit; tau is the time constant of each unit, in the unit of dt.
    """

    mask: Bool[np.ndarray, "post pre"]
    sign: Float[np.ndarray, " unit"]
    tau: Float[np.ndarray, " unit"]
    settings: NetworkSettings

    @property
    def alpha(self) -> Float[np.ndarray, " unit"]:
        """dt / tau of each unit."""
        return (self.settings.dt / self.tau).astype(np.float32)

    @property
    def noise_per_step(self) -> Float[np.ndarray, " unit"]:
        """s_pre: standard deviation of the noise that a step adds to x of each unit.

        `stationary`: sigma sqrt(2 alpha), whatever tau is (Song, Yang & Wang 2016, PLoS Comput Biol
        12:e1004792); `tutorial`: alpha sigma.
        """
        sigma, alpha = self.settings.sigma_pre, self.alpha.astype(np.float64)
        stationary = self.settings.noise_scaling == "stationary"
        return (sigma * (np.sqrt(2 * alpha) if stationary else alpha)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Network:
    """Wiring and weights: W_in [unit, channel], W_rec [post, pre], b_rec [unit], W_out [output, unit], b_out [output].

    W_rec is as trained, before sign and rectification.
    """

    wiring: Wiring
    weights: Weights

    @cached_property
    def W_eff(self) -> Float[np.ndarray, "post pre"]:
        """The recurrent weights that act: under Dale's principle relu(W_rec) times the presynaptic sign."""
        W, wiring = self.weights["W_rec"], self.wiring
        if wiring.settings.dale:
            W = np.maximum(W, 0) * wiring.sign
        return np.where(wiring.mask, W, np.float32(0))

    @property
    def vanished_synapses(self) -> float:
        """Share of the pattern's synapses whose effective weight is zero."""
        mask = self.wiring.mask
        return float((self.W_eff[mask] == 0).mean()) if mask.any() else 0.0

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything of the network by name: the weights, W_eff, sign, mask, tau."""
        wiring = self.wiring
        fixed = {"sign": wiring.sign, "mask": wiring.mask, "tau": wiring.tau}
        return {**self.weights, "W_eff": self.W_eff, **fixed}


def from_arrays(arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Network:
    """The network whose `arrays()` these are; settings is section `network` of params.yaml."""
    wiring = Wiring(
        arrays["mask"], arrays["sign"], arrays["tau"], NetworkSettings.model_validate(settings)
    )
    return Network(wiring, {name: arrays[name] for name in WEIGHT_NAMES})
