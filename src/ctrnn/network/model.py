"""A network: its wiring, which never changes, and its weights, which training changes."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ctrnn.core.artifacts import locked
from ctrnn.network.settings import ByPopulation, NetworkSettings

Weights = Mapping[str, np.ndarray]
WEIGHT_NAMES = ("W_in", "W_rec", "b_rec", "W_out", "b_out")


@dataclass(frozen=True, eq=False)
class Wiring:
    """What is fixed for the life of a network; its arrays are read-only.

    mask is the sparse pattern of the recurrent weights; sign is +1 for an excitatory, -1 for an inhibitory
    presynaptic unit; tau is the time constant of each unit, ms, before training.
    """

    mask: Bool[np.ndarray, "post pre"]
    sign: Float[np.ndarray, " unit"]
    tau: Float[np.ndarray, " unit"]
    settings: NetworkSettings

    def __post_init__(self) -> None:
        for name in ("mask", "sign", "tau"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __repr__(self) -> str:
        """Units and synapses, in numbers."""
        excitatory = int((self.sign == 1).sum())
        return (
            f"{len(self.sign)} {self.settings.activation} units ({excitatory} excitatory, "
            f"{len(self.sign) - excitatory} inhibitory), {self.mask.sum()} synapses"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Made anew from its fields when it is copied or unpickled: numpy gives arrays back writeable."""
        return Wiring, (self.mask, self.sign, self.tau, self.settings)

    @property
    def sigma_post(self) -> float:
        """Standard deviation of the noise on the rates in a step.

        `stationary`: white noise that has sigma_post at steps of 1 ms, sigma_post / sqrt(dt / ms), so that what of it
        reaches x does not depend on dt: with weight w, w sigma_post / sqrt(2 tau / ms) to first order in alpha.
        `tutorial`: sigma_post whatever dt is.
        """
        settings = self.settings
        stationary = settings.noise_scaling == "stationary"
        return settings.sigma_post / math.sqrt(settings.dt) if stationary else settings.sigma_post

    @cached_property
    def n_synapses(self) -> int:
        """Places of the pattern."""
        return int(np.count_nonzero(self.mask))

    def at(self, dt: float) -> Wiring:
        """The same wiring at another time step, ms."""
        return replace(self, settings=self.settings.model_copy(update={"dt": dt}))

    @cached_property
    def parameters(self) -> Mapping[str, Float[np.ndarray, " unit"]]:
        """Parameters of the equations before training: dt, tau, sigma (`noise_per_step`) and those of the model."""
        n = len(self.sign)
        general = {
            "dt": np.full(n, self.settings.dt),
            "tau": self.tau,
            "sigma": noise_per_step(self.settings, self.tau),
        }
        own = {name: of_units(value, self.sign) for name, value in self.settings.parameters.items()}
        arrays = {
            name: locked(array.astype(np.float32)) for name, array in {**general, **own}.items()
        }
        return MappingProxyType(arrays)


@dataclass(frozen=True, eq=False)
class Network:
    """Wiring and weights: W_in [unit, channel], W_rec [post, pre], b_rec [unit], W_out [output, unit], b_out [output].

    Weights are as trained, before sign and rectification; `effective_weights` are those that act. Beside them stand
    the parameters that are trained, by name, [unit]. The mapping and its arrays are read-only, since what follows from
    them is kept: a changed network is a new one.
    """

    wiring: Wiring
    weights: Weights

    def __post_init__(self) -> None:
        if not isinstance(self.weights, MappingProxyType):
            weights = {name: read_only(array) for name, array in self.weights.items()}
            object.__setattr__(self, "weights", MappingProxyType(weights))

    def __repr__(self) -> str:
        """The wiring, and how many inputs and outputs there are."""
        n_inputs, n_outputs = self.weights["W_in"].shape[1], self.weights["W_out"].shape[0]
        return f"Network of {self.wiring}; inputs: {n_inputs}, outputs: {n_outputs}"

    def __reduce__(self) -> tuple[Any, ...]:
        """See `Wiring.__reduce__`."""
        return Network, (self.wiring, dict(self.weights))

    @cached_property
    def W_eff(self) -> Float[np.ndarray, "post pre"]:
        """The recurrent weights that act: under Dale's principle relu(W_rec) times the presynaptic sign."""
        W, wiring = self.weights["W_rec"], self.wiring
        if wiring.settings.dale:
            W = np.maximum(W, 0) * wiring.sign
        return locked(np.where(wiring.mask, W, np.float32(0)))

    @cached_property
    def effective_weights(self) -> Weights:
        """The weights as they act, signs by Dale's principle where it is asked for; W_rec is W_eff.

        Inputs excite only: relu(W_in). The readout reads excitatory units with weights of one sign: relu(W_out) on
        these, 0 on inhibitory ones, since long-range projections are excitatory. Song, Yang & Wang 2016.
        """
        settings, weights = self.wiring.settings, {**self.weights, "W_rec": self.W_eff}
        if settings.dale_inputs:
            weights["W_in"] = locked(np.maximum(weights["W_in"], 0))
        if settings.dale_readout:
            weights["W_out"] = locked(np.maximum(weights["W_out"], 0) * (self.wiring.sign == 1))
        return MappingProxyType(weights)

    @property
    def trained_parameters(self) -> frozenset[str]:
        """Names of the parameters that are trained."""
        return frozenset(self.weights) - set(WEIGHT_NAMES)

    @cached_property
    def parameters(self) -> Mapping[str, Float[np.ndarray, " unit"]]:
        """Parameters of the equations, by name, as they are now: see `Wiring.parameters`."""
        if not self.trained_parameters:
            return self.wiring.parameters
        made = {
            **self.wiring.parameters,
            **{name: self.weights[name] for name in self.trained_parameters},
        }
        sigma = noise_per_step(self.wiring.settings, made["tau"]).astype(np.float32)
        return MappingProxyType({**made, "sigma": locked(sigma)})

    def vjp(self, gradients: Weights) -> Weights:
        """Gradients by what is trained, from those by what acts: the chain rule.

        relu'(0) is 0, as in the backends, which take W_rec as trained. tau acts through sigma too.
        """
        settings, made = self.wiring.settings, dict(gradients)
        for name, signed in (("W_in", settings.dale_inputs), ("W_out", settings.dale_readout)):
            if signed and name in made:
                made[name] = made[name] * (self.effective_weights[name] > 0)
        if "tau" in made:
            slope = noise_by_tau(settings, self.parameters["tau"])
            made["tau"] = made["tau"] + (slope * made.pop("sigma")).astype(np.float32)
        return made

    @property
    def zero_weight_fraction(self) -> float:
        """Share of the pattern's synapses whose effective weight is zero."""
        wiring, W = self.wiring, self.weights["W_rec"]
        acts = W > 0 if wiring.settings.dale else W != 0
        n = wiring.n_synapses
        return (n - int(np.count_nonzero(acts & wiring.mask))) / n if n else 0.0

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything of the network by name: the weights, W_eff, sign, mask, tau, the model's own parameters."""
        wiring = self.wiring
        own = {name: self.parameters[name] for name in ("tau", *wiring.settings.parameters)}
        return {
            **self.weights,
            "W_eff": self.W_eff,
            "sign": wiring.sign,
            "mask": wiring.mask,
            **own,
        }


