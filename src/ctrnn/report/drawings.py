"""The figures of a task, drawn from its artifacts, each with what it shows in this run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ctrnn import artifacts, figures
from ctrnn.params import Params
from ctrnn.report.words import percent, span, times


@dataclass(frozen=True)
class Drawing:
    """A figure on disk, a sentence on what it shows, and the artifact it was drawn from."""

    path: Path
    title: str
    shows: str
    source: str


@dataclass(frozen=True)
class Results:
    """What the stages left of a task."""

    name: str
    summary: list[dict[str, Any]]
    history: pd.DataFrame
    test: pd.DataFrame
    samples: dict[str, np.ndarray]
    state_space: dict[str, np.ndarray]
    spectrum: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    evaluation: dict[str, Any]
    analysis: dict[str, Any]


def read(task: str, root: Path) -> Results:
    """The results of a task, from its artifacts and metrics."""
    generated, trained, evaluated, analyzed = (
        artifacts.folder(stage, task, root) for stage in ("generate", "train", "evaluate", "analyze")
    )
    return Results(
        name=task,
        summary=artifacts.read_json(trained / "summary.json")["networks"],
        history=artifacts.read_table(trained / "history.csv"),
        test=artifacts.read_table(generated / "test.csv"),
        samples=artifacts.read_arrays(evaluated / "outputs.npz"),
        state_space=artifacts.read_arrays(analyzed / "state_space.npz"),
        spectrum=artifacts.read_arrays(analyzed / "spectrum.npz"),
        weights=artifacts.read_arrays(analyzed / "weights.npz"),
        evaluation=artifacts.read_json(artifacts.metrics_path("evaluate", task, root)),
        analysis=artifacts.read_json(artifacts.metrics_path("analyze", task, root)),
    )


def draw(results: Results, params: Params, root: Path) -> list[Drawing]:
    """Draw every figure of a task into reports/figures/<task>/."""
    folder = artifacts.figures_folder(results.name, root)
    made = [_curves(results, params), _outputs(results, params), _space(results)]
    made += [_spectrum(results, params), _weights(results)]
    sample = folder / "sample_trials.png"
    generated = artifacts.folder("generate", results.name, root)
    shutil.copyfile(generated / sample.name, sample)
    n_conditions = results.test["condition"].nunique()
    drawings = [
        Drawing(
            sample,
            "Sample trials",
            f"A trial of each of the {n_conditions} conditions: inputs, and the target with the response window "
            f"shaded. The {len(results.test)} test trials are exactly balanced over them.",
            f"artifacts/generate/{results.name}/test.npz",
        )
    ]
    for name, title, figure, shows, source in made:
        figures.save(figure, folder / f"{name}.png", params.report.dpi)
        drawings.append(Drawing(folder / f"{name}.png", title, shows, source))
    return drawings


Made = tuple[str, str, Figure, str, str]


def _curves(results: Results, params: Params) -> Made:
    history = results.history
    missed = [run["network"] for run in results.summary if not run["converged"]]
    figure = figures.training_curves(
        history["iteration"].to_numpy(),
        history["network"].to_numpy(),
        history["loss"].to_numpy(),
        history["accuracy"].to_numpy(),
        history["gradient_norm"].to_numpy(),
        params.train.accuracy_criterion,
        missed,
    )
    last = history.groupby("network").tail(1)
    shows = (
        f"The loss fell to {span(last['loss'], '.3g')} of the training batch in "
        f"{span([run['iterations'] for run in results.summary])} iterations; by then "
        f"{span(100 * last['vanished_synapses'], '.1f')}% of the synapses had vanished."
    )
    source = f"artifacts/train/{results.name}/history.csv"
    return "training_curves", "Training", figure, shows, source


def _outputs(results: Results, params: Params) -> Made:
    labels = results.test["condition"].to_numpy()[results.samples["trials"]].tolist()
    window = getattr(params.tasks[results.name], "window")  # noqa: B009
    figure = figures.outputs(results.samples["outputs"], results.samples["targets"], labels, window)
    shares = results.evaluation["accuracy_by_condition"]
    worst = min(shares, key=lambda label: shares[label])
    shows = (
        f"Outputs on {len(labels)} test trials. The condition answered worst is {worst}, "
        f"with {percent(shares[worst])} correct."
    )
    source = f"artifacts/evaluate/{results.name}/outputs.npz"
    return "outputs", "Outputs against targets", figure, shows, source


def _space(results: Results) -> Made:
    stored = results.state_space
    labels = stored["conditions"].tolist()
    figure = figures.state_space(stored["projections"], stored["explained_variance"], labels)
    two = stored["explained_variance"][:, :2].sum(axis=1)
    dimensions = results.analysis["participation_ratio"]["per_network"]
    shows = (
        f"Rates averaged over trials of a condition, in their principal components. The first two hold "
        f"{span(100 * two, '.0f')}% of the variance; {span(dimensions, '.1f')} dimensions are in use "
        "(participation ratio)."
    )
    source = f"artifacts/analyze/{results.name}/state_space.npz"
    return "state_space", "State space", figure, shows, source


def _spectrum(results: Results, params: Params) -> Made:
    edge = {"sigmoid": 4.0, "relu": 1.0}[params.network.activation]
    figure = figures.spectrum(results.spectrum["before"], results.spectrum["after"], edge)
    radius = results.analysis["spectral_radius"]
    shows = (
        f"Training took the spectral radius of the effective weights from {times(radius['before'])} "
        f"to {times(radius['after'])}."
    )
    source = f"artifacts/analyze/{results.name}/spectrum.npz"
    return "spectrum", "Eigenvalues of the recurrent weights", figure, shows, source


def _weights(results: Results) -> Made:
    figure = figures.weights(**results.weights)
    parts = []
    for population in ("excitatory", "inhibitory"):
        stats = results.analysis["weights"][population]
        before, after = (
            np.mean([net["density"] for net in stats[when]]) for when in ("before", "after")
        )
        units = stats["after"][0]["units"]
        parts.append(f"{units} {population} units (density {before:.3f} before, {after:.3f} after)")
    dale = results.analysis["dale"]
    kept = "held exactly" if dale["holds"] else (
        f"BROKEN: {dale['sign_changes']} signs, {dale['off_pattern']} weights off the pattern"
    )  # fmt: skip
    rule = "Dale's principle and the sparse pattern" if dale["applies"] else "The sparse pattern"
    shows = f"Synapses of {' and '.join(parts)}. {rule} {kept}."
    source = f"artifacts/analyze/{results.name}/weights.npz"
    return "weights", "Recurrent weights", figure, shows, source
