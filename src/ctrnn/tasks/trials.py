"""Trial tables: a row per trial, exactly balanced over conditions, each trial with a noise seed of its own.

A task's folder holds a table per split, and the test trials rendered.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ctrnn.core import artifacts
from ctrnn.core.artifacts import SPLITS
from ctrnn.core.rng import generator
from ctrnn.errors import ParamsError, shown
from ctrnn.tasks.task import Batch, Task

NOISE_SEEDS = 2**63  # seeds are drawn below this, so that they fit a signed 64-bit column


def trial_table(task: Task, split: str, seed: int) -> pd.DataFrame:
    """Trials of one split, in random order.

    Columns: split, trial (row number), the condition's columns, condition (its label), noise_seed; and, where the
    task draws times, those of each trial by the names of their settings, ms, whole steps of the task's dt. Every
    condition has the same number of trials. Raises ParamsError where the number of trials does not allow that.
    """
    conditions = task.conditions()
    n_trials: int = getattr(task.settings, f"{split}_trials")
    require_balance(task, split, len(conditions), f"tasks.{task.name}")
    table = table_of(task.name, conditions, n_trials, split, seed)
    for name, times in task.drawn.items():
        shares = generator(seed, "times", task.name, split, name).random(n_trials)
        drawn = times.quantile(shares, task.dt)
        table[name] = drawn.astype(np.int64) if (drawn == np.floor(drawn)).all() else drawn
    return table


def table_of(
    name: str, conditions: pd.DataFrame, n_trials: int, split: str, seed: int
) -> pd.DataFrame:
    """So many trials of these conditions, a multiple of their number, of the task of this name: see `trial_table`."""
    random = generator(seed, "trials", name, split)
    order = random.permutation(np.arange(n_trials) % len(conditions))
    table = conditions.iloc[order].reset_index(drop=True)
    table.insert(0, "split", split)
    table.insert(1, "trial", np.arange(n_trials))
    table["condition"] = [label(row, conditions.columns.tolist()) for row in table.itertuples()]
    table["noise_seed"] = random.integers(0, NOISE_SEEDS, size=n_trials, dtype=np.int64)
    return table


def require_balance(task: Task, split: str, conditions: int, where: str) -> None:
    """Raises ParamsError where the trials of a split are no multiple of so many conditions; `where`: dotted key."""
    n_trials = getattr(task.settings, f"{split}_trials")
    if n_trials % conditions:
        raise ParamsError(
            f"{where}.{split}_trials = {n_trials} cannot be balanced over {conditions} conditions; "
            f"give a multiple of {conditions}"
        )


def check_trials(task: Task, batch_size: int) -> None:
    """Raises ParamsError where the trials of a task, or of a step of its curriculum, cannot be made or trained on."""
    where, curriculum = f"tasks.{task.name}", task.settings.curriculum
    stages = [(where, {}, task.settings)] + [
        (f"{where}.curriculum.{i}.settings", step.settings, task.settings.at(step))
        for i, step in enumerate(curriculum)
    ]
    for key, changes, settings in stages:
        settings.times_in_steps(task.dt, key)
        stage = task.with_settings(settings)
        if (stage.channels, stage.outputs) != (task.channels, task.outputs):
            raise ParamsError(
                f"{key} = {shown(changes)} changes the channels or outputs; change other settings"
            )
        n_conditions = len(stage.conditions())
        for split in SPLITS:
            require_balance(stage, split, n_conditions, key)
        if settings.train_trials < batch_size:
            raise ParamsError(
                f"{key}.train_trials = {settings.train_trials} is less than train.batch_size = "
                f"{batch_size}; give at least one batch of trials"
            )


def label(row: object, columns: list[str]) -> str:
    """A condition in words: "context=motion motion=+0.5 colour=-0.5"."""
    values = {column: getattr(row, column) for column in columns}
    return " ".join(
        f"{column}={value if isinstance(value, str) else format(value, '+g')}"
        for column, value in values.items()
    )


def batches(
    table: pd.DataFrame, batch_size: int, seed: int, start: int = 0
) -> Iterator[pd.DataFrame]:
    """Batches of rows without end: the table in a new order, and with new noise, at every pass.

    Batch `start` comes first, so that an interrupted training goes on where it was. The rows that do not fill the
    last batch of a pass are left out of it.
    """
    per_pass = len(table) // batch_size
    first, within = divmod(start, per_pass)
    passage = first
    while True:
        random = generator(seed, "batches", passage)
        shuffled = table.iloc[random.permutation(len(table))].reset_index(drop=True)
        shuffled["noise_seed"] = random.integers(0, NOISE_SEEDS, size=len(table), dtype=np.int64)
        for batch in range(within, per_pass):
            yield shuffled.iloc[batch * batch_size : (batch + 1) * batch_size]
        passage, within = passage + 1, 0


def save(folder: Path, task: Task[Any], seed: int) -> Batch:
    """Write train.csv, validation.csv, test.csv and test.npz; returns the test trials."""
    tables = {split: trial_table(task, split, seed) for split in artifacts.SPLITS}
    for split, table in tables.items():
        artifacts.write_table(folder / f"{split}.csv", table)
    test = task.render(tables["test"])
    arrays = {"inputs": test.inputs, "targets": test.targets, "mask": test.mask}
    artifacts.write_arrays(folder / "test.npz", arrays)
    artifacts.write_sums(folder)
    return test


def read_test(folder: Path) -> Batch:
    """The test trials that `save` wrote."""
    arrays = artifacts.read_arrays(folder / "test.npz")
    return Batch(conditions=artifacts.read_table(folder / "test.csv"), **arrays)


def one_of_each(batch: Batch) -> Batch:
    """The first trial of every condition."""
    rows = batch.conditions.reset_index(drop=True)
    first = rows.groupby("condition").head(1).sort_values("condition")
    columns = first.index.to_numpy()
    return Batch(batch.inputs[:, columns], batch.targets[:, columns], batch.mask[:, columns], first)