def read_only(array: np.ndarray) -> np.ndarray:
    """The array itself where it cannot be written to, else a copy, which nobody else holds: 10 us at 200 units."""
    return locked(array.copy(order="K")) if array.flags.writeable else array


def noise_per_step(
    settings: NetworkSettings, tau: Float[np.ndarray, " unit"]
) -> Float[np.ndarray, " unit"]:
    """Standard deviation of the noise that a step adds to x of each unit, in float64; tau in ms.

    `stationary`: sigma sqrt(alpha (2 - alpha)) with alpha = dt / tau, with which x of an unconnected unit has standard
    deviation sigma whatever tau is: x_t = (1 - alpha) x_{t-1} + s xi keeps the variance s^2 / (alpha (2 - alpha)).
    Song, Yang & Wang (2016, PLoS Comput Biol 12:e1004792) give its first order in alpha, sigma sqrt(2 alpha), which is
    5% too much at tau = 5. In a network x has more: the recurrence amplifies it, and the noise on rates comes in
    through the weights. `tutorial`: alpha sigma.
    """
    alpha = (settings.dt / tau).astype(np.float32).astype(np.float64)
    stationary = settings.noise_scaling == "stationary"
    return settings.sigma_pre * (np.sqrt(alpha * (2 - alpha)) if stationary else alpha)


def noise_by_tau(
    settings: NetworkSettings, tau: Float[np.ndarray, " unit"]
) -> Float[np.ndarray, " unit"]:
    """The derivative of `noise_per_step` by tau."""
    alpha = settings.dt / tau.astype(np.float64)
    stationary = settings.noise_scaling == "stationary"
    by_alpha = (1 - alpha) / np.sqrt(alpha * (2 - alpha)) if stationary else np.ones_like(alpha)
    slope: np.ndarray = settings.sigma_pre * by_alpha * -alpha / tau
    return slope


def time_constants(
    settings: NetworkSettings, sign: Float[np.ndarray, " unit"]
) -> Float[np.ndarray, " unit"]:
    """tau of each unit, by its sign."""
    tau_inh = settings.tau if settings.tau_inh is None else settings.tau_inh
    return np.where(sign == 1, settings.tau, tau_inh).astype(np.float32)


def of_units(
    value: float | list[float] | ByPopulation, sign: Float[np.ndarray, " unit"]
) -> Float[np.ndarray, " unit"]:
    """A parameter of each unit: one number, by population, or values that the units take in turn."""
    if isinstance(value, ByPopulation):
        return np.where(sign == 1, value.excitatory, value.inhibitory)
    return np.resize(np.array(value, np.float64), len(sign))


def from_arrays(
    arrays: Mapping[str, np.ndarray],
    settings: Mapping[str, Any],
    trained_parameters: Collection[str] = (),
) -> Network:
    """The network whose `arrays()` these are; settings is section `network` of params.yaml."""
    made = NetworkSettings.model_validate(settings)
    tau = time_constants(made, arrays["sign"])
    wiring = Wiring(arrays["mask"], arrays["sign"], tau, made)
    return Network(wiring, {name: arrays[name] for name in (*WEIGHT_NAMES, *trained_parameters)})
