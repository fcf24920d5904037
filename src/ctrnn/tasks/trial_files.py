"""The files of a task: a trial table per split, and the test trials rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ctrnn.core import artifacts
from ctrnn.tasks.task import Batch, Task
from ctrnn.tasks.trials import trial_table


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
    some = first.index.to_numpy()
    return Batch(batch.inputs[:, some], batch.targets[:, some], batch.mask[:, some], first)
