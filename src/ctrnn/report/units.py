"""Figures of units' roles, of lesions and of what holds outside training, each with what it shows in this run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ctrnn import figures
from ctrnn.report.results import Results
from ctrnn.report.words import percent, span, times

HELD = 0.9  # share of correct trials at which a task counts as done
UNITS = {
    "delay": "delay (steps)",
    "response_delay": "response delay (steps)",
    "stim_dur": "stimulus duration / trained",
    "noise": "noise / trained",
}
Drawn = tuple[Figure, str]


def roles(results: Results) -> Drawn | None:
    """Selectivity of excitatory and inhibitory units; None where trials differ in nothing."""
    stored, report = results.opened["roles"], results.analysis
    names = stored["variables"].tolist()
    if not names:
        return None
    figure = figures.roles(stored["d_prime"], stored["sign"], names)
    shares = "; ".join(
        f"{name} {_share(one['excitatory'])} and {_share(one['inhibitory'])}"
        for name, one in report["selective_units"].items()
    )
    silent, saturated = int(stored["silent"].sum()), int(stored["saturated"].sum())
    return figure, (
        f"Selective of the excitatory and the inhibitory units: {shares}. Of {stored['sign'].size} units, {silent} "
        f"{'is' if silent == 1 else 'are'} silent and {saturated} saturated."
    )


def circuit(results: Results) -> Drawn | None:
    """Currents, and wiring between selective groups; None where trials differ in nothing."""
    stored = results.opened["roles"]
    if not len(stored["variables"]):
        return None
    currents = ("excitation", "inhibition", "excitation_in_time", "inhibition_in_time", "sign")
    weights = stored["group_weights"][:, 0]
    variable = str(stored["variables"][0])
    figure = figures.circuit(
        **{name: stored[name] for name in currents}, group_weights=weights, variable=variable
    )
    ratio = results.analysis["inhibition_over_excitation"]
    follow = results.analysis["current_tracking"]
    return figure, (
        f"Inhibitory current is {times(ratio)} of the excitatory one, and over a trial the two correlate with "
        f"{times(follow)} in the median unit. Weights onto units of the opposite {variable}, as a multiple of those "
        f"onto units of the same: excitatory {opposite(weights, 0)}, inhibitory {opposite(weights, 2)}."
    )


def lesions(results: Results) -> Drawn:
    """Silenced groups against random units."""
    stored = results.opened["lesions"]
    sided = "side_half_width" in stored
    counted, width = (
        ("on the right side", "side_half_width") if sided else ("correct", "half_width")
    )
    mean, groups = stored["accuracy"][..., -1].mean(axis=0), stored["groups"].tolist()
    intact = float(stored["intact"][:, -1].mean())
    figure = figures.lesions(stored["doses"], mean, stored[width], groups, intact, counted)
    said = "; ".join(
        f"{group} {percent(mean[g, 0, 0])} (as many others {percent(mean[g, 0, 1])})"
        for g, group in enumerate(groups)
    )
    return figure, (
        f"{counted.capitalize()} after silencing {percent(stored['doses'][0])} of a group, against {percent(intact)} "
        f"when intact: {said}. Bars are 95% intervals over networks.{'' if sided else results.left_out}"
    )


def generalisation(results: Results) -> Drawn | None:
    """Settings outside training; None where analyze.generalisation has no values for this task."""
    stored = results.opened["generalisation"]
    if not stored:
        return None
    units = {**UNITS, "evidence": results.task.evidence_unit}
    curves, said = {}, []
    for name in results.analysis["generalisation"]:
        values, trained = stored[f"{name}_values"], stored[f"{name}_trained"]
        accuracy = stored[f"{name}_accuracy"]
        curves[units.get(name, name)] = (
            values,
            float(trained[0]) if len(trained) else None,
            accuracy,
        )
        said.append(f"{units.get(name, name)} {held(values, accuracy[..., 0].mean(axis=0))}")
    # The psychometric functions would follow.
    whole = accuracy.shape[-1] > 1 and results.task.is_graded == results.task.has_curve
    return figures.generalisation(curves), (
        f"At least {HELD:.0%} of trials are correct at: {'; '.join(said)}.{'' if whole else results.left_out}"
    )


def psychometric(results: Results) -> Drawn | None:
    """Choices by evidence; None for a task that has no such curve."""
    stored = results.opened["psychometric"]
    if not stored:
        return None
    kinds = stored["kinds"].tolist()
    unit = results.task.evidence_unit
    names = [f"{kind} evidence" for kind in kinds] if len(kinds) > 1 else kinds
    figure = figures.psychometric(
        stored["levels"], stored["positive"], stored["fitted"], names, unit
    )
    said = "; ".join(
        f"{kind} {span(stored['slopes'][:, k], '.1f')}" for k, kind in enumerate(kinds)
    )
    width = np.ptp(stored["slope_intervals"], axis=2).max()
    return figure, (
        f"Slopes of the logistic fits, per unit of the axis: {said} (95% intervals at most {width:.1f} wide); lapses "
        f"{span(100 * stored['lapse'], '.1f')}%."
    )


def similarity(results: Results) -> Drawn:
    """Networks compared, and dimensions."""
    stored, space = results.opened["similarity"], results.state_space
    averaged, single = space["explained_variance"], space["single_trial_variance"]
    figure = figures.similarity(stored["before"], stored["after"], averaged, single)
    alike = results.analysis["similarity"]
    n = averaged.shape[1]
    said = (
        f"Representations of two networks have a CKA of {times(alike['before'])} before and {times(alike['after'])} "
        "after training. "
        if alike["after"]["mean"] is not None
        else ""
    )
    return figure, (
        f"{said}{n} components hold {span(100 * averaged.sum(axis=1), '.0f')}% of the variance of trial averages and "
        f"{span(100 * single.sum(axis=1), '.0f')}% of that of single trials."
    )


def held(values: Sequence[float] | np.ndarray, share: np.ndarray) -> str:
    """Values with at least HELD correct, in words."""
    good = [f"{value:g}" for value, one in zip(values, share, strict=True) if one >= HELD]
    if not good:
        return "none"
    return "all" if len(good) == len(share) else ", ".join(good)


def opposite(weights: np.ndarray, first: int) -> str:
    """Mean weight onto units of the other preference over that onto units of the same, from groups `first` and next."""
    same = weights[:, [0, 1, 2, 3], [first, first + 1] * 2].mean()
    other = weights[:, [1, 0, 3, 2], [first, first + 1] * 2].mean()
    return f"{other / same:.2f}" if same else "none"


def _share(spread: dict[str, Any]) -> str:
    return "none" if spread["mean"] is None else percent(spread["mean"])
