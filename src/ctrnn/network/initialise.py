"""How a network starts: who is inhibitory, who connects to whom, and with which weights.

The tutorial's start leaves excitation four times as strong as inhibition, so that every unit saturates and no
task-specific gradient is left. Three steps, each with its key in params.yaml, mend that: the rows are balanced (Rajan &
Abbott 2006, Phys Rev Lett 97:188104, for the spectrum of such matrices), the gain is that of the linearised recurrence
(Sompolinsky, Crisanti & Sommers 1988, Phys Rev Lett 61:259), and the bias centres the units.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
from jaxtyping import Float

from ctrnn.core.rng import generator
from ctrnn.network.at_zero import at_zero
from ctrnn.network.model import Network, Wiring, time_constants
from ctrnn.network.settings import NetworkSettings, PairDensities

GAIN_DIGITS = 6  # of the spectral radius, so that the rounding of LAPACK reaches no weight


def initialise(settings: NetworkSettings, n_channels: int, n_outputs: int, seed: int) -> Network:
    """A network at the start of training. Each part is drawn from a stream of its own."""
    n = settings.n_units
    sign = signs(settings, seed)
    mask = generator(seed, "network", "pattern").random((n, n)) < densities(settings, sign)
    if not settings.self_connections:
        np.fill_diagonal(mask, False)
    wiring = Wiring(mask, sign, time_constants(settings, sign), settings)

    zero = at_zero(settings.model, settings.activation, wiring.parameters)
    W = recurrent_weights(wiring, zero.slope, seed)  # signed, float64
    b_rec = -(in_order_sum(W * zero.sent) - zero.current) if settings.centring_bias else np.zeros(n)
    W_in = settings.W_in_sd * generator(seed, "network", "W_in").standard_normal((n, n_channels))
    W_out = readout_weights(settings, n_outputs, seed)
    # Absolute values where signs are asked for, so that no weight starts where relu has no slope.
    weights = {
        "W_in": np.abs(W_in) if settings.dale_inputs else W_in,
        "W_rec": np.abs(W) if settings.dale else W,
        "b_rec": b_rec,
        "W_out": np.abs(W_out) if settings.dale_readout else W_out,
        "b_out": np.zeros(n_outputs),
    }
    return Network(wiring, {name: array.astype(np.float32) for name, array in weights.items()})


def signs(settings: NetworkSettings, seed: int) -> Float[np.ndarray, " unit"]:
    """+1 for excitatory, -1 for inhibitory units.

    `exact`: the last `inhibitory_units` of them are inhibitory; `random`: each by chance, as in the tutorial.
    """
    n = settings.n_units
    if settings.inhibitory_count == "exact":
        inhibitory = np.arange(n) >= n - inhibitory_units(settings)
    else:
        inhibitory = generator(seed, "network", "signs").random(n) < settings.p_inh
    return np.where(inhibitory, -1, 1).astype(np.float32)


def inhibitory_units(settings: NetworkSettings) -> int:
    """p_inh n_units, halves up, with p_inh as it is written: 0.145 of 100 is 14.5, which in floats is a little less."""
    return floor(Fraction(str(settings.p_inh)) * settings.n_units + Fraction(1, 2))


def densities(settings: NetworkSettings, sign: Float[np.ndarray, " unit"]) -> Any:
    """Probability of each synapse: one number, or [post, pre] where p_rec is given by pair.

    Cortical connection probabilities differ by pair of populations; those of inhibitory cells are the higher ones
    (mouse visual cortex: Billeh et al. 2020, Neuron 106:388).
    """
    p = settings.p_rec
    if not isinstance(p, PairDensities):
        return p
    to_from = np.array([[p.ee, p.ei], [p.ie, p.ii]])  # [post, pre], excitatory first
    population = (sign == -1).astype(int)
    return to_from[population[:, None], population]


def recurrent_weights(
    wiring: Wiring, slope: Float[np.ndarray, " unit"], seed: int
) -> Float[np.ndarray, "post pre"]:
    """Signed starting weights on the pattern: drawn, balanced and scaled as the settings say.

    slope: how what a unit sends grows with x at x = 0.
    """
    settings = wiring.settings
    W = np.where(wiring.mask, draw(settings, seed), 0.0)
    if settings.dale:
        W = np.abs(W) * wiring.sign
        if settings.balance_rows:
            W = balance(W, wiring.sign)
    if settings.gain == "scale":
        expected_inputs = settings.n_units * np.mean(densities(settings, wiring.sign))
        return W * (settings.w_gain / np.sqrt(expected_inputs)) if expected_inputs else W
    steepest = slope.max(initial=0.0)
    radius = steepest * spectral_radius(W * (slope / steepest)) if steepest else 0.0
    return W * (settings.w_gain / radius) if radius else W


def draw(settings: NetworkSettings, seed: int) -> Float[np.ndarray, "post pre"]:
    """Weights of either sign with mean square 1: normal, or gamma or lognormal sizes with a random sign.

    Sizes of cortical synapses are near lognormal, with many weak and a few strong ones (Song, Sjostrom, Reigl, Nelson
    & Chklovskii 2005, PLoS Biol 3:e68); gamma is the choice of Song, Yang & Wang 2016.
    """
    random = generator(seed, "network", "W_rec")
    size = (settings.n_units, settings.n_units)
    if settings.weight_distribution == "gaussian":
        return random.standard_normal(size)
    if settings.weight_distribution == "gamma":
        shape = settings.gamma_shape
        sizes = random.gamma(shape, 1 / np.sqrt(shape * (shape + 1)), size)
    else:  # E[exp(2 N(mu, s^2))] = exp(2 mu + 2 s^2)
        sizes = random.lognormal(-(settings.lognormal_sigma**2), settings.lognormal_sigma, size)
    return sizes * np.where(random.random(size) < 0.5, -1.0, 1.0)


def balance(
    W: Float[np.ndarray, "post pre"], sign: Float[np.ndarray, " unit"]
) -> Float[np.ndarray, "post pre"]:
    """Inhibitory weights scaled, row by row, to cancel the row's excitatory ones. A row without inhibition is kept."""
    excitation = in_order_sum(np.where(sign == 1, W, 0))
    inhibition = in_order_sum(np.where(sign == -1, -W, 0))
    inhibited = inhibition > 1e-300  # the quotient by less may be no number
    factor = np.divide(excitation, inhibition, out=np.ones_like(excitation), where=inhibited)
    return np.where(sign == -1, W * factor[:, None], W)


def spectral_radius(W: Float[np.ndarray, "post pre"]) -> float:
    """Largest absolute eigenvalue, rounded to GAIN_DIGITS digits."""
    from threadpoolctl import threadpool_limits  # here, since params.yaml is checked by way of it

    with threadpool_limits(1, "blas"):  # matrices of this size wait for more threads than one
        values = np.linalg.eigvals(W)
    return float(f"{np.abs(values).max():.{GAIN_DIGITS}g}")


def readout_weights(
    settings: NetworkSettings, n_outputs: int, seed: int
) -> Float[np.ndarray, "output unit"]:
    """Starting readout: normal with `readout_sd`, or uniform in +-1/sqrt(n), as the tutorial's code in effect."""
    random = generator(seed, "network", "W_out")
    size = (n_outputs, settings.n_units)
    if settings.readout_start == "gaussian":
        return settings.readout_sd * random.standard_normal(size)
    bound = 1 / np.sqrt(settings.n_units)
    return random.uniform(-bound, bound, size)


def in_order_sum(rows: Float[np.ndarray, "row column"]) -> Float[np.ndarray, " row"]:
    """Sum of each row, added from left to right, so that it has the same bits on every machine."""
    return np.cumsum(rows, axis=1)[:, -1]
