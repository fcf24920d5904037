"""Run the experiments of experiments.yaml and keep a row per network: `make results`, for some ARGS="gain relu".

Every task at every combination of settings is a point of a sweep, run up to evaluate as a DVC experiment of the last
commit. What has its rows in reports/results/networks.csv costs nothing, whichever commit made them (delete them to make
them anew); what was interrupted goes on from its checkpoints. At the end docs/explanation/results.md is written anew
from that table.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dvc.api
import pandas as pd
from tqdm import tqdm

from ctrnn import params
from ctrnn.errors import UserError, exit_on_user_error, nearest
from ctrnn.params import Params, dialect
from ctrnn.sweep import engine, plan
from ctrnn.sweep.checkout import Checkout
from experiments import page

HERE = Path(__file__).parent
ROOT = HERE.parent
TABLE = ROOT / "reports" / "results" / "networks.csv"
SHOWN = ("p_inh", "tau", "w_gain", "n_units", "p_rec", "dale", "activation")  # columns of network.*
MEASURED = ("accuracy", "right_side", "mean_rate", "saturated_rates", "vanished_synapses")
# Of every point: a thread each, and no curves while it runs.
OWN = ("train.threads=1", "publish.live=false")


class ExperimentError(UserError):
    """An experiment cannot be run."""


@dataclass(frozen=True)
class Point:
    """One task at one combination of settings: `changes` by dotted key, and the settings that they make."""

    experiment: str
    task: str
    changes: dict[str, Any]
    settings: Params

    @property
    def key(self) -> str:
        """Hash of the settings that decide its rows. The code does too: column `commit` tells which."""
        settings = self.settings.only("seed", "network", "evaluate").decisive()
        settings["train"] = self.settings.train.of_one_network()
        settings["train"]["require_convergence"] = self.settings.train.require_convergence
        settings["task"] = {"name": self.task, **self.settings.tasks[self.task].model_dump()}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Of its DVC experiment."""
        return f"{self.experiment}-{self.task}-{self.key}"

    def in_sweep(self, shipped: Mapping[str, Any]) -> plan.Point:
        """The point of a sweep: one task, up to evaluate. shipped: the tasks of params.yaml, by name."""
        section = self.settings.tasks[self.task].model_dump()
        added = [] if self.task in shipped else [f"+tasks.{self.task}={text(section)}"]
        left_out = [f"~tasks.{name}" for name in shipped if name != self.task]
        sets = [f"{key}={text(value)}" for key, value in self.changes.items()]
        return plan.Point(
            name=self.name,
            chosen=self.changes,
            overrides=(*added, *left_out, *sets, *OWN),
            settings=self.settings,
            targets=(f"evaluate@{self.task}",),
        )


def points(names: list[str]) -> Iterator[Point]:
    """The points of these experiments, or of all. Raises ParamsError where a key or value is not allowed."""
    experiments = dialect.read(HERE / "experiments.yaml")
    shipped = with_all_tasks(ROOT / "params.yaml")
    for name in names or experiments:
        if name not in experiments:
            raise ExperimentError(f"{name} is not an experiment; {nearest(name, experiments)}")
        vary = experiments[name].get("vary", {})
        for values in itertools.product(*vary.values()):
            changes = {**experiments[name]["set"], **dict(zip(vary, values, strict=True))}
            settings = params.check(plan.changed(shipped, changes))
            for task in experiments[name]["tasks"]:
                settings.task(task)
                yield Point(name, task, changes, settings)


def with_all_tasks(path: Path) -> dict[str, Any]:
    """A params.yaml with the sections of tasks.yaml beside its own."""
    raw: dict[str, Any] = dialect.read(path)
    raw["tasks"] |= dialect.read(HERE / "tasks.yaml")
    return raw


