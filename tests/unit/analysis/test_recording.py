"""Recordings of networks whose rates are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ctrnn import tasks
from ctrnn.analysis.recording import NetworkRecording, in_bins, record
from ctrnn.network import Activity
from ctrnn.tasks import trial_table
from tests.settings import settings

TASK: Any = tasks.get_task("xor", settings(tasks__xor__test_trials=16).tasks, 1.0)
TEST = TASK.render(trial_table(TASK, "test", 1))


class Echo:
    """Networks with two units, whose rates are the input and its double, and which answer 1."""

    def activity(self, networks: Any, trials: Any) -> list[Activity]:
        ones = np.ones((*trials[0].inputs.shape[:1], trials[0].inputs.shape[1], 1), np.float32)
        return [
            Activity(trial_set.inputs[..., :1] * np.array([1, 2], np.float32), ones)
            for trial_set in trials
        ]


ECHO: Any = Echo()
ANY: Any = None  # a network that the backend does not look at


def recorded(per_condition: int) -> list[NetworkRecording]:
    return record(TASK, TEST, [ANY, ANY], [1, 2], per_condition, 10, ECHO)


def test_averages_are_those_of_each_condition() -> None:
    one, other = recorded(3)
    assert one.labels == sorted(TEST.conditions["condition"].unique())
    assert one.averages.shape == (4, TASK.settings.T, 2)
    for label, average in zip(one.labels, one.averages, strict=True):
        shown = TEST.inputs[:, (TEST.conditions["condition"] == label).to_numpy(), 0]
        chosen = shown[:, :3].mean(axis=1)
        np.testing.assert_allclose(average, np.stack([chosen, 2 * chosen], axis=1), atol=1e-6)
    np.testing.assert_array_equal(one.averages, other.averages)


@pytest.mark.parametrize("per_condition", [1, 3])
def test_the_first_trials_of_each_condition_are_recorded(per_condition: int) -> None:
    (recording, _) = recorded(per_condition)
    conditions = TEST.conditions.groupby("condition", sort=True)
    expected = [trial for _, rows in conditions for trial in rows["trial"].tolist()[:per_condition]]
    assert recording.rows["trial"].tolist() == expected
    assert recording.binned.shape == (TASK.settings.T // 10, 4 * per_condition, 2)
    assert recording.choice.tolist() == [1] * len(expected)


def test_rates_of_single_trials_are_in_the_order_of_the_rows() -> None:
    (recording, _) = recorded(2)
    expected = in_bins(TEST.inputs[:, recording.rows["trial"].to_numpy()], 10)
    np.testing.assert_allclose(recording.binned[..., 0], expected[..., 0], atol=1e-6)


def test_bins_are_means_and_steps_that_fill_no_bin_are_left_out() -> None:
    rates = np.arange(7, dtype=np.float32).reshape(7, 1, 1)
    assert in_bins(rates, 3).ravel().tolist() == [1, 4]
    assert in_bins(rates, 7).ravel().tolist() == [3]
    assert in_bins(rates, 10).ravel().tolist() == [3]
    assert in_bins(rates, 1).ravel().tolist() == list(range(7))


def test_several_choices_at_once_are_none() -> None:
    task = tasks.get_task("flip_flop", settings(tasks__flip_flop__test_trials=8).tasks, 1.0)
    test = task.render(trial_table(task, "test", 1))
    (recording,) = record(task, test, [ANY], [1], 1, 10, ECHO)
    assert recording.choice.dtype == np.float32
    assert np.isnan(recording.choice).tolist() == [True] * 8
