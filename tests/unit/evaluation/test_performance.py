"""Outcomes and accuracies of networks whose answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from ctrnn.evaluation import evaluate, metrics
from ctrnn.network import initialise
from ctrnn.tasks import get_task, trial_table
from tests.settings import settings


class Answers:
    """A backend whose networks answer as told: `quality` x target."""

    def __init__(self, targets: np.ndarray, *qualities: float) -> None:
        self.targets, self.qualities = targets, qualities

    def outputs(self, networks: Any, trials: Any) -> list[np.ndarray]:
        return [np.float32(quality) * self.targets for quality in self.qualities]


def results() -> tuple[Any, dict[str, Any]]:
    params = settings()
    task = get_task("dmts", params)
    test = task.render(trial_table(task, "test", 1))
    network = initialise(params.network, 2, 1, seed=1)
    backend: Any = Answers(test.targets, 1.0, -1.0, 0.5)
    evaluation = evaluate(task, test, [network] * 3, [1, 2, 3], 2, backend)
    summary = {
        "networks": [{"network": i, "converged": i == 0, "iterations": 100 + i} for i in range(3)]
    }
    return evaluation, metrics(evaluation.outcomes, summary)


def test_right_wrong_signed_and_weak_answers() -> None:
    _, report = results()
    assert report["accuracy"]["per_network"] == [1.0, 0.0, 0.0]
    assert report["accuracy"]["mean"] == 1 / 3
    assert np.isclose(report["accuracy"]["sd"], np.sqrt(1 / 3))
    assert set(report["accuracy_by_condition"].values()) == {1 / 3}
    assert len(report["accuracy_by_condition"]) == 4


def test_a_network_that_did_not_converge_has_no_iterations_to_criterion() -> None:
    _, report = results()
    assert report["converged"] == [True, False, False]
    assert report["iterations_to_criterion"]["per_network"] == [100, None, None]
    assert report["iterations_to_criterion"]["mean"] == 100
    assert report["iterations_to_criterion"]["sd"] is None


def test_outcomes_have_a_row_a_network_and_trial() -> None:
    evaluation, _ = results()
    outcomes = evaluation.outcomes
    assert len(outcomes) == 3 * 2048
    assert list(outcomes.columns) == [
        "network", "trial", "sample", "test", "condition", "response", "choice", "correct",
    ]  # fmt: skip
    assert np.isnan(outcomes.loc[outcomes["network"] == 2, "choice"]).all()


def test_sample_trials_are_the_same_number_of_every_condition() -> None:
    evaluation, _ = results()
    table = evaluation.outcomes.query("network == 0").set_index("trial")
    assert (table.loc[evaluation.sample_trials, "condition"].value_counts() == 2).all()
    assert evaluation.sample_outputs.shape == (3, 300, 8)
    np.testing.assert_array_equal(evaluation.sample_outputs[1], -evaluation.sample_targets)
