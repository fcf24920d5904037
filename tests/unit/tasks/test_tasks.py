"""The tasks: conditions in exact balance, rendering from rows alone, scores as a person would give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ctrnn.errors import ParamsError
from ctrnn.tasks import TASKS, Task, batches, get_task, right_side, table_of, trial_table
from ctrnn.tasks.go_nogo import GoNogo
from tests.settings import settings

NAMES = sorted(TASKS)
N_CONDITIONS = {
    "go_nogo": 2, "dmts": 4, "mante": 8, "xor": 4,
    "perceptual_decision": 10, "working_memory": 10, "flip_flop": 8, "mante_graded": 72,
}  # fmt: skip
WINDOWS = {
    "go_nogo": (75, 100), "dmts": (170, 270), "mante": (250, 500), "xor": (170, 270),
    "perceptual_decision": (250, 500), "working_memory": (200, 300), "flip_flop": (300, 350),
    "mante_graded": (250, 500),
}  # fmt: skip


@pytest.fixture(params=NAMES)
def task(request: pytest.FixtureRequest) -> Task[Any]:
    return get_task(request.param, settings().tasks, 1.0)


def rows_of(task: Task[Any], n: int = 72, seed: int = 1) -> pd.DataFrame:
    return trial_table(task, "test", seed).head(n)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_conditions_are_exactly_balanced(task: Task[Any], split: str) -> None:
    counts = trial_table(task, split, seed=1)["condition"].value_counts()
    assert len(counts) == N_CONDITIONS[task.name]
    assert counts.nunique() == 1


def test_a_number_of_trials_that_cannot_be_balanced_is_refused() -> None:
    unbalanced = settings().tasks["mante"].model_copy(update={"test_trials": 2044})
    mante = TASKS["mante"](unbalanced, 1.0)
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
    assert batch.targets.shape == batch.mask.shape == (T, 10, len(task.outputs))
    assert batch.inputs.dtype == batch.targets.dtype == np.float32


def test_windows_are_the_tutorials_and_the_papers(task: Task[Any]) -> None:
    window = task.settings.window
    assert (window.start, window.stop) == WINDOWS[task.name]


def test_targets_are_the_answer_in_the_window_and_zero_elsewhere(task: Task[Any]) -> None:
    rows = rows_of(task)
    targets = task.targets(rows)
    start, stop = WINDOWS[task.name]
    answer = task.answer(rows).reshape(len(rows), -1)
    assert (targets[start:stop] == answer).all()
    assert not targets[: task.settings.stim_on].any()
    if task.name != "flip_flop":  # which is to answer all along
        assert not targets[:start].any()
    assert not targets[stop:].any()


def test_every_right_answer_is_among_the_answers(task: Task[Any]) -> None:
    assert set(task.answer(task.conditions()).ravel().tolist()) == set(task.answers or ())


def test_what_is_left_out_of_a_task_is_said_in_a_sentence() -> None:
    said = {name: get_task(name, settings().tasks, 1.0).left_out for name in TASKS}
    assert said.pop("flip_flop") == (
        "Left out: the axis of the choice, since each of the 3 outputs has an answer of its own."
    )
    assert set(said.values()) == {""}


def test_a_task_that_judges_in_its_own_way_has_answers_only_if_it_names_them() -> None:
    class Strict(GoNogo):
        def choice(self, response: np.ndarray) -> np.ndarray:
            return response

    class Named(Strict):
        answers = (0.0, 0.5, 1.0)

    class Graded(Named):
        def graded(self, sizes: Sequence[float]) -> pd.DataFrame:
            return pd.DataFrame({"stimulus": ["go", "nogo"]})

    own = get_task("go_nogo", settings().tasks, 1.0).settings
    assert [task.answers for task in (GoNogo, Strict, Graded)] == [(0, 1), None, (0, 0.5, 1)]
    assert (Strict(own, 1.0).has_choice, Named(own, 1.0).has_choice) == (False, True)
    assert (Graded(own, 1.0).has_curve, Named(own, 1.0).left_out) == (False, "")
    assert Graded(own, 1.0).left_out == (
        "Left out: psychometric functions, since go_nogo has 3 answers, not two."
    )


def test_answers() -> None:
    def answers(name: str) -> dict[tuple[Any, ...], float]:
        task = get_task(name, settings().tasks, 1.0)
        table = task.conditions()
        keys = [tuple(row) for row in table.itertuples(index=False)]
        return dict(zip(keys, task.answer(table).tolist(), strict=True))

    assert answers("go_nogo") == {("go",): 1, ("nogo",): 0}
    assert answers("dmts") == {(1, 1): 1, (1, -1): -1, (-1, 1): -1, (-1, -1): 1}
    assert answers("xor") == {(1, 1): -1, (1, -1): 1, (-1, 1): 1, (-1, -1): -1}
    for (context, motion, colour), answer in answers("mante").items():
        assert answer == np.sign(motion if context == "motion" else colour)


def test_graded_conditions_hold_the_strengths_of_their_section() -> None:
    motion = get_task("perceptual_decision", settings().tasks, 1.0).conditions()["coherence"]
    assert sorted(motion) == [
        -0.512,
        -0.256,
        -0.128,
        -0.064,
        -0.032,
        0.032,
        0.064,
        0.128,
        0.256,
        0.512,
    ]
    graded = get_task("mante_graded", settings().tasks, 1.0)
    table, sizes = graded.conditions(), graded.settings.evidence
    for channel in ("motion", "colour"):
        assert set(table[channel]) == {sign * size for size in sizes for sign in (1, -1)}


def test_motion_has_the_mean_and_spread_of_the_settings() -> None:
    task = get_task("perceptual_decision", settings().tasks, 1.0)
    rows = trial_table(task, "test", 1)
    inputs, sd = task.inputs(rows)[:, :, 0], task.settings.evidence_sd
    noise = inputs[50:250] - rows["coherence"].to_numpy()
    assert abs(noise.mean()) < 5 * sd / np.sqrt(noise.size)
    assert abs(noise.std() - sd) < 5 * sd / np.sqrt(2 * noise.size)
    assert abs(np.corrcoef(noise[0], noise[1])[0, 1]) < 0.1
    assert not inputs[:50].any()
    assert not inputs[250:].any()


def test_working_memory_compares_in_both_orders_on_a_scale_from_minus_one_to_one() -> None:
    task = get_task("working_memory", settings().tasks, 1.0)
    rows = task.conditions()
    assert sorted(zip(rows["f1"], rows["f2"], strict=True)) == sorted(
        pair for low in (10, 14, 18, 22, 26) for pair in ((low, low + 8), (low + 8, low))
    )
    inputs = task.inputs(rows)[:, :, 0]
    first, second = inputs[50], inputs[150]
    assert (inputs.min(), inputs.max()) == (-1, 1)
    np.testing.assert_array_equal(np.sign(first - second), task.answer(rows))
    assert not inputs[100:150].any()
    assert (inputs[50:100] == first).all() and (inputs[150:200] == second).all()


def test_a_flip_flop_holds_the_last_pulse_of_each_channel() -> None:
    task = get_task("flip_flop", settings().tasks, 1.0)
    rows = trial_table(task, "test", 1)
    inputs, targets = task.inputs(rows), task.targets(rows)
    state = np.zeros_like(inputs[0])
    for t in range(task.settings.T):
        state = np.where(inputs[t] != 0, np.sign(inputs[t]), state)
        np.testing.assert_array_equal(targets[t], state)
    np.testing.assert_array_equal(state, task.answer(rows))
    onsets = (inputs != 0)[100:300:50]  # after the first, which sets every bit
    assert abs(onsets.mean() - 0.3) < 5 * 0.5 / np.sqrt(onsets.size)
    assert (inputs[50] != 0).all()
    flips = (np.diff(targets[50:], axis=0) != 0).sum(axis=0)
    assert flips.max() > 2
    counts = task.mask(rows)[:, 0, 0]
    assert not counts[50:70].any() and not counts[250:270].any()
    assert counts[:50].all() and counts[70:100].all() and counts[270:].all()


def test_pulses_stand_where_the_settings_say() -> None:
    dmts = get_task("dmts", settings().tasks, 1.0)
    rows = dmts.conditions()
    inputs = dmts.inputs(rows)
    assert (np.flatnonzero(inputs[:, 0, 0])[[0, -1]] == (50, 99)).all()
    assert (np.flatnonzero(inputs[:, 0, 1])[[0, -1]] == (110, 159)).all()
    xor = get_task("xor", settings().tasks, 1.0)
    np.testing.assert_array_equal(xor.inputs(xor.conditions())[:, :, 0], inputs.sum(axis=2))


def test_mante_evidence_has_the_mean_and_spread_of_the_settings() -> None:
    mante = get_task(
        "mante",
        settings(tasks__mante__evidence=[0.5, 0.1], tasks__mante__evidence_sd=2.0).tasks,
        1.0,
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
    xor = get_task("xor", settings(tasks__xor__loss_over="baseline_and_response").tasks, 1.0)
    mask = xor.mask(xor.conditions())[:, 0, 0]
    np.testing.assert_array_equal(np.flatnonzero(mask), [*range(50), *range(170, 270)])
    assert get_task("xor", settings().tasks, 1.0).mask(xor.conditions()).all()


def accuracy(task: Task[Any], outputs: np.ndarray, rows: pd.DataFrame) -> float:
    return float(task.score(outputs.astype(np.float32), rows).correct.mean())


def answer_of(task: Task[Any], rows: pd.DataFrame) -> np.ndarray:
    """The right answer [trial, output]."""
    return task.answer(rows).reshape(len(rows), -1)


def always(task: Task[Any], answer: np.ndarray) -> np.ndarray:
    """Outputs that stay at `answer` for the whole trial."""
    return np.repeat(answer[None], task.settings.T, axis=0)


def test_a_network_that_answers_right_scores_one(task: Task[Any]) -> None:
    rows = rows_of(task)
    assert accuracy(task, task.targets(rows), rows) == 1


def test_silence_is_right_on_no_go_trials_only(task: Task[Any]) -> None:
    rows = trial_table(task, "test", 1)
    silent = np.zeros_like(task.targets(rows))
    assert accuracy(task, silent, rows) == (0.5 if task.name == "go_nogo" else 0)


def test_a_constant_answer_is_right_where_it_is_the_answer(task: Task[Any]) -> None:
    rows = trial_table(task, "test", 1)
    chance = 1 / 8 if task.name == "flip_flop" else 1 / 2  # one of 2^3 states
    for constant in (1.0, 0.0 if task.name == "go_nogo" else -1.0):
        assert accuracy(task, np.full_like(task.targets(rows), constant), rows) == chance


def test_a_wrong_signed_answer_is_wrong(task: Task[Any]) -> None:
    rows = rows_of(task)
    targets = task.targets(rows)
    wrong = 1 - targets if task.name == "go_nogo" else -targets
    assert accuracy(task, wrong, rows) == 0


def test_the_size_of_an_answer_does_not_make_up_for_its_sign(task: Task[Any]) -> None:
    """The tutorial's dmts took absolute values: |z| of the right size counted as right."""
    rows = trial_table(task, "test", 1)
    share_positive = (answer_of(task, rows) > 0).all(axis=1).mean()
    assert accuracy(task, np.abs(task.targets(rows)), rows) == (
        1 if task.name == "go_nogo" else share_positive
    )


