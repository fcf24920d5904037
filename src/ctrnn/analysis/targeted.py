"""Targeted dimensionality reduction: one axis for each variable that a trial varies.

Mante, Sussillo, Shenoy & Newsome (2013, Nature 503:78), supplementary section 6: rates are regressed on the variables
at every time, coefficients are confined to the leading principal components, each variable takes its coefficients at
the time where they are longest, and the axes are made orthogonal in the order of the variables. Rates are not divided
by their standard deviation here, since all units have the same range.

In the same paper irrelevant evidence moves the state as relevant evidence does, and is not integrated: it is kept out
of the choice only, and the selection is late.

`design` and `coefficients` regress rates on what differs between trials: the choice and the variables of the condition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Shaped

from ctrnn.analysis.recording import NetworkRecording, Recording, Result
from ctrnn.analysis.state_space import StateSpace, principal_components, spaces
from ctrnn.tasks import ConstantInput

NOT_VARIABLES = frozenset({"split", "trial", "condition", "noise_seed"})  # columns of a trial table


@dataclass(frozen=True)
class Design:
    """names of the regressors; values, each scaled to a largest size of 1; trials: those with a choice."""

    names: tuple[str, ...]
    values: Float[np.ndarray, "trial regressor"]
    trials: Bool[np.ndarray, " all"]

    @property
    def matrix(self) -> Float[np.ndarray, "trial column"]:
        """The regressors and, last, a constant."""
        return np.c_[self.values, np.ones(len(self.values))]


def design(rows: pd.DataFrame, choice: Shaped[np.ndarray, " trial"]) -> Design:
    """The choice, then the condition's numbers, then its words; what earlier ones make redundant is left out.

    Numbers are taken as they are, two words as +1 and -1 in alphabetical order, more words as one regressor for each
    but the first. A choice that is a word has one regressor for each but the last that occurs, which the others are
    measured against.
    Trials without a choice are left out, unless none has one; then the choice is.
    """
    missing = pd.isna(choice)
    trials = np.ones(len(choice), bool) if missing.all() else ~missing
    answered = choice[trials]
    if choice.dtype == object:
        columns = {f"choice={w}": (answered == w).astype(np.float64) for w in sorted(set(answered))}
    else:
        columns = {"choice": np.nan_to_num(answered).astype(np.float64)}
    variables = rows.loc[trials, [name for name in rows.columns if name not in NOT_VARIABLES]]
    numbers = variables.select_dtypes("number")
    columns |= {str(name): numbers[name].to_numpy(np.float64) for name in numbers.columns}
    for name, column in variables.select_dtypes(exclude="number").items():
        words = sorted(column.unique())
        if len(words) == 2:
            columns[str(name)] = np.where(column == words[0], 1.0, -1.0)
        else:
            columns |= {f"{name}={w}": (column == w).to_numpy(np.float64) for w in words[1:]}
    kept: dict[str, np.ndarray] = {}
    for name, values in columns.items():
        if not values.any():
            continue
        scaled = values / np.abs(values).max()
        more = np.stack([*kept.values(), np.ones(len(values)), scaled], axis=1)
        if np.linalg.matrix_rank(more) == more.shape[1]:
            kept[name] = scaled
    values = np.stack(list(kept.values()), axis=1) if kept else np.empty((int(trials.sum()), 0))
    return Design(tuple(kept), values, trials)


def coefficients(
    design: Design, rates: Float[np.ndarray, "*bin trial unit"]
) -> Float[np.ndarray, "*bin regressor unit"]:
    """Least squares coefficients of all regressors together, at every time."""
    return (np.linalg.pinv(design.matrix) @ rates.astype(np.float64))[..., :-1, :]


def designs(recording: Recording) -> list[Design]:
    """The design of every network's trials, which differ in the networks' choices."""
    return [design(rates.rows, rates.choice) for rates in recording.rates]


def regressors(each: Sequence[Design]) -> list[str]:
    """Names of the regressors of any network, the choice first."""
    return list(dict.fromkeys(name for own in each for name in own.names))


def common(
    names: Sequence[str], each: Sequence[Design], arrays: Sequence[dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Arrays of all networks, with a leading axis for them.

    Args:
        names: Of the regressors, as `regressors` gives them.
        each: Design of every network.
        arrays: Of every network by name, whose first axis is that of its own regressors.

    Returns:
        Arrays [network, regressor, ...] by name; 0 for a regressor that a network's trials lack.
    """
    places = [[names.index(name) for name in own.names] for own in each]
    stacked = {}
    for key, first in arrays[0].items():
        stacked[key] = np.zeros((len(each), len(names), *first.shape[1:]), first.dtype)
        for full, at, own in zip(stacked[key], places, arrays, strict=True):
            full[at] = own[key]
    return stacked


