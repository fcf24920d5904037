"""Outcomes and accuracies of networks whose answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ctrnn.core.rng import key
from ctrnn.evaluation import activity_of, evaluate, metrics
from ctrnn.network import Activity, initialise
from ctrnn.tasks import get_task, right_side, trial_table
from ctrnn.tasks.dmts import Dmts
from tests.settings import settings


class Answers:
    """A backend whose networks answer as told: `quality` x target."""

    def __init__(self, targets: np.ndarray, *qualities: float) -> None:
        self.targets, self.qualities = targets, qualities

    def outputs(self, networks: Any, trials: Any) -> list[np.ndarray]:
        return [np.float32(quality) * self.targets for quality in self.qualities]

    def activity(self, networks: Any, trials: Any) -> list[Activity]:
        """Rates of which a quarter is saturated."""
        shape = (*trials[0].inputs.shape[:2], 4)
        rates = np.broadcast_to(np.array([0.01, 0.3, 0.5, 0.94], np.float32), shape)
        return [Activity(rates, self.targets[:, : shape[1]]) for _ in networks]


def results() -> tuple[Any, dict[str, Any]]:
    params = settings()
    task = get_task("dmts", params.tasks, 1.0)
    test = task.render(trial_table(task, "test", 1))
    network = initialise(params.network, 2, 1, seed=1)
    backend: Any = Answers(test.targets, 1.0, -1.0, 0.5)
    evaluation = evaluate(task, test, [network] * 3, [1, 2, 3], 2, backend)
    summary = {
        "networks": [{"network": i, "converged": i == 0, "iterations": 100 + i} for i in range(3)]
    }
    return evaluation, metrics(evaluation, summary)


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
        "network", "trial", "sample", "test", "condition", "response", "choice", "right_side", "correct",
    ]  # fmt: skip
    assert outcomes.index.tolist() == list(range(3 * 2048))
    assert outcomes["network"].tolist() == [network for network in range(3) for _ in range(2048)]
    assert np.isnan(outcomes.loc[outcomes["network"] == 2, "choice"]).all()


def test_sample_trials_are_the_same_number_of_every_condition() -> None:
    evaluation, _ = results()
    table = evaluation.outcomes.query("network == 0").set_index("trial")
    assert (table.loc[evaluation.sample_trials, "condition"].value_counts() == 2).all()
    assert evaluation.sample_outputs.shape == (3, 300, 8, 1)
    np.testing.assert_array_equal(evaluation.sample_outputs[1], -evaluation.sample_targets)


def test_a_weak_answer_is_on_the_right_side_and_a_wrong_signed_one_is_not() -> None:
    _, report = results()
    assert report["right_side"]["per_network"] == [1.0, 0.0, 1.0]


def test_the_right_side_lies_between_the_answers_of_the_task() -> None:
    def floats(*values: Any) -> np.ndarray:
        return np.array(values, np.float32)

    response, answer = floats(0.4, 0.6, 0.4), floats(0, 1, 1)
    assert right_side(response, answer, (0.0, 1.0)).tolist() == [True, True, False]
    both = right_side(floats([0.1, -0.1], [0.1, 0.1]), floats([1, -1], [1, -1]), (-1.0, 1.0))
    assert both.tolist() == [True, False]
    with pytest.raises(ValueError, match=r"0\.5 is a right answer and not among the answers"):
        right_side(response, floats(0, 0.5, 1), (0.0, 1.0))


def test_activity_says_why_a_network_may_not_learn() -> None:
    _, report = results()
    assert report["mean_rate"]["mean"] == pytest.approx(np.mean([0.01, 0.3, 0.5, 0.94]))
    assert report["saturated_rates"]["mean"] == pytest.approx(0.25)
    assert report["vanished_synapses"]["per_network"] == [0, 0, 0]


def test_several_outputs_have_columns_of_their_own() -> None:
    params = settings()
    task = get_task("flip_flop", params.tasks, 1.0)
    test = task.render(trial_table(task, "test", 1))
    network = initialise(params.network, 3, 3, seed=1)
    backend: Any = Answers(test.targets, 1.0)
    evaluation = evaluate(task, test, [network], [1], 1, backend)
    outcomes = evaluation.outcomes
    for bit in ("bit_1", "bit_2", "bit_3"):
        np.testing.assert_array_equal(outcomes[f"choice_{bit}"], outcomes[bit])
        np.testing.assert_allclose(outcomes[f"response_{bit}"], outcomes[bit], rtol=1e-5)
    assert evaluation.sample_outputs.shape == (1, 350, 8, 3)
    assert outcomes["correct"].all()
    summary = {"networks": [{"network": 0, "converged": True, "iterations": 7}]}
    report = metrics(evaluation, summary)  # of a population of one
    assert report["accuracy"] == {"mean": 1, "sd": None, "per_network": [1]}
    assert report["saturated_rates"]["mean"] == 0.25


@pytest.mark.parametrize(
    ("activation", "rates", "share"),
    [
        ("sigmoid", [0.04, 0.06, 0.94, 0.96], 0.5),  # within 0.05 of either end
        ("sigmoid", [0.05, 0.5, 0.5, 0.95], 0.0),  # not at these themselves
        ("relu", [-0.1, 0.0, 0.1, 7.0], 0.5),  # without slope
        ("threshold_power_law", [0.0, 1e-6, 0.1, 7.0], 0.25),
        ("tanh", [0.88, -0.88, 0.9, -0.9], 0.5),  # slopes of 0.23 and 0.19, where that at 0 is 1
    ],
)
def test_a_rate_without_slope_is_saturated(
    activation: str, rates: list[float], share: float
) -> None:
    network = initialise(settings(network__activation=activation).network, 1, 1, seed=1)
    activity = activity_of(network, np.array(rates, np.float32).reshape(1, 1, 4))
    assert activity["saturated_rates"] == share


def test_samples_are_kept_with_their_targets() -> None:
    evaluation, _ = results()
    samples = evaluation.samples()
    assert list(samples) == ["trials", "outputs", "targets"]
    np.testing.assert_array_equal(samples["outputs"][0], samples["targets"])
    assert samples["trials"] is evaluation.sample_trials


def test_what_cannot_be_said_of_a_task_is_left_out_and_told() -> None:
    class Strict(Dmts):
        def choice(self, response: np.ndarray) -> np.ndarray:
            return np.zeros_like(response)

    params = settings()
    own: Any = params.tasks["dmts"]
    task = Strict(own, 1.0)
    test = task.render(trial_table(task, "test", 1))
    backend: Any = Answers(test.targets, 1.0)
    network = initialise(params.network, 2, 1, seed=1)
    evaluation = evaluate(task, test, [network], [1], 1, backend)
    summary = {"networks": [{"network": 0, "converged": True, "iterations": 7}]}
    report = metrics(evaluation, summary)
    assert report["left_out"] == task.left_out
    assert task.left_out.startswith("Left out: the right side")
    assert "right_side" not in report
    assert "right_side" not in evaluation.outcomes
    assert "left_out" not in results()[1]


def test_every_network_has_noise_of_its_own_and_samples_have_none() -> None:
    seen: list[Any] = []

    class Listening(Answers):
        def outputs(self, networks: Any, trials: Any) -> list[np.ndarray]:
            seen.append([trial_set.noise for trial_set in trials])
            return super().outputs(networks, trials)

        def activity(self, networks: Any, trials: Any) -> list[Activity]:
            seen.append([trial_set.noise for trial_set in trials])
            return super().activity(networks, trials)

    params = settings()
    task = get_task("dmts", params.tasks, 1.0)
    test = task.render(trial_table(task, "test", 1))
    network = initialise(params.network, 2, 1, seed=1)
    backend: Any = Listening(test.targets, 1.0, 1.0)
    evaluate(task, test, [network] * 2, [3, 4], 1, backend)
    assert seen == [[key(3, "evaluate"), key(4, "evaluate")], [None, None]]