def test_a_late_answer_is_wrong(task: Task[Any]) -> None:
    """Right only from the middle of the window on: the mean over the window stays short of the threshold."""
    rows = rows_of(task)
    outputs = always(task, answer_of(task, rows))
    start, stop = WINDOWS[task.name]
    outputs[: (start + stop + 1) // 2] = 0.5 if task.name == "go_nogo" else 0
    assert accuracy(task, outputs, rows) == 0


def test_an_answer_outside_the_window_does_not_count(task: Task[Any]) -> None:
    rows = rows_of(task)
    outputs = always(task, answer_of(task, rows))
    outputs[task.settings.window] = 0.49
    assert accuracy(task, outputs, rows) == 0


def test_an_answer_short_of_the_threshold_is_no_choice(task: Task[Any]) -> None:
    rows = rows_of(task)
    score = task.score(0.99 * task.settings.threshold * task.targets(rows), rows)
    answered = task.answer(rows) != 0
    assert np.isnan(score.choice[answered]).all()
    assert not score.correct[answered.reshape(len(rows), -1).any(axis=1)].any()


def test_one_wrong_output_of_several_makes_a_trial_wrong() -> None:
    task = get_task("flip_flop", settings().tasks, 1.0)
    rows = rows_of(task)
    outputs = task.targets(rows)
    outputs[:, :, 1] *= -1
    score = task.score(outputs, rows)
    assert not score.correct.any()
    assert (score.choice == task.answer(rows)).mean(axis=0).tolist() == [1, 0, 1]


def test_batches_go_through_the_table_once_a_pass_with_new_noise_each() -> None:
    task = get_task("xor", settings().tasks, 1.0)
    table = trial_table(task, "validation", 1).head(100)
    stream = batches(table, batch_size=25, seed=3)
    passes = [[next(stream) for _ in range(4)] for _ in range(2)]
    seen = [pd.concat(batch) for batch in passes]
    for batch in seen:
        assert sorted(batch["trial"]) == sorted(table["trial"])
    assert not set(seen[0]["noise_seed"]) & set(seen[1]["noise_seed"])
    assert not seen[0]["trial"].equals(seen[1]["trial"])


def test_batches_can_start_anywhere() -> None:
    task = get_task("xor", settings().tasks, 1.0)
    table = trial_table(task, "validation", 1).head(100)
    stream = batches(table, batch_size=30, seed=3)
    expected = [next(stream) for _ in range(8)]
    resumed = batches(table, batch_size=30, seed=3, start=5)
    for batch in expected[5:]:
        pd.testing.assert_frame_equal(next(resumed), batch)


def test_a_trial_table_has_its_columns_and_is_the_same_in_every_release() -> None:
    """Every result of a seed follows from it."""
    table = trial_table(get_task("xor", settings().tasks, 1.0), "test", seed=1)
    assert list(table) == ["split", "trial", "first", "second", "condition", "noise_seed"]
    assert table["trial"].tolist() == table.index.tolist() == list(range(2048))
    assert table["condition"].head(3).tolist() == [
        "first=-1 second=+1",
        "first=+1 second=+1",
        "first=-1 second=+1",
    ]
    assert table["noise_seed"].head(3).tolist() == [
        3858173485898789708,
        2564260733235890884,
        803870968890379126,
    ]
    assert 2**62 < table["noise_seed"].max() < 2**63
    mante = trial_table(get_task("mante", settings().tasks, 1.0), "train", seed=1)
    assert set(mante["condition"]) == {
        f"context={context} motion={motion} colour={colour}"
        for context in ("motion", "colour")
        for motion in ("+0.5", "-0.5")
        for colour in ("+0.5", "-0.5")
    }


def test_a_batch_has_the_columns_of_its_table_and_is_the_same_in_every_release() -> None:
    table = trial_table(get_task("xor", settings().tasks, 1.0), "train", seed=1)
    batch = next(batches(table, batch_size=1600, seed=1))
    assert list(batch) == list(table)
    assert batch["trial"].head(3).tolist() == [4384, 5904, 1045]
    assert batch["noise_seed"].head(3).tolist() == [
        6417744426251239763,
        5200094578921854421,
        4976753210809562830,
    ]
    assert 2**62 < batch["noise_seed"].max() < 2**63


def test_an_answer_is_beyond_its_threshold_and_not_at_it() -> None:
    xor = get_task("xor", settings(tasks__xor__threshold=0.5).tasks, 1.0)
    np.testing.assert_array_equal(
        xor.choice(np.array([0.5, 0.75, -0.5, -0.75], np.float32)), [np.nan, 1, np.nan, -1]
    )
    two = {"tasks__go_nogo__threshold": 0.75, "tasks__go_nogo__nogo_threshold": 0.25}
    go_nogo = get_task("go_nogo", settings(**two).tasks, 1.0)
    np.testing.assert_array_equal(
        go_nogo.choice(np.array([0.75, 1.0, 0.25, 0.0, 0.5], np.float32)),
        [np.nan, 1, np.nan, 0, np.nan],
    )


def test_a_response_is_the_mean_over_the_window() -> None:
    xor = get_task("xor", settings().tasks, 1.0)
    rows = rows_of(xor, 4)
    outputs = np.zeros((xor.settings.T, 4, 1), np.float32)
    outputs[170:220], outputs[220:270] = 1, 2
    assert xor.score(outputs, rows).response.tolist() == [1.5] * 4


def test_a_side_is_that_of_the_nearest_answer() -> None:
    def floats(*values: float) -> np.ndarray:
        return np.array(values, np.float32)

    response, answer = floats(0.4, 0.6, -9.0, 9.0), floats(0, 0, 0, 1)
    assert right_side(response, answer, (0.0, 1.0)).tolist() == [True, False, True, True]
    both = np.array([[1, -1], [1, 1]], np.float32)
    assert right_side(both, -both[::-1], (-1.0, 1.0)).tolist() == [False, False]
    assert right_side(both, both * [[1], [0.5]], (-1.0, 0.5, 1.0)).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"^0\.5 is a right answer and not among the answers \[0"):
        right_side(floats(0, 0), floats(0.5, 0.7), (0.0, 1.0))