@dataclass(frozen=True)
class Targeted:
    """axes: orthogonal unit vectors; strength: length of the coefficients; peak: the bin where that is largest.

    components: the principal components that coefficients are confined to.

    Of more regressors than units, the later ones have no direction left: their axes are 0.
    """

    axes: Float[np.ndarray, "regressor unit"]
    strength: Float[np.ndarray, "bin regressor"]
    peak: Int[np.ndarray, " regressor"]
    components: Float[np.ndarray, "unit component"]


def targeted_axes(
    binned: Float[np.ndarray, "bin trial unit"], design: Design, space: StateSpace
) -> Targeted:
    """Axes for the regressors of `design`; `space` has the principal components that they are confined to."""
    betas = coefficients(design, binned[:, design.trials])
    betas = betas @ space.axes @ space.axes.T
    strength = np.linalg.norm(betas, axis=2)
    peak = strongest(strength)
    longest = betas[peak, np.arange(betas.shape[1])]
    axes = np.zeros_like(longest)
    if len(longest):
        orthogonal, along = np.linalg.qr(longest.T)
        axes[: orthogonal.shape[1]] = (orthogonal * np.where(np.diag(along) < 0, -1, 1)).T
    return Targeted(axes, strength, peak, space.axes)


def strongest(strength: Float[np.ndarray, "bin each"]) -> Int[np.ndarray, " each"]:
    """The bin where coefficients are longest, the first of those that are as long to six decimals."""
    bins: np.ndarray = np.round(strength, 6).argmax(axis=0)
    return bins


def project(
    averages: Float[np.ndarray, "condition time unit"], targeted: Targeted, space: StateSpace
) -> Float[np.ndarray, "condition time regressor"]:
    """Trial-averaged rates along the axes, from their mean."""
    return ((averages - space.mean) @ targeted.axes.T).astype(np.float32)


def axes_of_networks(recording: Recording) -> list[Targeted]:
    """Axes of every trained network, in its leading principal components."""
    n_components = recording.settings.denoise_components
    pairs = zip(recording.rates, recording.once(designs), strict=True)
    return [
        targeted_axes(rates.binned, design, principal_components(rates.averages, n_components))
        for rates, design in pairs
    ]


def compute(recording: Recording) -> Result:
    """Trajectories along the axis of each variable.

    Returns:
        variables: names. projections: [network, variable, condition, time]. strength: [network, variable, bin]. peak:
        ms [network, variable]. And the metric late_selection, where contexts choose between kinds of evidence.
    """
    each = recording.once(designs)
    names = regressors(each)
    networks = zip(
        recording.rates, recording.once(axes_of_networks), recording.once(spaces), strict=True
    )
    arrays = common(names, each, [
        {
            "projections": project(rates.averages, axes, space).transpose(2, 0, 1),
            "strength": axes.strength.T,
            "peak": axes.peak * recording.settings.time_bin,
        }
        for rates, axes, space in networks
    ])  # fmt: skip
    late = late_selection(
        recording.rates, names, arrays["projections"], recording.task.constant_inputs()
    )
    metrics = {"late_selection": late} if late else {}
    return {"variables": np.array(names), **arrays}, metrics


def late_selection(
    recordings: Sequence[NetworkRecording],
    names: Sequence[str],
    projections: np.ndarray,
    epochs: Sequence[ConstantInput],
) -> dict[str, Any]:
    """How far evidence moves the state when it is irrelevant, as a share of how far when relevant.

    `own_axis`: along the axis of that evidence, near 1 where selection is late; `choice_axis`: along the choice, near
    0 where irrelevant evidence is not integrated. Lists over networks, by the variable.
    """
    report: dict[str, Any] = {}
    for epoch in epochs:
        variable = epoch.relevant
        ignored = next((e for e in epochs if variable and e.irrelevant == variable), None)
        if variable is None or ignored is None or variable not in names:
            continue
        for axis, name in (("own_axis", variable), ("choice_axis", "choice")):
            if name in names:
                along = projections[:, names.index(name)]
                far = [
                    [separation(rates, path, e, variable) for e in (epoch, ignored)]
                    for rates, path in zip(recordings, along, strict=True)
                ]
                report.setdefault(variable, {})[axis] = [i / r if r else None for r, i in far]
    return report


def separation(
    recording: NetworkRecording, path: np.ndarray, epoch: ConstantInput, variable: str
) -> float:
    """Largest distance over time between conditions of positive and of negative `variable`, path [condition, time]."""
    conditions = recording.rows.groupby("condition").first()
    seen, value = epoch.picks(conditions), conditions[variable].to_numpy()
    apart = path[seen & (value > 0)].mean(axis=0) - path[seen & (value < 0)].mean(axis=0)
    return float(np.abs(apart).max())
