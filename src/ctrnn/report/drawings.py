"""The figures of a task, drawn from its artifacts, each with what it shows in this run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ctrnn import figures
from ctrnn.core import artifacts
from ctrnn.figures.sample_trials import MOST
from ctrnn.figures.style import MOST_ENTRIES
from ctrnn.report import mechanisms, units
from ctrnn.report.results import Results
from ctrnn.report.words import percent, span, times

SLOPE_AT_ZERO = {"sigmoid": 0.25, "relu": 1.0}  # of the activation, coming from above


@dataclass(frozen=True)
class Drawing:
    """A figure in words. source: the artifact that it is made from; png: its bytes."""

    name: str
    title: str
    shows: str
    source: str
    png: bytes


def draw(results: Results, root: Path) -> list[Drawing]:
    """Draw every figure of a task into reports/figures/<task>/."""
    folder = artifacts.figures_folder(results.name, root)
    drawings = []
    for name, (title, source, make) in FIGURES.items():
        made = make(results)
        if made is None:
            continue
        figure, shows = made
        png = figures.png(figure, results.params.report.dpi)
        path = source.format(task=results.name)
        drawings.append(Drawing(name, title, shows, f"artifacts/{path}", png))
        artifacts.replace(folder / f"{name}.png", png)
    return drawings


def _sample_trials(results: Results) -> tuple[Figure, str]:
    example, task = results.example, results.task
    labels = example.conditions["condition"].tolist()
    figure = figures.sample_trials(
        example.inputs, example.targets, labels, task.channels, results.window, task.outputs
    )
    n_trials, n = len(results.test), results.test["condition"].nunique()
    which = f"each of the {n}" if n <= MOST else f"{MOST} of the {n}"
    return figure, (
        f"A trial of {which} conditions: inputs, and below them the target with the response window "
        f"shaded. The {n_trials} test trials have {n_trials // n} of each condition."
    )


def _training_curves(results: Results) -> tuple[Figure, str]:
    history = results.history
    figure = figures.training_curves(
        history["iteration"].to_numpy(),
        history["network"].to_numpy(),
        history["loss"].to_numpy(),
        history["accuracy"].to_numpy(np.float64),
        history["gradient_norm"].to_numpy(),
        results.params.train.accuracy_criterion,
        results.failed,
    )
    last = history.groupby("network").tail(1)
    return figure, (
        f"In {span(run['iterations'] for run in results.networks)} iterations the loss on training "
        f"batches fell to {span(last['loss'], '.2g')}; by then "
        f"{span(100 * last['vanished_synapses'], '.1f')}% of the synapses had vanished."
    )


def _outputs(results: Results) -> tuple[Figure, str]:
    labels = results.test["condition"].to_numpy()[results.samples["trials"]].tolist()
    outputs, targets = results.samples["outputs"], results.samples["targets"]
    figure = figures.outputs(outputs, targets, labels, results.window, results.task.outputs)
    shares = results.evaluation["accuracy_by_condition"]
    worst = min(shares, key=lambda label: shares[label])
    verdict = f"Least often right: {worst}, {percent(shares[worst])}."
    if shares[worst] == 1:
        verdict = "Every test trial of every condition is answered right."
    off = np.abs(outputs - targets)[:, results.window].mean(axis=(1, 2, 3))
    return figure, (
        f"Outputs on {len(labels)} test trials, targets dotted. In the response window (shaded) an "
        f"output is {span(off, '.2f')} off its target on average. "
        f"{verdict}"
    )


def _state_space(results: Results) -> tuple[Figure, str]:
    stored = results.state_space
    shares = stored["explained_variance"]
    figure = figures.state_space(stored["projections"], shares, stored["conditions"].tolist())
    n = min(3, shares.shape[1])
    dimensions = results.analysis["participation_ratio"]["per_network"]
    n_conditions = len(stored["conditions"])
    named = min(MOST_ENTRIES, n_conditions)
    which = "" if named == n_conditions else f"{named} of the {n_conditions} conditions are named. "
    return figure, (
        f"Firing rates averaged over the trials of a condition, from start (dot) to end (triangle). {which}"
        f"{n} principal components hold {span(100 * shares[:, :n].sum(axis=1), '.0f')}% of the "
        f"variance; the participation ratio counts {span(dimensions, '.1f')} dimensions."
    )


def _spectrum(results: Results) -> tuple[Figure, str]:
    edge = 1 / SLOPE_AT_ZERO[results.params.network.activation]
    before, after = results.spectrum["before"], results.spectrum["after"]
    figure = figures.spectrum(before, after, edge)
    radius = results.analysis["spectral_radius"]
    beyond = [span((values.real > edge).sum(axis=1)) for values in (before, after)]
    return figure, (
        f"Training took the spectral radius from {times(radius['before'])} to "
        f"{times(radius['after'])}, and the number of eigenvalues right of {edge:g}, where activity "
        f"around x = 0 grows, from {beyond[0]} to {beyond[1]} a network."
    )


def _weights(results: Results) -> tuple[Figure, str]:
    figure = figures.weights(**results.weights)
    parts = []
    for population in ("excitatory", "inhibitory"):
        stats = results.analysis["weights"][population]
        before, after = (np.mean([one["density"] for one in stats[w]]) for w in ("before", "after"))
        units = span(one["units"] for one in stats["after"])
        parts.append(
            f"{units} {population} units, density {before:.3f} before and {after:.3f} after"
        )
    dale = results.analysis["dale"]
    rule = (
        "Dale's principle and the sparse pattern hold" if dale["applies"] else "The pattern holds"
    )
    verdict = (
        f"{rule} exactly"
        if dale["holds"]
        else f"BROKEN: {dale['sign_changes']} weights of the wrong sign, {dale['off_pattern']} off the pattern"
    )
    return figure, f"Existing synapses: {'; '.join(parts)}. {verdict}."


FIGURES: dict[str, tuple[str, str, Callable[[Results], tuple[Figure, str] | None]]] = {
    "sample_trials": ("Sample trials", "generate/{task}/test.npz", _sample_trials),
    "training_curves": ("Training", "train/{task}/history.csv", _training_curves),
    "outputs": ("Outputs", "evaluate/{task}/outputs.npz", _outputs),
    "generalisation": (
        "Outside training", "analyze/{task}/generalisation.npz", units.generalisation,
    ),
    "psychometric": (
        "Psychometric functions", "analyze/{task}/psychometric.npz", units.psychometric,
    ),
    "state_space": ("State space", "analyze/{task}/state_space.npz", _state_space),
    "fixed_points": ("Fixed points", "analyze/{task}/fixed_points.npz", mechanisms.fixed_points),
    "slow_points": (
        "Line attractor or slow points", "analyze/{task}/fixed_points.npz", mechanisms.slow_points,
    ),
    "selection": ("Selection vector", "analyze/{task}/fixed_points.npz", mechanisms.selection),
    "targeted": ("Targeted axes", "analyze/{task}/targeted.npz", mechanisms.targeted),
    "roles": ("Roles of units", "analyze/{task}/roles.npz", units.roles),
    "circuit": ("Currents and wiring", "analyze/{task}/roles.npz", units.circuit),
    "lesions": ("Lesions", "analyze/{task}/lesions.npz", units.lesions),
    "similarity": (
        "Across networks", "analyze/{task}/similarity.npz", units.similarity,
    ),
    "spectrum": ("Eigenvalues of the connectivity", "analyze/{task}/spectrum.npz", _spectrum),
    "weights": ("Synaptic weights", "analyze/{task}/weights.npz", _weights),
}  # fmt: skip