def test_evidence_of_other_sizes_comes_with_either_sign() -> None:
    def graded(name: str, *sizes: float) -> tuple[Any, pd.DataFrame]:
        task = get_task(name, settings().tasks, 1.0)
        conditions = task.graded(sizes)
        assert conditions is not None
        return task, conditions

    task, motion = graded("perceptual_decision", 0.2, 0.4)
    assert motion["coherence"].tolist() == [0.2, -0.2, 0.4, -0.4]
    assert task.evidence(motion)["coherence"].tolist() == [0.2, -0.2, 0.4, -0.4]
    task, pairs = graded("working_memory", 0.25, 0.5)
    assert task.hertz == (26 + 8 - 10) / 2
    assert task.evidence(pairs)["f1 - f2"].tolist() == [0.25, -0.25, 0.5, -0.5] * 5
    assert (pairs.sum(axis=1) / 2).tolist() == [
        mean for mean in (14, 18, 22, 26, 30) for _ in range(4)
    ]
    assert task.answer(pairs).tolist() == [1, -1] * 10
    heights = task.inputs(pairs)[:, :, 0]
    np.testing.assert_allclose(
        heights[50] - heights[150], task.evidence(pairs)["f1 - f2"], atol=1e-6
    )
    task, table = graded("mante", 0.1)
    assert len(table) == 8
    evidence = task.evidence(table)
    named = table["context"] == "motion"
    assert evidence["relevant"].equals(
        table["motion"].where(named, table["colour"]).rename("relevant")
    )
    assert evidence["irrelevant"].equals(
        table["colour"].where(named, table["motion"]).rename("irrelevant")
    )
    assert [name for name in NAMES if get_task(name, settings().tasks, 1.0).is_graded] == [
        "mante", "mante_graded", "perceptual_decision", "working_memory",
    ]  # fmt: skip
    assert get_task("mante", settings().tasks, 1.0).varied_settings()[-1] == "evidence"


