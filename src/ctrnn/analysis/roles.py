"""What each unit is for: selectivity for the variables of the task, silence, saturation, and its currents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ctrnn.analysis.recording import Recording, Result
from ctrnn.analysis.targeted import Design, axes_of_networks, common, designs, regressors, strongest
from ctrnn.core.artifacts import mean_sd
from ctrnn.core.config import Count, NotNegative, Positive, Section, Share
from ctrnn.core.rng import generator

ROUNDING = 1e-12  # of rates
LEAST_SPREAD = 1e-6  # of rates: without noise nothing is left unexplained
EFFECTS = (0, 1, 2, 5, 10)  # sizes of |d'| from which on significant units are counted
MEASURES = {
    "inhibition_over_excitation": (
        "inhibition_over_excitation/network_{}", "inhibitory over excitatory current",
    ),
    "current_tracking": ("current_tracking/network_{}", "correlation of the two currents"),
}  # fmt: skip


class RoleSettings(Section):
    """Section `analyze.roles`."""

    permutations: Count
    false_discovery_rate: Share
    silent_rate: NotNegative
    saturated_rate: Positive
    smallest_d_prime: NotNegative = 1.0


@dataclass(frozen=True)
class Selectivity:
    """Of every unit for every regressor.

    d_prime: difference of the rate between the ends of the regressor, in standard deviations of what the regression
    leaves unexplained, or of `LEAST_SPREAD` where that is more. p: share of permutations with an effect as large.
    significant: p survives the false discovery rate among the units. selective: that, and |d'| is at least
    `smallest_d_prime`.
    """

    d_prime: Float[np.ndarray, "regressor unit"]
    p: Float[np.ndarray, "regressor unit"]
    significant: Bool[np.ndarray, "regressor unit"]
    selective: Bool[np.ndarray, "regressor unit"]


def selectivity(
    binned: Float[np.ndarray, "bin trial unit"],
    design: Design,
    peak: Int[np.ndarray, " regressor"],
    components: Float[np.ndarray, "unit component"],
    settings: RoleSettings,
    random: np.random.Generator,
) -> Selectivity:
    """Selectivity from rates in the bin where a regressor is strongest.

    What the other regressors leave unexplained is permuted over trials, in all bins alike (Freedman & Lane 1983, J Bus
    Econ Stat 1:292). The bin was chosen on the same trials, as the one where the population's coefficients are longest;
    so every permutation chooses its own bin in the same way, and gives each unit's effect there.

    Args:
        binned: Rates of the design's trials.
        design: The regressors.
        peak: Bin of each regressor, as `targeted_axes` chooses it.
        components: Principal components that the choice is made in.
        settings: Of the section `analyze.roles`.
        random: Permutes the trials.
    """
    X = design.matrix
    inverse = np.linalg.pinv(X)
    orders = random.permuted(np.tile(np.arange(len(X)), (settings.permutations, 1)), axis=1)
    d_prime, p = [], []
    for k, chosen in enumerate(peak.tolist()):
        at = binned[chosen].astype(np.float64)
        coefficient = inverse[k] @ at
        spread = np.sqrt(
            np.square(at - X @ (inverse @ at)).sum(axis=0) / max(1, len(X) - X.shape[1])
        )
        # As many regressors as trials leave nothing to tell an effect from.
        least = LEAST_SPREAD if len(X) > X.shape[1] else np.inf
        effect = np.where(np.abs(coefficient) > ROUNDING, np.ptp(X[:, k]) * coefficient, 0.0)
        d_prime.append(effect / np.maximum(spread, least))
        p.append(
            permutation_p(binned, np.delete(X, k, axis=1), inverse[k], orders, chosen, components)
        )
    shape = (len(peak), binned.shape[2])
    ds, ps = np.reshape(d_prime, shape), np.reshape(p, shape).astype(np.float64)
    # Here, since params.yaml is checked by way of this module.
    from scipy.stats import (
        false_discovery_control,
    )  # Benjamini & Hochberg 1995, J R Stat Soc B 57:289

    adjusted = false_discovery_control(ps, axis=1) if ps.size else ps
    significant = adjusted <= settings.false_discovery_rate
    return Selectivity(ds, ps, significant, significant & (np.abs(ds) >= settings.smallest_d_prime))


def permutation_p(
    binned: Float[np.ndarray, "bin trial unit"],
    others: Float[np.ndarray, "trial column"],
    weights: Float[np.ndarray, " trial"],
    orders: Int[np.ndarray, "permutation trial"],
    chosen: int,
    components: Float[np.ndarray, "unit component"],
) -> Float[np.ndarray, " unit"]:
    """Share of permutations in which a unit's effect, in the bin that the permutation chooses, is as large.

    An effect is the coefficient over the size of what the other regressors leave unexplained, which no permutation
    changes; so bins of quiet and of variable rates compare. weights: of the trials in the coefficient.
    """
    explained = np.linalg.pinv(others)

    def rest(at: int) -> np.ndarray:
        rates = binned[at].astype(np.float64)
        left: np.ndarray = rates - others @ (explained @ rates)
        return left

    def effect(coefficients: np.ndarray, left: np.ndarray) -> np.ndarray:
        size = np.linalg.norm(left, axis=0)
        return np.abs(coefficients) / np.where(size > ROUNDING * len(left), size, np.inf)

    drawn = weights[orders]
    bins = range(len(binned))
    strength = [np.linalg.norm(drawn @ (rest(at) @ components), axis=1) for at in bins]
    choices = strongest(np.stack(strength)) if len(binned) > 1 else np.zeros(len(orders), int)
    left = rest(chosen)
    observed = effect(weights @ left, left) * (1 - 1e-9)
    as_large = np.ones(binned.shape[2])
    for at in np.unique(choices):
        left = rest(at)
        as_large += (effect(drawn[choices == at] @ left, left) >= observed).sum(axis=0)
    share: np.ndarray = as_large / (1 + len(orders))
    return share


def silent_and_saturated(
    averages: Float[np.ndarray, "condition time unit"], silent_rate: float, saturated_rate: float
) -> tuple[Bool[np.ndarray, " unit"], Bool[np.ndarray, " unit"]]:
    """Units whose rate never exceeds `silent_rate`, and those whose rate never falls below `saturated_rate`."""
    return averages.max(axis=(0, 1)) <= silent_rate, averages.min(axis=(0, 1)) >= saturated_rate


def currents(
    averages: Float[np.ndarray, "condition time unit"],
    W: Float[np.ndarray, "post pre"],
) -> tuple[Float[np.ndarray, "condition time unit"], Float[np.ndarray, "condition time unit"]]:
    """Recurrent excitatory and inhibitory current into every unit: sums over positive and over negative weights."""
    return averages @ np.maximum(W, 0).T, averages @ np.minimum(W, 0).T


def tracking(
    excitation: Float[np.ndarray, "condition time unit"],
    inhibition: Float[np.ndarray, "condition time unit"],
) -> Float[np.ndarray, " unit"]:
    """Correlation of excitatory with inhibitory current over conditions and time; 0 where one is constant."""
    E, I = (x.reshape(-1, x.shape[-1]).astype(np.float64) for x in (excitation, -inhibition))  # noqa: E741
    E, I = E - E.mean(axis=0), I - I.mean(axis=0)  # noqa: E741
    scale = np.sqrt(np.square(E).sum(axis=0) * np.square(I).sum(axis=0))
    return np.divide((E * I).sum(axis=0), scale, out=np.zeros_like(scale), where=scale > 1e-9)


def group_weights(
    W: Float[np.ndarray, "post pre"],
    sign: Float[np.ndarray, " unit"],
    preference: Float[np.ndarray, " unit"],
    selective: Bool[np.ndarray, " unit"],
) -> Float[np.ndarray, "post_group pre_group"]:
    """Mean weight from each group of selective units to each other; 0 where a group is empty.

    Groups: excitatory units that prefer the positive end, the negative end; inhibitory units, the same.
    """
    groups = [
        selective & (sign == kind) & (np.sign(preference) == end)
        for kind in (1, -1)
        for end in (1, -1)
    ]
    means = [[W[np.ix_(post, pre)] for pre in groups] for post in groups]
    return np.array([[float(w.mean()) if w.size else 0.0 for w in row] for row in means])


def compute(recording: Recording) -> Result:
    """Selectivity, silence, saturation and currents of every unit.

    Returns:
        variables: names. d_prime, p, significant, selective: [network, variable, unit]. smallest_d_prime: [].
        group_weights: [network, variable, post_group, pre_group]. sign, silent, saturated, tracking, excitation,
        inhibition: [network, unit]. excitation_in_time, inhibition_in_time: [network, time]. And the metrics of
        `role_metrics`.
    """
    each = recording.once(designs)
    names = regressors(each)
    networks = zip(
        recording.rates, recording.after, recording.seeds, each, recording.once(axes_of_networks), strict=True
    )  # fmt: skip
    by_variable, by_unit = [], []
    settings = recording.section(RoleSettings)
    for rates, network, seed, design, axes in networks:
        selective = selectivity(
            rates.binned[:, design.trials],
            design,
            axes.peak,
            axes.components,
            settings,
            generator(seed, "analyze", "permutations"),
        )
        silent, saturated = silent_and_saturated(
            rates.averages, settings.silent_rate, settings.saturated_rate
        )
        W, sign = network.W_eff.astype(np.float64), network.wiring.sign
        excitation, inhibition = currents(rates.averages, W)
        pairs = zip(selective.d_prime, selective.selective, strict=True)
        groups = [group_weights(W, sign, d_prime, units) for d_prime, units in pairs]
        by_variable.append({
            "d_prime": selective.d_prime,
            "p": selective.p,
            "significant": selective.significant,
            "selective": selective.selective,
            "group_weights": np.reshape(groups, (len(groups), 4, 4)).astype(np.float64),
        })  # fmt: skip
        by_unit.append({
            "sign": sign,
            "silent": silent,
            "saturated": saturated,
            "excitation": excitation.mean(axis=(0, 1)),
            "inhibition": inhibition.mean(axis=(0, 1)),
            "excitation_in_time": excitation.mean(axis=(0, 2)),
            "inhibition_in_time": inhibition.mean(axis=(0, 2)),
            "tracking": tracking(excitation, inhibition),
        })  # fmt: skip
    arrays = common(names, each, by_variable) | {
        name: np.stack([of_network[name] for of_network in by_unit]) for name in by_unit[0]
    }
    floor = np.array(settings.smallest_d_prime, np.float64)
    return {"variables": np.array(names), "smallest_d_prime": floor, **arrays}, role_metrics(
        names, arrays
    )


def role_metrics(names: Sequence[str], roles: dict[str, np.ndarray]) -> dict[str, Any]:
    """Shares of selective, silent and saturated units, excitatory and inhibitory, and how currents balance."""
    kinds = {"excitatory": roles["sign"] == 1, "inhibitory": roles["sign"] == -1}

    def share(flags: np.ndarray, of: np.ndarray) -> dict[str, Any]:
        return mean_sd(
            [float(f[o].mean()) if o.any() else None for f, o in zip(flags, of, strict=True)]
        )

    ratio = -roles["inhibition"].sum(axis=1) / np.maximum(roles["excitation"].sum(axis=1), 1e-12)
    return {
        "selective_units": {
            name: {kind: share(roles["selective"][:, k], of) for kind, of in kinds.items()}
            for k, name in enumerate(names)
        },
        "selective_units_by_effect": {
            name: {
                kind: {
                    f"{size:g}": share(
                        roles["significant"][:, k] & (np.abs(roles["d_prime"][:, k]) >= size), of
                    )
                    for size in EFFECTS
                }
                for kind, of in kinds.items()
            }
            for k, name in enumerate(names)
        },
        "silent_units": {kind: share(roles["silent"], of) for kind, of in kinds.items()},
        "saturated_units": {kind: share(roles["saturated"], of) for kind, of in kinds.items()},
        "inhibition_over_excitation": mean_sd(ratio.tolist()),
        "current_tracking": mean_sd(np.median(roles["tracking"], axis=1).tolist()),
    }
