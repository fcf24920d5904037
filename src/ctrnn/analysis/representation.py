"""What the units and axes of every network stand for: state space, targeted axes, selectivity and currents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn.analysis.recording import Recording
from ctrnn.analysis.regression import Design, design
from ctrnn.analysis.roles import (
    currents,
    group_weights,
    peak_rates,
    selectivity,
    silent_and_saturated,
    tracking,
)
from ctrnn.analysis.settings import AnalyzeSettings
from ctrnn.analysis.state_space import StateSpace, principal_components
from ctrnn.analysis.targeted import project, targeted_axes
from ctrnn.core.population import mean_sd
from ctrnn.core.rng import generator
from ctrnn.network import Network


@dataclass(frozen=True)
class Represented:
    """One network: its state space, the regressors of its trials, and arrays by name."""

    space: StateSpace
    design: Design
    arrays: dict[str, np.ndarray]
    targeted: dict[str, np.ndarray]
    single_trial_variance: np.ndarray


def represent(
    recording: Recording, network: Network, seed: int, settings: AnalyzeSettings
) -> Represented:
    """Everything about one network's rates."""
    averages = recording.averages
    space = principal_components(averages, settings.n_components)
    single = principal_components(recording.binned, settings.n_components)
    regressors = design(recording.rows, recording.choice)
    confined = principal_components(averages, settings.denoise_components)
    axes = targeted_axes(recording.binned, regressors, confined)
    roles = settings.roles
    selective = selectivity(
        peak_rates(recording.binned, regressors, axes.peak),
        regressors,
        roles.permutations,
        roles.false_discovery_rate,
        generator(seed, "analyze", "permutations"),
    )
    silent, saturated = silent_and_saturated(averages, roles.silent_rate, roles.saturated_rate)
    W, sign = network.W_eff.astype(np.float64), network.wiring.sign
    excitation, inhibition = currents(averages, W)
    pairs = zip(selective.d_prime, selective.selective, strict=True)
    groups = [group_weights(W, sign, d, some) for d, some in pairs]
    return Represented(
        space,
        regressors,
        {
            "d_prime": selective.d_prime,
            "p": selective.p,
            "selective": selective.selective,
            "group_weights": np.reshape(groups, (len(groups), 4, 4)).astype(np.float64),
            "sign": sign,
            "silent": silent,
            "saturated": saturated,
            "excitation": excitation.mean(axis=(0, 1)),
            "inhibition": inhibition.mean(axis=(0, 1)),
            "excitation_in_time": excitation.mean(axis=(0, 2)),
            "inhibition_in_time": inhibition.mean(axis=(0, 2)),
            "tracking": tracking(excitation, inhibition),
        },
        {
            "projections": project(averages, axes, confined).transpose(2, 0, 1),
            "strength": axes.strength.T,
            "peak": axes.peak * settings.time_bin,
        },
        single.explained_variance,
    )


def common(names: Sequence[str], each: Sequence[Represented], part: str) -> dict[str, np.ndarray]:
    """Arrays of all networks, with a leading axis for them; zeros for a regressor that a network's trials lack."""
    by_regressor = {"d_prime", "p", "selective", "group_weights", "projections", "strength", "peak"}
    stacked = {}
    for name, first in getattr(each[0], part).items():
        if name not in by_regressor:
            stacked[name] = np.stack([getattr(one, part)[name] for one in each])
            continue
        full = np.zeros((len(each), len(names), *first.shape[1:]), first.dtype)
        for i, one in enumerate(each):
            places = [names.index(regressor) for regressor in one.design.names]
            full[i, places] = getattr(one, part)[name]
        stacked[name] = full
    return stacked


def regressors(each: Sequence[Represented]) -> list[str]:
    """Names of the regressors of any network, the choice first."""
    return list(dict.fromkeys(name for one in each for name in one.design.names))


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
        "silent_units": {kind: share(roles["silent"], of) for kind, of in kinds.items()},
        "saturated_units": {kind: share(roles["saturated"], of) for kind, of in kinds.items()},
        "inhibition_over_excitation": mean_sd(ratio.tolist()),
        "current_tracking": mean_sd(np.median(roles["tracking"], axis=1).tolist()),
    }
