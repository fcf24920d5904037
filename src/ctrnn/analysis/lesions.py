"""Accuracy after silencing groups of units, against random units.

A silenced unit's outgoing weights are set to zero, recurrent and to the readout; it still receives input.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field

from ctrnn.analysis import roles
from ctrnn.analysis.recording import Recording, Result, accuracies, first_trials, measures
from ctrnn.core.artifacts import rounded
from ctrnn.core.config import Count, Section, Share
from ctrnn.core.rng import generator, key
from ctrnn.network import Backend, Network, Trials
from ctrnn.tasks import Batch, Task

KINDS = ("group", "same_size", "same_weight")
AT_ONCE = 32  # networks run at a time, so that their weights and outputs stay small


class LesionSettings(Section):
    """Section `analyze.lesions`."""

    doses: Annotated[list[Share], Field(min_length=1, max_length=100)]
    draws: Count
    trials_per_condition: Count


@dataclass(frozen=True)
class Lesions:
    """accuracy: mean over draws, by the `measures` of the task; n_units: silenced per group and dose."""

    groups: tuple[str, ...]
    accuracy: Float[np.ndarray, "group dose kind measure"]
    n_units: Int[np.ndarray, "group dose"]


def compute(recording: Recording) -> Result:
    """Silence excitatory, inhibitory and selective units of every network.

    Returns:
        groups, kinds: names. doses: shares silenced. n_units: [network, group, dose]. accuracy: [network, group, dose,
        kind, measure]. intact: [network, measure]. half_width, or side_half_width where the task has sides: of 95%
        intervals [group, dose, kind] of the last measure. And the metric lesions, or lesions_correct: means of it.
    """
    from tqdm import tqdm

    task, settings, backend = recording.task, recording.section(LesionSettings), recording.backend
    trials = first_trials(recording.test, settings.trials_per_condition)
    selectivity, _ = recording.once(roles.compute)
    each, intact = [], []
    populations = {sign for network in recording.after for sign in network.wiring.sign.tolist()}
    networks = list(zip(recording.after, recording.seeds, selectivity["d_prime"], strict=True))
    for network, seed, d_prime in tqdm(networks, desc="lesions", unit="network"):
        by_name = dict(zip(selectivity["variables"].tolist(), d_prime, strict=True))
        each.append(lesions(task, trials, network, by_name, seed, settings, backend, populations))
        noise = key(seed, "analyze", "lesions")
        (outputs,) = backend.outputs([network], [Trials(trials.inputs, noise)])
        intact.append(accuracies(task, outputs, trials.conditions))
    accuracy = np.stack([result.accuracy for result in each])
    by_side = "right_side" in measures(task)
    means = accuracy[..., -1].mean(axis=0)
    return {
        "groups": np.array(each[0].groups),
        "doses": np.array(settings.doses),
        "kinds": np.array(KINDS),
        "n_units": np.stack([result.n_units for result in each]),
        "accuracy": accuracy,
        "intact": np.stack(intact),
        "side_half_width" if by_side else "half_width": half_width(accuracy[..., -1]),
    }, {
        "lesions" if by_side else "lesions_correct": {
            group: {kind: means[g, :, k].tolist() for k, kind in enumerate(KINDS)}
            for g, group in enumerate(each[0].groups)
        }
    }


def lesions(
    task: Task[Any],
    trials: Batch,
    network: Network,
    d_prime: Mapping[str, Float[np.ndarray, " unit"]],
    seed: int,
    settings: LesionSettings,
    backend: Backend,
    populations: Container[float] = (1, -1),
) -> Lesions:
    """Silence growing shares of the excitatory units, of the inhibitory ones, and of all units by their selectivity.

    Of excitatory and inhibitory units, a random share; for each variable of `d_prime`, the units of largest |d'|, whose
    share is of all units. Controls are units outside the group: `same_size` as many, `same_weight` as many as have
    the same summed size of outgoing recurrent weights. populations: signs of those that are groups, which may have no
    unit in this network where a network beside it has one.
    """
    sign, outgoing = network.wiring.sign, np.abs(network.W_eff).sum(axis=0, dtype=np.float64)
    ranked = {
        f"{name}-selective": np.lexsort((-np.round(np.abs(d), 6),)) for name, d in d_prime.items()
    }
    signs = {"excitatory": 1, "inhibitory": -1}
    pools = {name: np.flatnonzero(sign == s) for name, s in signs.items() if s in populations}
    groups = (*pools, *ranked)
    sets, n_units = [], np.zeros((len(groups), len(settings.doses)), np.int64)
    for g, name in enumerate(groups):
        for d, dose in enumerate(settings.doses):
            n = round(dose * len(pools.get(name, sign)))
            n_units[g, d] = n
            for draw in range(settings.draws):
                random = generator(seed, "analyze", "lesions", name, d, draw)
                group = random.permutation(pools[name])[:n] if name in pools else ranked[name][:n]
                sets += [group, *controls(group, outgoing, random)]
    noise = key(seed, "analyze", "lesions")
    shares_correct = []
    for start in range(0, len(sets), AT_ONCE):
        lesioned = [silenced(network, units) for units in sets[start : start + AT_ONCE]]
        run = backend.outputs(lesioned, [Trials(trials.inputs, noise)] * len(lesioned))
        shares_correct += [accuracies(task, outputs, trials.conditions) for outputs in run]
    shape = (len(groups), len(settings.doses), settings.draws, len(KINDS), len(measures(task)))
    return Lesions(groups, np.reshape(shares_correct, shape).mean(axis=2), n_units)


def half_width(
    values: Float[np.ndarray, "network group dose kind"], level: float = 0.95
) -> Float[np.ndarray, "group dose kind"]:
    """Half of Student's interval of the mean over networks; 0 where there is one network only."""
    n = len(values)
    if n < 2:
        return np.zeros(values.shape[1:])
    from scipy.special import stdtrit  # here, since params.yaml is checked by way of this module

    # Rounded, since the last bits of the quantile are the C library's.
    quantile = rounded(float(stdtrit(n - 1, 0.5 + level / 2)), 9)
    return quantile * np.std(values, axis=0, ddof=1) / np.sqrt(n)


def silenced(network: Network, units: Int[np.ndarray, " silenced"]) -> Network:
    """The network with the outgoing weights of these units at zero."""
    weights = {name: array.copy() for name, array in network.weights.items()}
    weights["W_rec"][:, units] = 0
    weights["W_out"][:, units] = 0
    return Network(network.wiring, weights)


def controls(
    group: Int[np.ndarray, " silenced"],
    outgoing: Float[np.ndarray, " unit"],
    random: np.random.Generator,
) -> tuple[Int[np.ndarray, " as_many"], Int[np.ndarray, " as_strong"]]:
    """Random units outside the group: as many, and as many as come nearest to the same summed outgoing weight."""
    others = random.permutation(np.setdiff1d(np.arange(len(outgoing)), group))
    sums = np.r_[0.0, np.cumsum(outgoing[others])]
    nearest = int(np.abs(sums - outgoing[group].sum()).argmin())
    return others[: len(group)], others[:nearest]
