"""Outcome of every test trial of every network, and the accuracies that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from ctrnn.network import Backend, Network, Trials
from ctrnn.statistics import spread
from ctrnn.streams import key
from ctrnn.tasks import Batch, Task

TABLE_COLUMNS = ("split", "noise_seed")  # of the trial table, that outcomes leave out


@dataclass(frozen=True)
class Evaluation:
    """outcomes: a row per network and test trial; the whole output of some sample trials."""

    outcomes: pd.DataFrame
    sample_trials: Int[np.ndarray, " sample"]
    sample_outputs: Float[np.ndarray, "network time sample"]
    sample_targets: Float[np.ndarray, "time sample"]

    def samples(self) -> dict[str, np.ndarray]:
        """The arrays of outputs.npz."""
        return {
            "trials": self.sample_trials,
            "outputs": self.sample_outputs,
            "targets": self.sample_targets,
        }


def evaluate(
    task: Task[Any],
    test: Batch,
    networks: Sequence[Network],
    seeds: Sequence[int],
    n_samples: int,
    backend: Backend,
) -> Evaluation:
    """Run every network on the test trials; `n_samples` trials per condition keep their whole output."""
    rows = test.conditions
    samples = rows.groupby("condition", sort=True)["trial"].head(n_samples).to_numpy()
    trials = [Trials(test.inputs, key(seed, "evaluate")) for seed in seeds]
    tables, kept = [], []
    for index, outputs in enumerate(backend.outputs(networks, trials)):
        score = task.score(outputs, rows)
        table = rows.drop(columns=list(TABLE_COLUMNS))
        table.insert(0, "network", index)
        tables.append(
            table.assign(response=score.response, choice=score.choice, correct=score.correct)
        )
        kept.append(outputs[:, samples, 0])
    return Evaluation(
        pd.concat(tables, ignore_index=True),
        samples,
        np.stack(kept),
        test.targets[:, samples, 0],
    )


def metrics(outcomes: pd.DataFrame, summary: dict[str, Any]) -> dict[str, Any]:
    """reports/evaluate/<task>.json: accuracy on test trials, iterations to criterion, converged or not.

    A network that did not converge has no number of iterations to criterion (null), and mean and spread leave it out.
    """
    trained = summary["networks"]
    reached = [run["iterations"] if run["converged"] else None for run in trained]
    by_condition = outcomes.groupby("condition")["correct"].mean()
    return {
        "accuracy": spread(outcomes.groupby("network")["correct"].mean().tolist()),
        "iterations_to_criterion": spread(reached),
        "converged": [run["converged"] for run in trained],
        "accuracy_by_condition": {label: float(share) for label, share in by_condition.items()},
    }
