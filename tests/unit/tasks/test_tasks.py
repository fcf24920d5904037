"""The four tasks: conditions in exact balance, rendering from rows alone, scores as a person would give them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ctrnn.complaints import ParamsError
from ctrnn.tasks import TASKS, Task, batches, get_task, trial_table
from tests.settings import settings

NAMES = sorted(TASKS)
N_CONDITIONS = {"go_nogo": 2, "dmts": 4, "mante": 8, "xor": 4}
WINDOWS = {"go_nogo": (75, 100), "dmts": (170, 270), "mante": (250, 500), "xor": (170, 270)}


@pytest.fixture(params=NAMES)
def task(request: pytest.FixtureRequest) -> Task[Any]:
    return get_task(request.param, settings())


def rows_of(task: Task[Any], n: int = 64, seed: int = 1) -> pd.DataFrame:
    return trial_table(task, "test", seed).head(n)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_conditions_are_exactly_balanced(task: Task[Any], split: str) -> None:
    counts = trial_table(task, split, seed=1)["condition"].value_counts()
    assert len(counts) == N_CONDITIONS[task.name]
    assert counts.nunique() == 1


def test_a_number_of_trials_that_cannot_be_balanced_is_refused() -> None:
    mante = get_task("mante", settings(tasks__mante__test_trials=2044))
    with pytest.raises(ParamsError, match=r"tasks\.mante\.test_trials = 2044 .* multiple of 8"):
        trial_table(mante, "test", seed=1)


def test_every_trial_has_a_noise_seed_of_its_own(task: Task[Any]) -> None:
    assert trial_table(task, "test", seed=1)["noise_seed"].is_unique


def test_the_same_seed_gives_the_same_table_and_another_seed_another(task: Task[Any]) -> None:
    first, again, other = (trial_table(task, "test", seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first["condition"].equals(other["condition"])
    assert not set(first["noise_seed"]) & set(other["noise_seed"])


def test_splits_share_no_noise(task: Task[Any]) -> None:
    seeds = [set(trial_table(task, split, 1)["noise_seed"]) for split in ("train", "test")]
    assert not seeds[0] & seeds[1]


def test_a_batch_depends_on_its_rows_alone(task: Task[Any]) -> None:
    rows = rows_of(task)
    order = np.random.default_rng(0).permutation(len(rows))[:17]
    whole, part = task.render(rows), task.render(rows.iloc[order])
    np.testing.assert_array_equal(whole.inputs[:, order], part.inputs)
    np.testing.assert_array_equal(whole.targets[:, order], part.targets)


def test_shapes_and_types(task: Task[Any]) -> None:
    batch = task.render(rows_of(task, 10))
    T = task.settings.T
    assert batch.inputs.shape == (T, 10, len(task.channels))
    assert batch.targets.shape == batch.mask.shape == (T, 10, 1)
    assert batch.inputs.dtype == batch.targets.dtype == np.float32


def test_windows_are_the_tutorials(task: Task[Any]) -> None:
    window = task.settings.window
    assert (window.start, window.stop) == WINDOWS[task.name]


def test_targets_are_the_answer_in_the_window_and_zero_elsewhere(task: Task[Any]) -> None:
    rows = rows_of(task)
    targets = task.targets(rows)[:, :, 0]
    start, stop = WINDOWS[task.name]
    np.testing.assert_array_equal(
        targets[start:stop], np.tile(task.answer(rows), (stop - start, 1))
    )
    assert not targets[:start].any()
    assert not targets[stop:].any()


def test_answers() -> None:
    def answers(name: str) -> dict[tuple[Any, ...], float]:
        task = get_task(name, settings())
        table = task.conditions()
        keys = [tuple(row) for row in table.itertuples(index=False)]
        return dict(zip(keys, task.answer(table).tolist(), strict=True))

    assert answers("go_nogo") == {("go",): 1, ("nogo",): 0}
    assert answers("dmts") == {(1, 1): 1, (1, -1): -1, (-1, 1): -1, (-1, -1): 1}
    assert answers("xor") == {(1, 1): -1, (1, -1): 1, (-1, 1): 1, (-1, -1): -1}
    for (context, motion, colour), answer in answers("mante").items():
        assert answer == np.sign(motion if context == "motion" else colour)


def test_pulses_stand_where_the_settings_say() -> None:
    dmts = get_task("dmts", settings())
    rows = dmts.conditions()
    inputs = dmts.inputs(rows)
    assert (np.flatnonzero(inputs[:, 0, 0])[[0, -1]] == (50, 99)).all()
    assert (np.flatnonzero(inputs[:, 0, 1])[[0, -1]] == (110, 159)).all()
    xor = get_task("xor", settings())
    np.testing.assert_array_equal(xor.inputs(xor.conditions())[:, :, 0], inputs.sum(axis=2))


def test_mante_evidence_has_the_mean_and_spread_of_the_settings() -> None:
    mante = get_task(
        "mante", settings(tasks__mante__evidence=[0.5, 0.1], tasks__mante__evidence_sd=2.0)
    )
    rows = trial_table(mante, "test", 1)
    inputs = mante.inputs(rows)
    evidence = inputs[50:250, :, :2] - rows[["motion", "colour"]].to_numpy()
    n = evidence.size
    assert abs(evidence.mean()) < 5 * 2 / np.sqrt(n)
    assert abs(evidence.std() - 2) < 5 * 2 / np.sqrt(2 * n)
    assert abs(np.corrcoef(evidence[..., 0].ravel(), evidence[..., 1].ravel())[0, 1]) < 0.02
    assert not inputs[:50, :, :2].any()
    assert not inputs[250:, :, :2].any()
    np.testing.assert_array_equal(inputs[0, :, 2] == 1, rows["context"] == "motion")
    np.testing.assert_array_equal(inputs[:, :, 2] + inputs[:, :, 3], 1)


def test_the_loss_can_be_kept_to_baseline_and_window() -> None:
    xor = get_task("xor", settings(tasks__xor__loss_over="baseline_and_response"))
    mask = xor.mask(xor.conditions())[:, 0, 0]
    np.testing.assert_array_equal(np.flatnonzero(mask), [*range(50), *range(170, 270)])
    assert get_task("xor", settings()).mask(xor.conditions()).all()


def accuracy(task: Task[Any], outputs: np.ndarray, rows: pd.DataFrame) -> float:
    return float(task.score(outputs.astype(np.float32), rows).correct.mean())


def test_a_network_that_answers_right_scores_one(task: Task[Any]) -> None:
    rows = rows_of(task)
    assert accuracy(task, task.targets(rows), rows) == 1


def test_silence_is_right_on_no_go_trials_only(task: Task[Any]) -> None:
    rows = trial_table(task, "test", 1)
    silent = np.zeros_like(task.targets(rows))
    assert accuracy(task, silent, rows) == (0.5 if task.name == "go_nogo" else 0)


def test_a_constant_answer_is_right_on_half_the_trials_at_most(task: Task[Any]) -> None:
    rows = trial_table(task, "test", 1)
    for constant in (1.0, -1.0):
        assert accuracy(task, np.full_like(task.targets(rows), constant), rows) <= 0.5


def test_a_wrong_signed_answer_is_wrong(task: Task[Any]) -> None:
    rows = rows_of(task)
    targets = task.targets(rows)
    wrong = 1 - targets if task.name == "go_nogo" else -targets
    assert accuracy(task, wrong, rows) == 0


def test_an_answer_outside_the_window_does_not_count(task: Task[Any]) -> None:
    rows = rows_of(task)
    outputs = np.repeat(task.answer(rows)[None, :, None], task.settings.T, axis=0)
    outputs[task.settings.window] = 0.5
    assert accuracy(task, outputs, rows) == 0


def test_an_answer_short_of_the_threshold_is_no_choice(task: Task[Any]) -> None:
    rows = rows_of(task)
    score = task.score(0.79 * task.targets(rows), rows)
    answered = task.answer(rows) != 0
    assert np.isnan(score.choice[answered]).all()
    assert not score.correct[answered].any()


def test_batches_go_through_the_table_once_a_pass_with_new_noise_each() -> None:
    task = get_task("xor", settings())
    table = trial_table(task, "validation", 1).head(100)
    stream = batches(table, trials_per_batch=25, seed=3)
    passes = [[next(stream) for _ in range(4)] for _ in range(2)]
    seen = [pd.concat(one) for one in passes]
    for one in seen:
        assert sorted(one["trial"]) == sorted(table["trial"])
    assert not set(seen[0]["noise_seed"]) & set(seen[1]["noise_seed"])
    assert not seen[0]["trial"].equals(seen[1]["trial"])


def test_batches_can_start_anywhere() -> None:
    task = get_task("xor", settings())
    table = trial_table(task, "validation", 1).head(100)
    stream = batches(table, trials_per_batch=30, seed=3)
    expected = [next(stream) for _ in range(8)]
    resumed = batches(table, trials_per_batch=30, seed=3, start=5)
    for batch in expected[5:]:
        pd.testing.assert_frame_equal(next(resumed), batch)
