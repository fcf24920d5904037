"""Times that are drawn for every trial: their distributions, the trial table, and trials of different length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ctrnn.errors import ParamsError
from ctrnn.tasks import Task, get_task, trial_table
from ctrnn.tasks.drawn import Choice, Drawn, Exponential, Uniform
from ctrnn.tasks.settings import Phases
from ctrnn.training.coarse import coarse_step
from tests import produced_interval
from tests.settings import settings

SHARES = (np.arange(30_000) + 0.5) / 30_000
NAMES = ["dmts", "xor", "working_memory"]


def task(name: str = "dmts", dt: float = 1.0, **changes: Any) -> Task[Any]:
    times = {
        "delay": {"uniform": [20, 40]},
        "response_delay": {"choice": [0, 30]},
        "T": 350,
    } | changes
    chosen = settings(**{f"tasks__{name}__{key}": value for key, value in times.items()})
    return get_task(name, chosen.tasks, dt)


def shares(times: Drawn, dt: float) -> dict[float, float]:
    drawn, counts = np.unique(times.quantile(SHARES, dt), return_counts=True)
    return dict(zip(drawn.tolist(), (counts / len(SHARES)).tolist(), strict=True))


def test_every_step_of_a_uniform_range_is_as_likely() -> None:
    for dt, n in ((1, 21), (5, 5), (0.5, 41)):
        made = shares(Uniform(uniform=[20, 40]), dt)
        assert list(made) == [20 + dt * i for i in range(n)]
        np.testing.assert_allclose(list(made.values()), 1 / n, atol=1e-4)


def test_an_exponential_time_falls_by_its_scale_and_ends_at_the_longest() -> None:
    made = shares(Exponential(exponential=[20, 30], scale=4), 1)
    expected = np.exp(-np.arange(11) / 4)
    assert list(made) == list(range(20, 31))
    np.testing.assert_allclose(list(made.values()), expected / expected.sum(), atol=1e-4)


def test_every_one_of_a_choice_is_as_likely() -> None:
    made = shares(Choice(choice=[50, 10, 20]), 10)
    assert list(made) == [10, 20, 50]
    np.testing.assert_allclose(list(made.values()), 1 / 3, atol=1e-4)


@pytest.mark.parametrize(
    ("times", "median"),
    [
        (Uniform(uniform=[20, 40]), 30),
        (Uniform(uniform=[7, 7]), 7),
        (Exponential(exponential=[0, 1000], scale=100), 69),  # 100 log 2
        (Choice(choice=[100, 10, 20]), 20),
    ],
)
def test_the_median_is_a_whole_number_of_steps(times: Drawn, median: float) -> None:
    assert times.median(1) == median


@pytest.mark.parametrize("name", NAMES)
def test_the_trial_table_has_a_column_for_every_time_that_is_drawn_and_is_else_as_it_was(
    name: str,
) -> None:
    table, fixed = (
        trial_table(own, "test", 1) for own in (task(name), task(name, delay=20, response_delay=0))
    )
    pd.testing.assert_frame_equal(table.drop(columns=["delay", "response_delay"]), fixed)
    assert set(table["delay"]) == set(range(20, 41))
    assert set(table["response_delay"]) == {0, 30}
    pd.testing.assert_frame_equal(table, trial_table(task(name), "test", 1))
    assert not table["delay"].equals(trial_table(task(name), "test", 2)["delay"])


@pytest.mark.parametrize("name", NAMES)
def test_every_trial_is_the_one_of_a_task_whose_times_are_fixed_at_its_own(name: str) -> None:
    drawn = task(name)
    rows = trial_table(drawn, "test", 1).head(20)
    batch = drawn.render(rows)
    for i in range(len(rows)):
        own = rows.iloc[[i]]
        delays = {key: own[key].item() for key in ("delay", "response_delay")}
        alone = task(name, **delays, T=350 - (40 + 30) + sum(delays.values())).render(own)
        n = len(alone.inputs)
        assert drawn.ends(rows)[i] == n
        for array in ("inputs", "targets", "mask"):
            np.testing.assert_array_equal(getattr(batch, array)[:n, i], getattr(alone, array)[:, 0])
            assert not getattr(batch, array)[n:, i].any()


def test_a_batch_with_drawn_times_depends_on_its_rows_alone() -> None:
    rows = trial_table(task(), "test", 1)
    order = np.random.default_rng(0).permutation(len(rows))[:17]
    whole, part = task().render(rows), task().render(rows.iloc[order])
    for array in ("inputs", "targets", "mask"):
        np.testing.assert_array_equal(getattr(whole, array)[:, order], getattr(part, array))


def test_an_answer_counts_in_the_window_of_its_own_trial() -> None:
    drawn = task()
    rows = trial_table(drawn, "test", 1).head(50)
    right = drawn.render(rows).targets
    assert drawn.score(right, rows).correct.all()
    np.testing.assert_allclose(drawn.score(right, rows).response, drawn.answer(rows))
    late = np.roll(right, 30, axis=0)  # in the window of a trial with another response delay
    assert not drawn.score(late, rows).correct.any()
    begin, end = drawn.windows(rows).T
    np.testing.assert_array_equal(begin, 50 + 50 + rows["delay"] + 50 + rows["response_delay"])
    assert (end - begin == 100).all()


def test_the_loss_is_kept_to_the_baseline_and_window_of_each_trial() -> None:
    own = task(loss_over="baseline_and_response")
    rows = trial_table(own, "test", 1).head(8)
    for mask, (begin, end) in zip(own.mask(rows)[..., 0].T, own.windows(rows), strict=True):
        np.testing.assert_array_equal(np.flatnonzero(mask), [*range(50), *range(begin, end)])


def test_a_drawn_time_is_whole_steps_of_a_coarse_time_step_as_well() -> None:
    fine, coarse = task(), task().at(5)
    rows = trial_table(fine, "test", 1).head(40)
    steps = coarse.lengths(rows)["delay"]
    assert (np.abs(5 * steps - rows["delay"]) <= 2.5).all()
    assert coarse.render(rows).inputs.shape == (70, 40, 2)
    assert coarse.score(coarse.render(rows).targets, rows).correct.all()


def test_the_coarse_time_step_is_one_that_the_ends_of_a_range_are_whole_steps_of() -> None:
    params = settings()
    found = [
        coarse_step(task(delay={"uniform": times}, response_delay=10), params.network, params.train)
        for times in ([20, 40], [20, 42], [20, 43])
    ]
    assert found == [5, 2, None]


def test_trials_without_their_drawn_times_are_one_sentence() -> None:
    with pytest.raises(ValueError, match="^trials of dmts lack the column delay, .*; take rows of"):
        task(response_delay=0).render(task().conditions())


def test_a_held_task_has_medians_and_ends_as_much_sooner() -> None:
    held = task(response_delay={"choice": [0, 20, 30]}).held()
    assert (held.settings.delay, held.settings.response_delay) == (30, 20)
    assert held.settings.T == 350 - (40 - 30) - (30 - 20)
    fixed = task(delay=20, response_delay=0)
    assert fixed.held() is fixed


NUMBER = "a number at least 0 and at most 2147483647"


@pytest.mark.parametrize(
    ("delay", "sentence"),
    [
        ({"uniform": [80, 20]}, ".uniform = [80, 20] ends before it begins; give [20, 80]"),
        ({"uniform": [20]}, f".uniform = [20] is not allowed; give a list of 2 {NUMBER[2:].replace('er', 'ers')}"),
        ({"unifrom": [20, 80]}, ".unifrom is not a setting; did you mean tasks.dmts.delay.uniform?"),
        ({"exponential": [20, 30]}, ".scale is missing; give a number at least 1e-09 and at most 1000000000"),
        ({"uniform": [20, 30], "scale": 3}, ".scale is not a setting; there are tasks.dmts.delay.uniform, "
         "tasks.dmts.delay.exponential, tasks.dmts.delay.choice"),
        ({"choice": [10, 2.5]}, ".choice.1 = 2.5 ms is no whole number of steps of network.dt = 1 ms; give 2 or 3"),
        ("20-80", f" = '20-80' is not allowed; give {NUMBER} or {{uniform: ...}} or {{exponential: ..., scale: ...}} "
         "or {choice: ...}"),
    ],
)  # fmt: skip
def test_a_distribution_that_cannot_be_is_one_sentence(delay: Any, sentence: str) -> None:
    with pytest.raises(ParamsError) as refused:
        settings(tasks__dmts__delay=delay)
    assert str(refused.value) == f"tasks.dmts.delay{sentence}"


def test_the_longest_trial_must_fit_and_other_times_are_numbers() -> None:
    with pytest.raises(
        ParamsError, match=r"^tasks\.dmts\.T = 300 ends before 1060 ms = .* delay 800 "
    ):
        settings(tasks__dmts__delay={"uniform": [20, 800]})
    with pytest.raises(ParamsError, match=r"^tasks\.mante\.response_delay = {.*} is not allowed"):
        settings(tasks__mante__response_delay={"uniform": [0, 20]})


def test_phases_that_cannot_be_are_refused_when_their_class_is_made() -> None:
    with pytest.raises(TypeError, match="phases has no phase called response; name one so"):
        type("NoResponse", (Phases,), {"phases": {"baseline": "T"}, "__module__": __name__})
    with pytest.raises(TypeError, match=r"phases\['response'\] = 'dur' is no setting of it"):
        type("NoSetting", (Phases,), {"phases": {"response": "dur"}, "__module__": __name__})


def test_a_time_that_is_a_variable_of_the_conditions_is_balanced_and_not_held() -> None:
    own = produced_interval.ProducedIntervalSettings.model_validate(produced_interval.SECTION)
    task, fine = (produced_interval.ProducedInterval(own, dt) for dt in (1.0, 0.5))
    table = trial_table(task, "test", 1)
    assert list(table) == ["split", "trial", "interval", "condition", "noise_seed"]
    assert table["interval"].value_counts().to_dict() == {10: 8, 20: 8}
    assert task.held() is task
    np.testing.assert_array_equal(task.windows(table)[:, 0], 2 + table["interval"])
    np.testing.assert_array_equal(task.ends(table), 52 - (20 - table["interval"]))
    np.testing.assert_array_equal(fine.ends(table), 2 * task.ends(table))
    np.testing.assert_array_equal(
        fine.render(table).inputs[::2, :, 1], task.render(table).inputs[..., 1]
    )


def test_a_coarse_step_leaves_drawn_times_as_likely_as_they_were() -> None:
    """Times half-way between two coarse steps go up, all of them: half to even would be three to one."""
    task = get_task(
        "dmts", settings(tasks__dmts__T=400, tasks__dmts__delay={"uniform": [20, 80]}).tasks, 2.0
    )
    rows = pd.DataFrame({"delay": np.arange(20.0, 81.0), "sample": 1, "test": 1})
    counts = np.bincount(task.lengths(rows)["delay"])[11:40]
    assert set(counts) == {2}
