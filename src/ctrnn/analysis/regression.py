"""Regression of rates on what differs between trials: the choice and the variables of the condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from ctrnn.analysis.recording import Recording

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


def design(rows: pd.DataFrame, choice: Float[np.ndarray, " trial"]) -> Design:
    """The choice, then the condition's numbers, then its words; what earlier ones make redundant is left out.

    Numbers are taken as they are, two words as +1 and -1 in alphabetical order, more words as one regressor for each
    but the first. Trials without a choice are left out, unless none has one; then the choice is.
    """
    trials = ~np.isnan(choice) if (~np.isnan(choice)).any() else np.ones(len(choice), bool)
    columns: dict[str, np.ndarray] = {"choice": np.nan_to_num(choice[trials]).astype(np.float64)}
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
