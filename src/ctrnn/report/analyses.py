"""Figures of the opened networks, each with what it shows in this run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ctrnn import figures
from ctrnn.report.results import Results
from ctrnn.report.words import percent, span, times
from ctrnn.statistics import interval

HELD = 0.9  # share of correct trials at which a task counts as done
LATE = 0.5  # irrelevant evidence that moves the state this share of relevant evidence has entered; less is kept out
UNITS = {
    "delay": "delay (steps)",
    "response_delay": "response delay (steps)",
    "stim_dur": "stimulus duration / trained",
    "evidence": "mean evidence per step",
    "noise": "noise / trained",
}

Drawn = tuple[Figure, str]


def fixed_points(results: Results) -> Drawn:
    """Points among trajectories."""
    stored, space = results.opened["fixed_points"], results.state_space
    epochs = stored["epochs"].tolist()
    kinds = [str(stored["kinds"][k]) for k in stored["kind"]]
    figure = figures.fixed_points(
        space["projections"],
        results.seen(),
        epochs,
        stored["network"],
        stored["epoch"],
        kinds,
        stored["projection"].reshape(len(kinds), space["projections"].shape[3]),
    )
    said = []
    for name in epochs:
        report = results.analysis["fixed_points"][name]
        said.append(f"{name.replace('_', ' ')}: {tally(report['verdict'])}")
    saddles = stored["rates_per_tau"].reshape(len(kinds), -1)[np.array(kinds, dtype=str) == "saddle"]
    unstable = stored["unstable"][np.array(kinds, dtype=str) == "saddle"]
    grow = (
        f" The {len(saddles)} saddles have {span(unstable)} unstable dimensions and grow at "
        f"{span(saddles[:, 0], '.2f')} per time constant."
        if len(saddles)
        else " There is no saddle."
    )
    return figure, f"Under a constant input, without noise: {'; '.join(said)}.{grow}"


def slow_points(results: Results) -> Drawn:
    """The test that tells a line attractor from slow points."""
    stored = results.opened["fixed_points"]
    survivors, tolerances = stored["survivors"], stored["tolerances"]
    figure = figures.slow_points(survivors, tolerances, stored["epochs"].tolist())
    verdicts = [v for one in results.analysis["fixed_points"].values() for v in one["verdict"]]
    lines = sum("attractor" in verdict for verdict in verdicts)
    says = f"{lines} of {len(verdicts)} are line attractors" if lines else "none is a line attractor"
    return figure, (
        f"Distinct states slower than q = {tolerances[0]:g}: {span(survivors[..., 0].ravel())}; below "
        f"q = {tolerances[-1]:g} {span(survivors[..., -1].ravel())} are left, and {says}, which would keep them all."
    )


def targeted(results: Results) -> Drawn:
    """Axes of choice and variables."""
    stored = results.opened["targeted"]
    names = stored["variables"].tolist()
    labels = results.state_space["conditions"].tolist()
    figure = figures.targeted(stored["projections"], names, labels)
    late = results.analysis.get("late_selection")
    if not late:
        peaks = ", ".join(f"{name} {span(stored['peak'][:, k])}" for k, name in enumerate(names))
        return figure, f"Axes of the task's variables; each is strongest at step: {peaks}."
    own, choice = ([v for one in late.values() for v in one.get(a, ()) if v is not None] for a in ("own_axis", "choice_axis"))
    is_late = np.median(own) > LATE > np.median(choice)
    verdict = "it enters and is not integrated: late selection" if is_late else "selection is not late"
    return figure, (
        f"Irrelevant evidence moves the state {span(own, '.2f')} times as far as relevant evidence along its own "
        f"axis, and {span(choice, '.2f')} times as far along the choice: {verdict}."
    )


def selection(results: Results) -> Drawn:
    """What the slow mode takes up."""
    stored = results.opened["fixed_points"]
    figure = figures.selection(stored["overlap"], stored["epochs"].tolist(), list(results.channels))
    reports = results.analysis["fixed_points"].values()
    where = tally([w or "no point" for one in reports for w in one["linearised_at"]])
    errors = [error for one in reports for error in one["linear_error"] if error is not None]
    closeness = f" Linear predictions are within {percent(max(errors))} of simulated pulses." if errors else ""
    ratios = results.analysis.get("selection_ratio")
    if ratios is None:
        channel = int(stored["overlap"].mean(axis=(0, 1)).argmax())
        most = f"{results.channels[channel]} overlaps most, {stored['overlap'][..., channel].mean():.2f}"
        return figure, f"Selection vector ({where}): {most}.{closeness}"
    said = ", ".join(
        f"{name} {span([v for v in one if v is not None], '.1f')}" for name, one in ratios.items() if any(one)
    )
    return figure, (
        f"Overlap of the selection vector ({where}) with the relevant input, as a multiple of that with the "
        f"irrelevant one: {said}.{closeness}"
    )


def roles(results: Results) -> Drawn:
    """Selectivity of excitatory and inhibitory units."""
    stored, report = results.opened["roles"], results.analysis
    names = stored["variables"].tolist()
    if not names:
        return figures.roles(np.zeros((*stored["sign"].shape[:1], 1, stored["sign"].shape[1])), stored["sign"], ["none"]), "No variable."
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
    """Currents, and wiring between selective groups."""
    stored = results.opened["roles"]
    if not len(stored["variables"]):
        return None
    currents = ("excitation", "inhibition", "excitation_in_time", "inhibition_in_time", "sign")
    weights = stored["group_weights"][:, 0]
    variable = str(stored["variables"][0])
    figure = figures.circuit(*(stored[name] for name in currents), weights, variable)
    same, other = weights[:, [0, 1], [0, 1]].mean(), weights[:, [0, 1], [1, 0]].mean()
    ratio = results.analysis["inhibition_over_excitation"]
    follow = results.analysis["current_tracking"]
    compare = f"{same / other:.2f} times as strong as" if other else "the only ones beside"
    return figure, (
        f"Inhibitory current is {times(ratio)} of the excitatory one, and over a trial the two correlate with "
        f"{times(follow)} in the median unit. Excitatory weights between units of the same {variable} are {compare} "
        "those between units of opposite ones."
    )


def lesions(results: Results) -> Drawn:
    """Silenced groups against random units."""
    stored = results.opened["lesions"]
    side = stored["accuracy"][..., 1]
    mean, groups = side.mean(axis=0), stored["groups"].tolist()
    intact = float(stored["intact"][:, 1].mean())
    figure = figures.lesions(stored["doses"], mean, interval(side), groups, intact)
    said = "; ".join(
        f"{group} {percent(mean[g, 0, 0])} (as many others {percent(mean[g, 0, 1])})"
        for g, group in enumerate(groups)
    )
    return figure, (
        f"On the right side after silencing {percent(stored['doses'][0])} of a group, against {percent(intact)} when "
        f"intact: {said}. Bars are 95% intervals over networks."
    )


def generalisation(results: Results) -> Drawn:
    """Settings outside training."""
    stored = results.opened["generalisation"]
    curves, said = {}, []
    for name in results.analysis["generalisation"]:
        values, trained = stored[f"{name}_values"], stored[f"{name}_trained"]
        accuracy = stored[f"{name}_accuracy"]
        curves[UNITS.get(name, name)] = values, float(trained[0]) if len(trained) else None, accuracy
        said.append(f"{UNITS.get(name, name)} {held(values, accuracy[..., 0].mean(axis=0))}")
    return figures.generalisation(curves), (
        f"At least {HELD:.0%} of trials are correct at: {'; '.join(said)}."
    )


def psychometric(results: Results) -> Drawn | None:
    """Choices by evidence; None for a task without strengths of evidence."""
    stored = results.opened["psychometric"]
    if not stored:
        return None
    kinds = stored["kinds"].tolist()
    figure = figures.psychometric(stored["levels"], stored["positive"], stored["fitted"], kinds)
    said = "; ".join(f"{kind} {span(stored['slopes'][:, k], '.1f')}" for k, kind in enumerate(kinds))
    width = np.ptp(stored["slope_intervals"], axis=2).max()
    return figure, (
        f"Slopes of the logistic fits, per unit of evidence: {said} (95% intervals at most {width:.1f} wide); lapses "
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


def tally(names: Iterable[str]) -> str:
    """How often each name comes, the most frequent first: "bistable in 5 of 6, one stable point in 1"."""
    counted = Counter(names).most_common()
    total = sum(count for _, count in counted)
    (first, n), *rest = counted
    return ", ".join([f"{first} in {n} of {total}", *(f"{name} in {count}" for name, count in rest)])


def held(values: Sequence[float] | np.ndarray, share: np.ndarray) -> str:
    """Values with at least HELD correct, in words."""
    good = [f"{value:g}" for value, one in zip(values, share, strict=True) if one >= HELD]
    if not good:
        return "none"
    return "all" if len(good) == len(share) else ", ".join(good)


def _share(spread: dict[str, Any]) -> str:
    return "none" if spread["mean"] is None else percent(spread["mean"])
