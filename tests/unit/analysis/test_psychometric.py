"""Graded Mante: choices of a trained network follow the evidence of its context, and hardly the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ctrnn.core import artifacts
from ctrnn.evaluation import evaluate
from ctrnn.network import get_backend
from ctrnn.tasks import get_task, trial_table
from ctrnn.training.loop import train
from tests.settings import settings

SMALL: dict[str, Any] = {
    "network__n_units": 60,
    "train__n_networks": 1,
    "train__max_iterations": 600,
    "tasks__mante_graded__T": 160,
    "tasks__mante_graded__stim_on": 10,
    "tasks__mante_graded__stim_dur": 80,
    "tasks__mante_graded__response_dur": 70,
    "tasks__mante_graded__validation_trials": 144,
    "tasks__mante_graded__test_trials": 2016,
}


def test_curves_are_steep_for_the_relevant_and_flat_for_the_irrelevant_evidence(
    tmp_path: Path,
) -> None:
    params = settings(**SMALL)
    task, backend = get_task("mante_graded", params.tasks, 1.0), get_backend(params.train)
    tables = {split: trial_table(task, split, 1) for split in ("train", "validation", "test")}
    trained = train(
        task,
        tables["train"],
        tables["validation"],
        params.seed,
        params.network,
        params.train,
        backend,
        tmp_path,
    )
    test = task.render(tables["test"])
    evaluation = evaluate(task, test, [trained[0].network], [1], 1, backend)
    artifacts.write_table(tmp_path / "outcomes.csv", evaluation.outcomes)

    outcomes = artifacts.read_table(tmp_path / "outcomes.csv")  # all that is needed stands in it
    motion = outcomes["context"] == "motion"
    up = outcomes["response"] > 0
    relevant = up.groupby(np.where(motion, outcomes["motion"], outcomes["colour"])).mean()
    irrelevant = up.groupby(np.where(motion, outcomes["colour"], outcomes["motion"])).mean()
    assert (
        relevant.index.tolist() == irrelevant.index.tolist() == [-0.6, -0.3, -0.15, 0.15, 0.3, 0.6]
    )
    assert relevant.max() - relevant.min() > 0.95
    assert relevant[0.15] - relevant[-0.15] > 0.8
    assert irrelevant.max() - irrelevant.min() < 0.1
