"""What is right, by each way of scoring: outcomes of outputs that are given, as a person would tell them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ctrnn.analysis.recording import accuracies, measures
from ctrnn.analysis.targeted import design
from ctrnn.tasks import Score, Task, get_task
from ctrnn.tasks.scoring import Tolerance
from ctrnn.tasks.xor import Xor
from tests import produced_interval, three_choices
from tests.settings import settings

TIMES = [10.0, 12.5, 12.6, 20.0, 14.0, 0.0, None]  # ms at which the output passes the threshold


def interval(dt: float = 0.1) -> Task[Any]:
    own = produced_interval.ProducedIntervalSettings.model_validate(produced_interval.SECTION)
    return produced_interval.ProducedInterval(own, dt)


def choices() -> Task[Any]:
    own = three_choices.ThreeChoicesSettings.model_validate(three_choices.SECTION)
    return three_choices.ThreeChoices(own, 1.0)


def passing(task: Task[Any], times: list[float | None]) -> np.ndarray:
    """Outputs that pass the threshold at these times after the second pulse, 12 ms, and stay there."""
    outputs = np.zeros((task.steps.T, len(times), 1), np.float32)
    for trial, time in enumerate(times):
        if time is not None:
            outputs[round((12 + time) / task.dt) :, trial] = 1
    return outputs


def test_a_produced_time_is_right_within_its_share_of_the_interval() -> None:
    task, rows = interval(), pd.DataFrame({"interval": [10] * len(TIMES)})
    score = task.score(passing(task, TIMES), rows)
    np.testing.assert_allclose(
        score.response, [np.nan if t is None else t for t in TIMES], rtol=1e-6
    )
    assert score.correct.tolist() == [True, True, False, False, False, False, False]
    assert np.isnan(score.choice).all()
    near = task.near(score.response, rows)
    assert near is not None
    assert near.tolist() == [True, True, True, False, True, True, False]  # nearer to 10 than to 20


def test_a_time_before_the_window_or_after_it_is_none() -> None:
    task, rows = interval(1.0), pd.DataFrame({"interval": [10, 10]})
    outputs = np.zeros((52, 2, 1), np.float32)
    outputs[:12, 0], outputs[42:, 1] = 1, 1
    assert np.isnan(task.score(outputs, rows).response).all()


def test_shares_of_a_task_of_times_are_of_correct_trials_and_of_those_nearer_to_the_interval() -> (
    None
):
    task, rows = interval(), pd.DataFrame({"interval": [10] * len(TIMES)})
    assert measures(task) == ("correct", "right_side")
    np.testing.assert_allclose(accuracies(task, passing(task, TIMES), rows), [2 / 7, 5 / 7])


def test_the_targets_of_a_produced_interval_pass_the_threshold_at_its_end() -> None:
    for dt in (0.5, 1.0):
        task = interval(dt)
        score = task.score(task.targets(task.conditions()), task.conditions())
        np.testing.assert_allclose(
            score.response, np.array([10, 20]) + dt
        )  # the first step above it
        assert score.correct.all()


def test_the_largest_output_is_the_choice() -> None:
    task, rows = choices(), pd.DataFrame({"side": ["left", "middle", "right"], "size": [1.0] * 3})
    outputs = np.zeros((40, 3, 3), np.float32)
    outputs[12:32] = [[0.3, 0.2, 0.1], [-0.5, -0.1, -0.2], [0.4, 0.1, 0.3]]
    outputs[:12, 2, 2] = 9  # before the window, where nothing is judged
    score = task.score(outputs, rows)
    assert score.correct.tolist() == [True, True, False]
    assert score.choice.argmax(axis=1).tolist() == [0, 1, 0]
    assert task.choices(score).tolist() == ["left", "middle", "left"]
    assert measures(task) == ("correct",)
    np.testing.assert_allclose(accuracies(task, outputs, rows), [2 / 3])


def test_a_choice_among_three_is_a_regressor_for_each_that_others_do_not_make_up() -> None:
    rows = pd.DataFrame({"trial": range(4), "side": ["left", "middle", "right", "left"]})
    chosen = np.array(["left", "middle", "right", "right"], object)
    made = design(rows, chosen)
    assert made.names == ("choice=left", "choice=middle", "side=right")
    np.testing.assert_array_equal(made.matrix[:, :2], [[1, 0], [0, 1], [0, 0], [0, 0]])
    two = design(rows, np.array(["middle", "middle", "right", "right"], object))
    assert two.names == ("choice=middle", "side=middle", "side=right")


def test_a_value_is_right_within_the_tolerance() -> None:
    class Value(Xor):
        scoring = Tolerance(0.25)

    task = Value(get_task("xor", settings().tasks, 1.0).settings, 1.0)
    rows = task.conditions()  # whose answers are -1, 1, 1, -1
    outputs = np.zeros((300, 4, 1), np.float32)
    outputs[170:270, :, 0] = [-0.75, 1.25, 0.5, 1.0]
    score = task.score(outputs, rows)
    assert score.response.tolist() == [-0.75, 1.25, 0.5, 1.0]
    assert score.correct.tolist() == [True, True, False, False]
    assert task.left_out == (
        "Left out: the right side, the axis of the choice; lesions and generalisation count correct trials, since the "
        "answer of xor is a value, right within 0.25."
    )


def test_a_task_with_a_score_of_its_own_is_told_by_its_accuracy_alone() -> None:
    class Own(produced_interval.ProducedInterval):
        scoring = Xor.scoring  # type: ignore[assignment]

        def score(self, outputs: np.ndarray, rows: pd.DataFrame) -> Score:
            response = outputs[-1, :, 0]
            return Score(response, response, response > 0)

    task, rows = Own(interval().settings, 1.0), pd.DataFrame({"interval": [10, 20]})
    outputs = np.zeros((52, 2, 1), np.float32)
    outputs[-1, 0] = 1
    assert measures(task) == ("correct",)
    assert accuracies(task, outputs, rows).tolist() == [0.5]
    assert not task.has_choice
    assert "judges its outputs in a way of its own and names no `answers`" in task.left_out


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_response_is_near_to_no_answer(share: float) -> None:
    task = interval()
    near = task.near(np.array([np.nan], np.float32), pd.DataFrame({"interval": [10 + 10 * share]}))
    assert near is not None and not near.any()