def rows_of(point: Point, result: Mapping[str, Any], checkout: Checkout) -> pd.DataFrame:
    """Rows of the networks of one point. Where training ended in an error, one row says so.

    Args:
        point: Of an experiment.
        result: What it came to, as `ctrnn.sweep.runner.run` returns it.
        checkout: The one that holds its DVC experiment.

    Raises:
        ExperimentError: The point failed, and not in training.
    """
    settings = point.settings.network.model_dump()
    stage = f"train@{point.task}"
    row = {
        "experiment": point.experiment,
        "task": point.task,
        **{column: settings[column] for column in SHOWN},
        "key": point.key,
        "commit": checkout.git("rev-parse", "--short", "HEAD").strip(),
        "failure": None,
    }
    if result["failure"] is not None:
        if result["stage"] != stage:
            raise ExperimentError(
                f"{point.name} failed with {result['failure']!r}; its log is {checkout.log(point.name)}; "
                "the same command runs it again"
            )
        failure = result["failure"].removeprefix(f"{stage}: ")
        ended = {"seed": point.settings.seed, "converged": False, "failure": failure}
        return pd.DataFrame([{**row, **ended}])
    commit = checkout.git("rev-parse", result["ref"]).strip()
    metrics = json.loads(checkout.git("show", f"{commit}:./reports/evaluate/{point.task}.json"))
    summary = f"artifacts/train/{point.task}/summary.json"
    trained = json.loads(dvc.api.read(summary, repo=str(checkout.root), rev=commit))
    # None where DVC's cache had the networks.
    seconds = {i: round(took, 1) for i, took in result["networks"].get(stage, {}).items()}
    return pd.DataFrame(
        {
            **row,
            "seed": network["seed"],
            "converged": network["converged"],
            "iterations": network["iterations"],
            **{
                name: metrics[name]["per_network"][network["network"]] if name in metrics else None
                for name in MEASURED
            },
            "seconds": seconds.get(str(network["network"])),
        }
        for network in trained["networks"]
    )


def text(value: Any) -> str:
    """A value as `dvc exp run -S` takes it."""
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{text(inner)}' for key, inner in value.items())}}}"
    return value if isinstance(value, str) else json.dumps(value)


def missing(points: list[Point], table: pd.DataFrame) -> list[Point]:
    """Points of which the table has fewer networks than they ask for, and no error."""
    have: dict[tuple[str, str], float] = {}
    if not table.empty:
        failed = table["failure"].notna()
        for (experiment, key), rows in table.groupby(["experiment", "key"]):
            ended = failed[rows.index].any()
            have[str(experiment), str(key)] = math.inf if ended else rows["seed"].nunique()
    return [
        point
        for point in points
        if have.get((point.experiment, point.key), 0) < point.settings.train.n_networks
    ]


def replaced(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The table with the rows of a point in place of older ones of the same settings."""
    names = ["experiment", "task", *SHOWN]
    if not table.empty:
        table = table[(table[names] != rows.iloc[0][names]).any(axis=1)]
    return pd.concat([table, rows], ignore_index=True).sort_values([*names, "seed"])


def main(names: list[str]) -> None:
    """Run what is missing, by the engine of sweeps, then write the page."""
    checkout = Checkout(ROOT)
    commit = checkout.commit
    table = page.read(TABLE) if TABLE.exists() else pd.DataFrame()
    todo = {point.name: point for point in missing(list(points(names)), table)}
    if todo:
        TABLE.parent.mkdir(parents=True, exist_ok=True)
        shipped = dialect.read(ROOT / "params.yaml")["tasks"]
        earlier = {name: done.ref for name, done in checkout.experiments(todo.keys()).items()}
        asked = [point.in_sweep(shipped) for point in todo.values()]
        results = engine.run(asked, earlier, checkout, commit, threads=1, address=None)
        with closing(results), tqdm(total=len(todo), desc="experiments", unit="point") as bar:
            for _, ended in results:
                for result in ended:
                    rows = rows_of(todo[result["name"]], result, checkout)
                    table = replaced(table, rows)
                    table.to_csv(TABLE, index=False)
                    bar.update()
    page.write(TABLE, ROOT / "docs" / "explanation")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m experiments.run", description=__doc__)
    parser.add_argument("name", nargs="*", help="of an experiment; all where none is named")
    with exit_on_user_error("experiments"):
        main(parser.parse_args().name)
