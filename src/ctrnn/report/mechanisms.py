"""Figures of fixed points, selection and targeted axes, each with what it shows in this run."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from ctrnn import figures
from ctrnn.report.results import Results
from ctrnn.report.words import percent, span, tally

LATE = 0.5  # irrelevant evidence that moves the state this share of relevant evidence has entered; less is kept out
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
        stored["projection"],
    )
    said = []
    for name in epochs:
        report = results.analysis["fixed_points"][name]
        said.append(f"{name.replace('_', ' ')}: {tally(report['verdict'])}")
    saddles = stored["rates_per_tau"][np.array(kinds, dtype=str) == "saddle"]
    unstable = stored["unstable"][np.array(kinds, dtype=str) == "saddle"]
    grow = (
        f" Unstable dimensions of the saddles ({len(saddles)}): {span(unstable)}, which grow at "
        f"{span(saddles[:, 0], '.2f')} per time constant."
        if len(saddles)
        else " There is no saddle."
    )
    far = int((np.array(kinds, dtype=str) == "outside").sum())
    outside = f" Points far from every state that trials visit, not drawn: {far}." if far else ""
    return figure, f"Under a constant input, without noise: {'; '.join(said)}.{grow}{outside}"


def slow_points(results: Results) -> Drawn:
    """The test that tells a line attractor from slow points."""
    stored = results.opened["fixed_points"]
    survivors, tolerances = stored["survivors"], stored["tolerances"]
    figure = figures.slow_points(survivors, tolerances, stored["epochs"].tolist())
    verdicts = [v for one in results.analysis["fixed_points"].values() for v in one["verdict"]]
    lines = sum("attractor" in verdict for verdict in verdicts)
    says = (
        f"{lines} of {len(verdicts)} are line attractors" if lines else "none is a line attractor"
    )
    return figure, (
        f"Distinct states slower than q = {tolerances[0]:g}: {span(survivors[..., 0].ravel())}; below "
        f"q = {tolerances[-1]:g} {span(survivors[..., -1].ravel())} are left, and {says}, which would keep them all."
    )


def targeted(results: Results) -> Drawn | None:
    """Axes of choice and variables; None where trials differ in nothing."""
    stored = results.opened["targeted"]
    names = stored["variables"].tolist()
    if not names:
        return None
    left_out = "" if "choice" in names else results.left_out
    labels = results.state_space["conditions"].tolist()
    figure = figures.targeted(stored["projections"], names, labels)
    late = results.analysis.get("late_selection", {}).values()
    own, choice = (
        [share for one in late for share in one.get(axis, ()) if share is not None]
        for axis in ("own_axis", "choice_axis")
    )
    if not own or not choice:
        peaks = ", ".join(f"{name} {span(stored['peak'][:, k])}" for k, name in enumerate(names))
        return (
            figure,
            f"Axes of the task's variables; each is strongest at step: {peaks}.{left_out}",
        )
    is_late = np.median(own) > LATE > np.median(choice)
    verdict = (
        "it enters and is not integrated: late selection" if is_late else "selection is not late"
    )
    return figure, (
        f"Irrelevant evidence moves the state {span(own, '.2f')} times as far as relevant evidence along its own "
        f"axis, and {span(choice, '.2f')} times as far along the choice: {verdict}.{left_out}"
    )


def selection(results: Results) -> Drawn | None:
    """What the slow mode takes up; None where no network has a point to linearise at."""
    stored = results.opened["fixed_points"]
    if (stored["linearised"] < 0).all():
        return None
    figure = figures.selection(stored["overlap"], stored["epochs"].tolist(), list(results.channels))
    reports = results.analysis["fixed_points"].values()
    where = tally([w or "no point" for one in reports for w in one["linearised_at"]])
    errors = [error for one in reports for error in one["linear_error"] if error is not None]
    closeness = (
        f" Linear predictions are within {percent(max(errors))} of simulated pulses."
        if errors
        else ""
    )
    ratios = results.analysis.get("selection_ratio")
    if ratios is None:
        channel = int(stored["overlap"].mean(axis=(0, 1)).argmax())
        most = f"{results.channels[channel]} overlaps most, {stored['overlap'][..., channel].mean():.2f}"
        return figure, f"Selection vector ({where}): {most}.{closeness}"
    said = ", ".join(
        f"{name} {span([v for v in one if v is not None], '.1f')}"
        for name, one in ratios.items()
        if any(one)
    )
    return figure, (
        f"Overlap of the selection vector ({where}) with the relevant input, as a multiple of that with the "
        f"irrelevant one: {said}.{closeness}"
    )
