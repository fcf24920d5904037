"""Excitatory and inhibitory recurrent weights before and after training, and Dale's principle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from ctrnn.analysis.recording import Recording, Result
from ctrnn.network import Network

POPULATIONS = {"excitatory": 1, "inhibitory": -1}  # name, sign of the presynaptic unit
FEW = 10  # units
LARGE = 100.0  # weight: more than training can take back, and a sigmoid has no slope beyond it


def compute(recording: Recording) -> Result:
    """Distributions of the weights, and whether sign and pattern were kept exactly.

    Returns:
        Arrays of `weight_distributions` and metrics of `weight_metrics`.
    """
    before, after = recording.before, recording.after
    arrays = weight_distributions(before, after, recording.settings.weight_bins)
    return arrays, weight_metrics(before, after)


def weight_distributions(
    before: Sequence[Network], after: Sequence[Network], n_bins: int
) -> dict[str, np.ndarray]:
    """Counts of |W_eff| of the existing synapses by presynaptic population, before and after training.

    Keys: bins [bin + 1], and before_excitatory, before_inhibitory, after_excitatory, after_inhibitory [network, bin].
    """
    largest = max(float(np.abs(net.W_eff).max()) for net in [*before, *after])
    bins = np.linspace(0, largest or 1.0, n_bins + 1)
    counts = {
        f"{when}_{population}": np.stack(
            [np.histogram(np.abs(synapses(net, sign)), bins)[0] for net in networks]
        )
        for when, networks in (("before", before), ("after", after))
        for population, sign in POPULATIONS.items()
    }
    return {"bins": bins, **counts}


def weight_metrics(before: Sequence[Network], after: Sequence[Network]) -> dict[str, Any]:
    """Weight statistics per network, and whether sign and pattern were kept exactly.

    `lacks` is there where a network lacks something: a list of it for every network. `parameters` is there where
    parameters of units are trained.
    """
    both = (("before", before), ("after", after))
    lacking = [lacks(network) for network in after]
    return {
        "weights": {
            population: {
                when: [weight_statistics(net, sign) for net in networks] for when, networks in both
            }
            for population, sign in POPULATIONS.items()
        },
        "dale": dale_check(after),
        **parameter_metrics(before, after),
        **({"lacks": lacking} if any(lacking) else {}),
    }


def weight_statistics(network: Network, sign: int) -> dict[str, float]:
    """Units, existing synapses, density among possible ones, mean and standard deviation of W_eff of one population."""
    existing = synapses(network, sign)
    mean, sd = moments(existing)
    units = int((network.wiring.sign == sign).sum())
    possible = units * network.wiring.settings.n_units
    return {
        "units": units,
        "synapses": len(existing),
        "density": len(existing) / possible if possible else 0.0,
        "mean": mean,
        "sd": sd,
    }


def parameter_metrics(before: Sequence[Network], after: Sequence[Network]) -> dict[str, Any]:
    """Mean and standard deviation of each trained parameter over the units of a population, a network after another."""
    both = (("before", before), ("after", after))
    metrics = {
        name: {
            population: {
                when: [
                    dict(zip(("mean", "sd"), moments(values), strict=True))
                    for values in (of(network, name, sign) for network in networks)
                ]
                for when, networks in both
            }
            for population, sign in POPULATIONS.items()
        }
        for name in sorted(after[0].trained_parameters)
    }
    return {"parameters": metrics} if metrics else {}


def of(network: Network, name: str, sign: int) -> Float[np.ndarray, " unit"]:
    """A parameter of the units of one population, in float64."""
    return network.parameters[name][network.wiring.sign == sign].astype(np.float64)


def moments(values: Float[np.ndarray, " value"]) -> tuple[float, float]:
    """Mean and standard deviation; 0 of none.

    Taken of the values over a power of two, which changes no bit, so that the squares of large ones do not overflow.
    """
    if not len(values):
        return 0.0, 0.0
    _, power = np.frexp(np.abs(values).max())
    small = np.ldexp(values, -power)
    return float(np.ldexp(small.mean(), power)), float(np.ldexp(small.std(), power))


def lacks(network: Network) -> list[str]:
    """Why a network may not have learned, by its weights and units, in words; empty for most networks."""
    wiring, effective = network.wiring, network.effective_weights
    n, dale = len(wiring.sign), wiring.settings.dale
    reasons = {
        "no input weights other than 0": not effective["W_in"].any(),
        "no recurrent synapses": not wiring.mask.any(),
        "no recurrent weights other than 0": wiring.mask.any() and not network.W_eff.any(),
        "no readout weights other than 0": not effective["W_out"].any(),
        "no excitatory units": dale and not (wiring.sign == 1).any(),
        "no inhibitory units": dale and not (wiring.sign == -1).any(),
        f"only {n} unit{'s' * (n > 1)}": n < FEW,
    }
    arrays = {"input": effective["W_in"], "recurrent": network.W_eff, "readout": effective["W_out"]}
    for name, array in arrays.items():
        largest = float(np.abs(array).max(initial=0))
        reasons[f"{name} weights of up to {largest:.1g}"] = largest > LARGE
    return [words for words, true in reasons.items() if true]


def dale_check(networks: Sequence[Network]) -> dict[str, Any]:
    """Synapses of the wrong sign, and weights off the sparse pattern, over all networks: both must be 0.

    `applies` is false where the networks do not obey Dale's principle by their settings; signs are not counted then.
    """
    applies = all(net.wiring.settings.dale for net in networks)
    wrong = sum(int((net.W_eff * net.wiring.sign < 0).sum()) for net in networks) if applies else 0
    off = sum(int((net.W_eff[~net.wiring.mask] != 0).sum()) for net in networks)
    moved = sum(int((net.weights["W_rec"][~net.wiring.mask] != 0).sum()) for net in networks)
    return {
        "applies": applies,
        "holds": wrong == off == moved == 0,
        "sign_changes": wrong,
        "off_pattern": off + moved,
    }


def synapses(network: Network, sign: int) -> np.ndarray:
    """Effective weights [synapse] of the existing synapses whose presynaptic unit has this sign."""
    columns = network.W_eff[:, network.wiring.sign == sign]
    existing: np.ndarray = columns[columns != 0]
    return existing
