"""reports/index.html: one page with figures inside it, that opens anywhere without a network.

Each task has a section: what the stages left of it, in words and figures.
"""

from __future__ import annotations

import base64
import gc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tqdm import tqdm

from ctrnn.core import artifacts
from ctrnn.core.config import flatten
from ctrnn.figures import Results, figures, source, span, times
from ctrnn.kernel import usable_cores
from ctrnn.params import Params
from ctrnn.tasks import get_task, one_of_each, read_test


class AnalysisArrays(dict[str, dict[str, np.ndarray]]):
    """Arrays of each analysis by its name, read from a task's folder when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, name: str) -> dict[str, np.ndarray]:
        """Read the file of an analysis."""
        self[name] = artifacts.read_arrays(self._folder / f"{name}.npz")
        return self[name]


def read(name: str, params: Params, root: Path) -> Results:
    """Read the results of a task.

    Args:
        name: Of the task.
        params: The whole of params.yaml, or the sections that the report uses.
        root: Of the checkout, below which artifacts and metrics are.

    Returns:
        What its figures are drawn from.
    """
    generated, trained, evaluated, analyzed = (
        artifacts.folder(stage, name, root)
        for stage in ("generate", "train", "evaluate", "analyze")
    )
    task, trials = get_task(name, params.tasks, params.network.dt), read_test(generated)
    example = one_of_each(trials)
    over = np.arange(len(example.inputs))[:, None, None] >= task.ends(example.conditions)[:, None]
    by_condition = trials.conditions.groupby("condition", sort=True).head(1)
    evaluation = artifacts.read_json(artifacts.metrics_path("evaluate", name, root))
    analysis = artifacts.read_json(artifacts.metrics_path("analyze", name, root))
    networks = artifacts.read_json(trained / "summary.json")["networks"]
    accuracies = evaluation["accuracy"]["per_network"]
    return Results(
        analysis_arrays=AnalysisArrays(analyzed),
        evaluation=evaluation,
        analysis=analysis,
        networks=[{**run, "accuracy": a} for run, a in zip(networks, accuracies, strict=True)],
        history=artifacts.read_table(trained / "history.csv"),
        test=trials.conditions,
        inputs=np.where(over, np.nan, example.inputs),
        targets=np.where(over, np.nan, example.targets),
        labels=example.conditions["condition"].tolist(),
        samples=artifacts.read_arrays(evaluated / "outputs.npz"),
        channels=task.channels,
        outputs=task.outputs,
        windows=task.windows(trials.conditions),
        example_windows=task.windows(example.conditions),
        dt=task.dt,
        evidence_unit=task.evidence_unit,
        seen=np.stack(
            [e.picks(by_condition.sort_values("condition")) for e in task.constant_inputs()]
        ),
        has_every_curve=task.is_graded == task.has_curve,
        left_out=f" {analysis['left_out']}" if "left_out" in analysis else "",
        held=f" {analysis['held_times']}" if "held_times" in analysis else "",
        accuracy_criterion=params.train.accuracy_criterion,
        best_accuracy=task.best_accuracy,
    )


def section(name: str, params: Params, root: Path) -> dict[str, Any]:
    """What the template shows of a task; where `report.figures` is true, its figures are drawn into their folder."""
    results = read(name, params, root)
    return {
        "name": name,
        "headline": headline(results, params),
        "shortfall": shortfall(results, params),
        "left_out": results.left_out,
        "held": results.held,
        "evaluation": results.evaluation,
        "networks": results.networks,
        "mechanism": mechanism(results.analysis),
        "selects": "selection_ratio" in results.analysis,
        "settings": flatten(params.tasks[name].model_dump()),
        "figures": drawn(name, results, params, root),
    }


def drawn(name: str, results: Results, params: Params, root: Path) -> list[dict[str, str]]:
    """Draw every figure of a task into reports/figures/<task>/.

    Where `report.figures` is false, a note is left there, and what draws is not imported.

    Returns:
        name, title, caption, source (the artifact that it is drawn from) and data (base64) of each.
    """
    folder = artifacts.figures_folder(name, root)
    if not params.report.figures:
        note = folder / artifacts.NO_FIGURES
        artifacts.replace(note, "report.figures is false in params.yaml\n")
        return []
    from ctrnn.figures.style import png

    shown = []
    for stem, module in figures().items():
        if (figure := module.draw(results)) is None:
            continue
        image = png(figure, params.report.dpi)
        artifacts.replace(folder / f"{stem}.png", image)
        shown.append({
            "name": stem,
            "title": module.TITLE,
            "caption": module.caption(results),
            "source": source(stem, name),
            "data": base64.b64encode(image).decode(),
        })  # fmt: skip
    return shown


def headline(results: Results, params: Params) -> str:
    """A task's result in a sentence."""
    reached = [run["iterations"] for run in results.networks if run["converged"]]
    settings = params.train
    goal = {
        "accuracy": f"accuracy {settings.accuracy_criterion:g}",
        "loss": f"loss {settings.loss_criterion:g}",
    }.get(settings.stop_criterion, "the criterion")
    count = f"{len(reached)} of {len(results.networks)} networks reached {goal}"
    when = f" after {span(reached)} iterations" if reached else ""
    return f"{count}{when}; accuracy on test trials {times(results.evaluation['accuracy'], 3)}."


