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
from ctrnn.analysis.intervals import difference_of_shares
from ctrnn.analysis.recording import Recording, Result, accuracies, first_trials, measures
from ctrnn.core.config import Count, Section, Share
from ctrnn.core.rng import generator, key
from ctrnn.network import Backend, Network, Trials
from ctrnn.tasks import Batch, Task

KINDS = ("group", "same_size", "same_weight")
CONTRASTS = (
    ("group", "intact"),
    ("same_size", "intact"),
    ("same_weight", "intact"),
    ("group", "same_size"),
    ("group", "same_weight"),
)
AT_ONCE = 32  # networks run at a time, so that their weights and outputs stay small


class LesionSettings(Section):
    """Section `analyze.lesions`."""

    doses: Annotated[list[Share], Field(min_length=1, max_length=100)]
    draws: Count
    trials_per_condition: Count


@dataclass(frozen=True)
class Lesions:
    """accuracy: mean over draws, by the `measures` of the task; intact: without a lesion.

    n_units: silenced per group and dose. weight: outgoing recurrent weight that is silenced, as a share of all.
    """

    groups: tuple[str, ...]
    accuracy: Float[np.ndarray, "group dose kind measure"]
    intact: Float[np.ndarray, " measure"]
    n_units: Int[np.ndarray, "group dose"]
    weight: Float[np.ndarray, "group dose kind"]


def compute(recording: Recording) -> Result:
    """Silence excitatory, inhibitory and selective units of every network.

    Returns:
        groups, kinds, contrasts: names. doses: shares silenced. n_units: [network, group, dose]. weight: [network,
        group, dose, kind]. accuracy: [network, group, dose, kind, measure]. intact: [network, measure]. counted: name
        of the last measure, of which are differences: [network, group, dose, contrast], between a lesion and the same
        network with another one or with none; and intervals: 95%, of their means [group, dose, contrast, 2]. And
        metrics: lesions, or lesions_correct for a task without sides, and lesion_differences.
    """
    from tqdm import tqdm

    task, settings, backend = recording.task, recording.section(LesionSettings), recording.backend
    trials = first_trials(recording.test, settings.trials_per_condition)
    selectivity, _ = recording.once(roles.compute)
    each = []
    populations = {sign for network in recording.after for sign in network.wiring.sign.tolist()}
    networks = list(zip(recording.after, recording.seeds, selectivity["d_prime"], strict=True))
    for network, seed, d_prime in tqdm(networks, desc="lesions", unit="network"):
        by_name = dict(zip(selectivity["variables"].tolist(), d_prime, strict=True))
        each.append(lesions(task, trials, network, by_name, seed, settings, backend, populations))
    groups, counted = each[0].groups, measures(task)[-1]
    accuracy, intact = (
        np.stack([getattr(o, name) for o in each]) for name in ("accuracy", "intact")
    )
    shares = dict(zip(KINDS, np.moveaxis(accuracy[..., -1], -1, 0), strict=True))
    shares["intact"] = np.broadcast_to(intact[:, None, None, -1], shares["group"].shape)
    one, other = (np.stack([shares[pair[i]] for pair in CONTRASTS], axis=-1) for i in (0, 1))
    differences, intervals = one - other, difference_of_shares(one, other, len(trials.conditions))
    names, means = [f"{a}_minus_{b}" for a, b in CONTRASTS], accuracy[..., -1].mean(axis=0)
    return {
        "groups": np.array(groups),
        "doses": np.array(settings.doses),
        "kinds": np.array(KINDS),
        "contrasts": np.array(names),
        "counted": np.array(counted),
        "n_units": np.stack([result.n_units for result in each]),
        "weight": np.stack([result.weight for result in each]),
        "accuracy": accuracy,
        "intact": intact,
        "differences": differences,
        "intervals": intervals,
    }, {
        "lesions" if counted == "right_side" else "lesions_correct": {
            group: {kind: means[g, :, k].tolist() for k, kind in enumerate(KINDS)}
            for g, group in enumerate(groups)
        },
        "lesion_differences": {
            group: {
                name: {
                    "mean": differences[:, g, :, c].mean(axis=0).tolist(),
                    "low": intervals[g, :, c, 0].tolist(),
                    "high": intervals[g, :, c, 1].tolist(),
                }
                for c, name in enumerate(names)
            }
            for g, group in enumerate(groups)
        },
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
    unit in this network where a network beside it has one. Every distinct set of units is silenced once.
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
    kept = [tuple(sorted(units.tolist())) for units in sets]
    distinct = list(dict.fromkeys([(), *kept]))  # nothing silenced is the intact network
    noise = key(seed, "analyze", "lesions")
    run: dict[tuple[int, ...], np.ndarray] = {}
    for start in range(0, len(distinct), AT_ONCE):
        now = distinct[start : start + AT_ONCE]
        lesioned = [silenced(network, np.array(units, np.int64)) for units in now]
        every = backend.outputs(lesioned, [Trials(trials.inputs, noise)] * len(lesioned))
        run |= {u: accuracies(task, o, trials.conditions) for u, o in zip(now, every, strict=True)}
    shape = (len(groups), len(settings.doses), settings.draws, len(KINDS))
    share = np.array([outgoing[units].sum() for units in sets]) / max(outgoing.sum(), 1e-12)
    accuracy = np.reshape([run[units] for units in kept], (*shape, len(measures(task))))
    return Lesions(
        groups, accuracy.mean(axis=2), run[()], n_units, np.reshape(share, shape).mean(axis=2)
    )


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
