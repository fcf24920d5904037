"""A sweep as a table, a row per network, from the tracked runs of its points."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pandas as pd

from ctrnn import analysis
from ctrnn.sweep.checkout import Experiment
from ctrnn.sweep.plan import dumped, labels
from ctrnn.tracking import reading
from ctrnn.training.settings import TrainSettings

# Measures by the metrics of a run, as `analysis.sweep_measures` gives those of the analyses.
MEASURES: dict[str, tuple[str, str]] = {
    "accuracy": ("accuracy/network_{}", "accuracy on test trials"),
    "converged": ("converged/network_{}", "met the criterion"),
    "iterations": ("iterations/network_{}", "iterations to criterion, of networks that met it"),
    **analysis.sweep_measures(),
}

# Columns of networks.csv that are no axis.
OWN = ("experiment", "task", "network", "network_seed", "run_id", *MEASURES)


def columns(axes: Iterable[str]) -> dict[str, str]:
    """Axes by dotted key -> their columns: the last part of the key, or more where another column has that name."""
    named = {key: key if name in OWN else name for key, name in labels(axes).items()}
    return {key: f"{key}.*" if name in OWN else name for key, name in named.items()}


def honest(runs: pd.DataFrame, experiments: Iterable[Experiment]) -> tuple[pd.DataFrame, list[str]]:
    """The runs without those whose settings contradict the experiment that they should be of; a sentence for each.

    runs: of `tracking.reading.table`.
    """
    if runs.empty:
        return runs, []
    at = {key: i for i, key in enumerate(runs["key"])}
    wrong: dict[int, str] = {}
    for experiment in experiments:
        for task, key in experiment.keys.items():
            if (i := at.get(key)) is not None and (
                contradiction := _contradiction(runs, i, task, experiment)
            ):
                wrong[i] = contradiction
    return runs.drop(index=runs.index[list(wrong)]), list(wrong.values())


def _contradiction(runs: pd.DataFrame, i: int, task: str, experiment: Experiment) -> str | None:
    """The first setting of run i that is not the experiment's, in a sentence; None where there is none."""
    for key, value in {"task": task, **reading.settings(task, experiment.settings)}.items():
        if key not in runs:
            continue
        tracked = runs[key].iloc[i]
        missing = not isinstance(tracked, list) and pd.isna(tracked)
        # Of a list that is too long for MLflow.
        half = isinstance(tracked, str) and not isinstance(value, str)
        if not missing and not half and tracked != value:
            return (
                f"run {runs['run_id'].iloc[i]} says {key} = {tracked}, but experiment {experiment.name} has {value}; "
                "its results are left out: delete the run in MLflow, and the same sweep makes it again"
            )
    return None


def rows(
    points: list[dict[str, Any]], experiments: Mapping[str, Experiment], runs: pd.DataFrame
) -> pd.DataFrame:
    """A row per network of each point and task: OWN, and a column per axis.

    network: its number in its run; network_seed: its own. points: name and values, as sweep.json keeps them. runs: as
    `honest` leaves them. Points without a finished experiment of these values, and tasks without a finished run, have
    no rows.
    """
    if runs.empty:
        return pd.DataFrame()
    at = {key: i for i, key in enumerate(runs["key"])}
    named = columns(key for point in points[:1] for key in point["values"])
    own = [measures(runs, number) for number in range(int(runs["train.n_networks"].max()))]
    return pd.DataFrame(
        {
            "experiment": point["name"],
            **{named[axis]: cell(value) for axis, value in point["values"].items()},
            "task": task,
            "network": number,
            "network_seed": seed,
            **own[number][i],
            "run_id": runs["run_id"].iloc[i],
        }
        for point in points
        if (experiment := experiments.get(point["name"])) and has(experiment, point["values"])
        for task, key in experiment.keys.items()
        if (i := at.get(key)) is not None
        for number, seed in enumerate(experiment.settings.network_seeds)
    )


def has(experiment: Experiment, values: Mapping[str, Any]) -> bool:
    """Whether the settings of an experiment are these values, by dotted key."""
    flat = dumped(experiment.settings)
    for key, value in values.items():
        at: Any = flat
        for part in key.split("."):
            at = at.get(part) if isinstance(at, dict) else None
        if at != value:
            return False
    return True


def distinct(rows: pd.DataFrame, axes: Iterable[str]) -> pd.DataFrame:
    """The rows with each network once, however many points have it; an axis that does not concern a network is empty.

    A network is known by its task, its own seed, and the settings that decide how it is made and measured. axes: by
    dotted key. Of `seed` there is the first, though each network has its own.
    """
    made, identity = rows.copy(), ["task", "network_seed"]
    for key, column in columns(axes).items():
        if key == "seed":
            continue
        elsewhere = ~rows["task"].map(lambda task, key=key: concerns(key, task))
        if elsewhere.any():
            made[column] = made[column].convert_dtypes().mask(elsewhere)
        identity.append(column)
    return made.drop_duplicates(identity, ignore_index=True)


def concerns(key: str, task: str) -> bool:
    """Whether a setting decides anything of one network of a task, or what is measured of it."""
    section, _, rest = key.partition(".")
    if section == "tasks":
        return rest.partition(".")[0] in ("", task)
    if section == "train":
        return rest not in TrainSettings.changes_no_result | TrainSettings.of_the_population
    return section in ("network", "evaluate", "analyze")


def averaged(rows: pd.DataFrame, axes: Iterable[str], over: Collection[str]) -> pd.DataFrame:
    """The rows with measures averaged, within the networks of each seed, over the columns of some axes."""
    if not over:
        return rows
    identity = ["task", "network_seed", *(axis for axis in axes if axis not in over)]
    measured = [name for name in MEASURES if name in rows]
    return rows.groupby(identity, sort=False, dropna=False)[measured].mean().reset_index()


def cell(value: Any) -> Any:
    """A value of an axis as a table can hold it: what is neither number nor text, as JSON."""
    return value if isinstance(value, int | float | str) else json.dumps(value)


def measures(runs: pd.DataFrame, number: int) -> list[dict[str, float]]:
    """MEASURES of the networks of this number, by run."""
    means = {
        measure: runs.filter(regex=f"^(?:{pattern.format(number)})$").mean(axis=1)
        for measure, (pattern, _) in MEASURES.items()
    }
    means["iterations"] = means["iterations"].where(means["converged"] == 1)
    return [dict(zip(means, values, strict=True)) for values in zip(*means.values(), strict=True)]