def shortfall(results: Results, params: Params) -> str:
    """The networks that did not converge, with what they lack, in a sentence; empty where there are none."""
    missed, all_lacks = [], results.analysis.get("lacks")
    for run in results.networks:
        if not run["converged"]:
            lacks = all_lacks[run["network"]] if all_lacks else []
            missed.append(
                f"network {run['network']} (seed {run['seed']}, {run['validation_accuracy']:.3f} on validation trials "
                f"after {run['iterations']} iterations{'; it has ' * bool(lacks)}{', '.join(lacks)})"
            )
    train = params.train
    needed = train.check_every * train.patience
    none = (
        f" None could converge: train.patience = {train.patience} checks, one every "
        f"{train.check_every} iterations, take {needed}, and train.max_iterations = {train.max_iterations}."
    )
    bound = (
        f" An ideal observer is right on {results.best_accuracy:.3f} of the trials, below train.accuracy_criterion = "
        f"{train.accuracy_criterion:g}."
    )
    return (
        f"Not converged: {', '.join(missed)}.{none * (needed > train.max_iterations)}"
        f"{bound * (results.best_accuracy < train.accuracy_criterion)}"
        if missed
        else ""
    )


def mechanism(analysis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row per constant input and network: its fixed points, and the point at which it was linearised."""
    ratios = analysis.get("selection_ratio", {})
    return [
        {
            "input": name.replace("_", " "),
            "network": i,
            **{kind: report[kind][i] for kind in ("stable", "saddle", "slow", "verdict")},
            **{
                key: report[key][i]
                for key in ("linearised_at", "rate", "doubling_time", "decay_time")
            },
            "selection_ratio": ratios[name][i] if name in ratios else None,
        }
        for name, report in analysis["fixed_points"].items()
        for i in range(len(report["stable"]))
    ]


TEMPLATE = Path(__file__).with_name("page.html.j2")


def build(params: Params, root: str | Path = ".") -> None:
    """Draw the figures of every task of params.yaml and write the page, from the stages' files alone."""
    root = Path(root)
    names = list(params.tasks)
    with ExitStack() as stack:
        each: Callable[..., Iterator[dict[str, Any]]] = map
        workers = min(usable_cores(), len(names))  # Matplotlib draws on one core
        if params.report.figures and workers > 1:
            # A process is started anew, since a fork would take the locks of threads along.
            pool = ProcessPoolExecutor(workers, get_context("spawn"), _make_ready)
            each = stack.enter_context(pool).map
        coming = each(section, names, repeat(params), repeat(root))
        sections = list(tqdm(coming, desc="report", unit="task", total=len(names)))
    shared = params.only("seed", "network", "train", "evaluate", "analyze").decisive()
    page = render(TEMPLATE, tasks=sections, settings=flatten(shared))
    artifacts.replace(root / "reports" / "index.html", page + "\n")


def _make_ready() -> None:
    """Import what draws, which only these processes need, and search no garbage in it: a tenth of the time."""
    gc.disable()
    figures()
    gc.freeze()
    gc.enable()


def render(template: Path, **values: Any) -> str:
    """A page from a Jinja template, which may include those of this folder. Raises UndefinedError at unknown names."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, TEMPLATE.parent]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(template.name).render(**values)