def test_pulses_of_a_flip_flop_are_the_same_in_every_release() -> None:
    task: Any = get_task("flip_flop", settings().tasks, 1.0)
    rows = trial_table(task, "test", 1).head(2)
    assert (task.channels, task.outputs) == (("bit_1", "bit_2", "bit_3"),) * 2
    assert list(task.onsets) == [50, 100, 150, 200, 250]
    pulses = task.pulses(rows)
    assert pulses.astype(int).tolist() == [
        [[1, 1, 1], [-1, 1, -1]],
        [[0, -1, 0], [-1, 0, 0]],
        [[0, 0, -1], [0, 0, 0]],
        [[0, 1, 1], [0, 0, 0]],
        [[-1, -1, -1], [-1, 1, 0]],
    ]
    inputs = task.inputs(rows)
    size = task.settings.pulse_size
    for onset, signs in zip(task.onsets, pulses, strict=True):
        assert (inputs[onset : onset + 20] == size * signs).all()
        assert not inputs[onset + 20 : onset + 50].any()


def test_an_ideal_observer_adds_up_the_evidence_and_is_always_right_without_noise() -> None:
    """Held against observers who do, on trials that are drawn; they are told the context and no answer."""
    for name, changes in (
        ("mante", {"tasks__mante__evidence": [0.05, 0.2], "tasks__mante__test_trials": 3200}),
        ("perceptual_decision", {"tasks__perceptual_decision__stim_dur": 100}),
    ):
        noisy = {**changes, f"tasks__{name}__evidence_sd": 1.0}
        task = get_task(name, settings(**noisy).tasks, 1.0)
        rows = table_of(name, task.conditions(), 100 * len(task.conditions()), "test", 1)
        rows = rows[rows["context"] == "motion"] if name == "mante" else rows
        decided = np.sign(task.inputs(rows)[:, :, 0].sum(axis=0, dtype=np.float64))
        right = (decided == task.answer(rows)).mean()
        assert task.best_accuracy == pytest.approx(right, abs=3 * 0.5 / np.sqrt(len(rows)))
        assert 0.6 < task.best_accuracy < 0.95
        quiet = settings(**changes, **{f"tasks__{name}__evidence_sd": 0.0})
        assert get_task(name, quiet.tasks, 1.0).best_accuracy == 1
    assert get_task("dmts", settings().tasks, 1.0).best_accuracy == 1
    assert get_task("mante", settings().tasks, 1.0).best_accuracy == pytest.approx(1)
