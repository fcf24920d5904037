"""Run the experiments of experiments.yaml and keep a row per network: `make results`, for some ARGS="gain relu".

Every combination of settings is a `dvc exp run` of the last commit, all tasks up to evaluate, in a clone that
shares this checkout's DVC cache and checkpoints. What has its rows in reports/results/networks.csv costs nothing,
whichever commit made them (delete them to make them anew); what was interrupted goes on from its checkpoints. At the
end docs/explanation/results.md is written anew from that table.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pandas as pd
import yaml
from tqdm import tqdm

from ctrnn import params
from ctrnn.core import artifacts
from ctrnn.errors import UserError, exit_on_user_error, nearest
from ctrnn.params import Params, dialect
from ctrnn.sweep.plan import changed
from ctrnn.training import checkpoint
from experiments import page

HERE = Path(__file__).parent
ROOT = HERE.parent
TABLE = ROOT / "reports" / "results" / "networks.csv"
AT_A_TIME = 2  # combinations of settings, with a thread each
SHOWN = ("p_inh", "tau", "w_gain", "n_units", "p_rec", "dale", "activation")  # columns of network.*
MEASURED = ("accuracy", "right_side", "mean_rate", "saturated_rates", "vanished_synapses")
# What training says: of a network that has ended, and of an error.
TOOK = re.compile(r"train@(\w+): network (\d+) \(seed \d+\): .* iterations, ([\d.]+) s")
FAILED = re.compile(r"^train@(\w+): (?!network \d)(.*)", re.MULTILINE)


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
            settings = params.check(changed(shipped, changes))
            for task in experiments[name]["tasks"]:
                settings.task(task)
                yield Point(name, task, changes, settings)


def with_all_tasks(path: Path) -> dict[str, Any]:
    """A params.yaml with the sections of tasks.yaml beside its own."""
    raw: dict[str, Any] = dialect.read(path)
    raw["tasks"] |= dialect.read(HERE / "tasks.yaml")
    return raw


def clone(folder: Path) -> Path:
    """A clone of the last commit that shares the DVC cache and the checkpoints, with all tasks in its params.yaml."""
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, folder], check=True)
    settings = folder / "params.yaml"
    settings.write_text(yaml.safe_dump(with_all_tasks(settings), sort_keys=False))
    who = ("-c", "user.name=experiments", "-c", "user.email=experiments@localhost")
    commit = ["git", *who, "commit", "--quiet", "--all", "--message", "all tasks"]
    subprocess.run(commit, cwd=folder, check=True)
    local = f"[cache]\n    dir = {ROOT / '.dvc' / 'cache'}\n"
    (folder / ".dvc" / "config.local").write_text(local)
    (ROOT / checkpoint.STORE).mkdir(exist_ok=True)
    (folder / checkpoint.STORE).symlink_to(ROOT / checkpoint.STORE)
    return folder


def run(some: list[Point], folder: Path) -> pd.DataFrame:
    """Rows of the networks of points with the same settings. Where training ends in an error, one row says so."""
    subprocess.run(["git", "checkout", "--quiet", "--", "."], cwd=folder, check=True)
    sets = [f"--set-param={key}={text(value)}" for key, value in some[0].changes.items()]
    targets = [f"evaluate@{point.task}" for point in some]
    done = subprocess.run(
        [
            "dvc",
            "exp",
            "run",
            "--keep-going",
            *sets,
            "--set-param=train.threads=1",
            "--set-param=publish.live=false",
            *targets,
        ],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode and not FAILED.search(said):
        raise ExperimentError(f"dvc exp run of {some} failed: {' '.join(said.split())[-500:]}")
    return pd.concat([rows_of(point, folder, said) for point in some])


def rows_of(point: Point, folder: Path, said: str) -> pd.DataFrame:
    """Rows of the networks of one point, from its files in `folder` and from what its training said."""
    network = point.settings.network.model_dump()
    row = {
        "experiment": point.experiment,
        "task": point.task,
        **{column: network[column] for column in SHOWN},
        "key": point.key,
        "commit": git("rev-parse", "--short", "HEAD").strip(),
        "failure": None,
    }
    if failure := dict(FAILED.findall(said)).get(point.task):
        ended = {"seed": point.settings.seed, "converged": False, "failure": failure}
        return pd.DataFrame([{**row, **ended}])
    seconds = {
        int(index): float(took) for task, index, took in TOOK.findall(said) if task == point.task
    }
    metrics = artifacts.read_json(artifacts.metrics_path("evaluate", point.task, folder))
    trained = artifacts.folder("train", point.task, folder) / "summary.json"
    return pd.DataFrame(
        {
            **row,
            "seed": one["seed"],
            "converged": one["converged"],
            "iterations": one["iterations"],
            **{
                name: metrics[name]["per_network"][one["network"]] if name in metrics else None
                for name in MEASURED
            },
            "seconds": seconds.get(one["network"]),  # none where DVC's cache had the networks
        }
        for one in artifacts.read_json(trained)["networks"]
    )


def text(value: Any) -> str:
    """A value as `dvc exp run -S` takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def missing(some: list[Point], table: pd.DataFrame) -> list[Point]:
    """Points of which the table has fewer networks than they ask for, and no error."""
    have: dict[tuple[str, str], float] = {}
    if not table.empty:
        failed = table["failure"].notna()
        for (experiment, key), rows in table.groupby(["experiment", "key"]):
            ended = failed[rows.index].any()
            have[str(experiment), str(key)] = math.inf if ended else rows["seed"].nunique()
    return [
        point
        for point in some
        if have.get((point.experiment, point.key), 0) < point.settings.train.n_networks
    ]


def replaced(table: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The table with the rows of a point in place of older ones of the same settings."""
    names = ["experiment", "task", *SHOWN]
    if not table.empty:
        table = table[(table[names] != rows.iloc[0][names]).any(axis=1)]
    return pd.concat([table, rows], ignore_index=True).sort_values([*names, "seed"])


def main(names: list[str]) -> None:
    """Run what is missing, two combinations of settings at a time, then write the page."""
    if changes := git("status", "--porcelain", "--", "src", "stages", "dvc.yaml", "params.yaml"):
        raise ExperimentError(
            f"{changes.split()[1]} is not committed; experiments run the last commit, so commit it"
        )
    some = list(points(names))
    table = page.read(TABLE) if TABLE.exists() else pd.DataFrame()
    todo: dict[str, list[Point]] = {}
    for point in missing(some, table):
        todo.setdefault(f"{point.experiment} {point.changes}", []).append(point)
    folders: SimpleQueue[Path] = SimpleQueue()

    def work(together: list[Point]) -> pd.DataFrame:
        folder = folders.get()
        try:
            return run(together, folder)
        finally:
            folders.put(folder)

    TABLE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(AT_A_TIME) as pool:
        for i in range(AT_A_TIME if todo else 0):
            folders.put(clone(Path(scratch) / str(i)))
        coming = [pool.submit(work, together) for together in todo.values()]
        try:
            for done in tqdm(as_completed(coming), total=len(todo), desc="experiments"):
                for _, rows in done.result().groupby("task"):
                    table = replaced(table, rows)
                table.to_csv(TABLE, index=False)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    page.write(TABLE, ROOT / "docs" / "explanation")


def git(*command: str) -> str:
    """Output of a git command in this checkout."""
    return subprocess.run(
        ["git", *command], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m experiments.run", description=__doc__)
    parser.add_argument("name", nargs="*", help="of an experiment; all where none is named")
    with exit_on_user_error("experiments"):
        main(parser.parse_args().name)
