"""Training at a coarse time step first, then at the network's own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from ctrnn.errors import ParamsError
from ctrnn.tasks import get_task, trial_table
from ctrnn.training import loop
from ctrnn.training.coarse import coarse_step
from ctrnn.training.curriculum import build_curriculum
from ctrnn.training.state import TrainState
from tests.settings import settings
from tests.unit.training.test_checkpoint import PowerCutError, assert_same, power_cut, run

COARSE = {"train__coarse_dt": 5.0}
MET = COARSE | {"train__stop_criterion": "loss", "train__loss_criterion": 10.0}  # at every check
NEVER = COARSE | {"train__stop_criterion": "loss", "train__loss_criterion": 1e-9}


def longest(task: str, **changes: Any) -> float | None:
    chosen = settings(**changes)
    own = get_task(task, chosen.tasks, chosen.network.dt)
    return coarse_step(own, chosen.network, chosen.train)


@pytest.mark.parametrize("task", ["go_nogo", "dmts", "mante", "xor"])
def test_the_shipped_tasks_begin_at_five_ms(task: str) -> None:
    assert longest(task) == 5
    assert longest(task, train__coarse_dt=None) is None


@pytest.mark.parametrize(
    ("task", "changes", "expected"),
    [
        ("mante", {"network__tau": 100}, 25),  # a quarter of tau
        ("mante", {"network__tau": 10}, 2.5),  # no multiple of network.dt
        (
            "mante",
            {"network__tau": 30},
            6.25,
        ),  # 50 ms in 8 steps: 50 / 7 has no end as a decimal number
        ("mante", {"network__tau": 5}, None),  # 1.25 ms is less than twice network.dt
        ("go_nogo", {"network__tau": 100}, 12.5),  # two steps of the pulse of 25 ms
        ("mante", {"network__tau": 100, "network__tau_inh": 8}, 2),
        ("mante", {"network__model": "adaptation", "network__parameters": {"tau_w": 8.0}}, 2),
        ("dmts", {"network__tau": 100}, 5),  # two steps of the delay of 10 ms
        ("dmts", {"tasks__dmts__delay": 11}, None),  # no divisor in common
        ("dmts", {"tasks__dmts__curriculum": [{"settings": {"delay": 4}, "until": 0.9}]}, 2),
        ("go_nogo", {"network__dt": 0.5}, 5),
    ],
)
def test_the_coarse_step_is_the_longest_that_fits(
    task: str, changes: dict[str, Any], expected: float | None
) -> None:
    assert longest(task, **changes) == expected


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (1, "train.coarse_dt = 1 ms is not between network.dt = 1 ms and the shortest time constant of network, 20 ms"),
        (25, "train.coarse_dt = 25 ms is not between"),
        (10, "tasks.go_nogo.stim_dur = 25 ms is no whole number of steps of train.coarse_dt = 10 ms; give 20 or 30"),
        ("atuo", "train.coarse_dt = 'atuo' is not allowed; give auto or a number above 0"),
        (0, "train.coarse_dt = 0 is not allowed; give auto or a number above 0"),
    ],
)  # fmt: skip
def test_a_coarse_step_that_cannot_be_is_one_sentence(value: object, sentence: str) -> None:
    with pytest.raises(ParamsError) as refused:
        settings(train__coarse_dt=value)
    assert str(refused.value).startswith(sentence)


def steps(state: TrainState) -> list[float]:
    return [row["dt"] for row in state.history]


def test_a_network_converges_at_its_own_step_with_the_check_at_its_start_counted(
    tmp_path: Path,
) -> None:
    (state, _), _ = run(tmp_path, {**MET, "train__max_iterations": 40})
    # A check after 5 iterations, the next after 5 / 5 more; at its own step one at the start, one after 1 iteration.
    assert steps(state) == [5.0] * 6 + [1.0]
    assert state.converged
    assert state.network.wiring.settings.dt == 1
    checked = [row["iteration"] for row in state.history if not math.isnan(row["accuracy"])]
    assert checked == [5, 6, 7]


def test_a_check_that_misses_the_criterion_is_followed_by_one_after_all_the_iterations() -> None:
    params = settings(train__check_every=25)
    task = get_task("go_nogo", params.tasks, params.network.dt)
    table = trial_table(task, "validation", 1)
    coarse, fine = build_curriculum(task, table, table, 1, 25, 64, 5.0)
    assert [coarse.until_check(met) for met in (0, 1)] == [25, 5]
    assert [fine.until_check(met) for met in (0, 1)] == [5, 5]
    (alone,) = build_curriculum(task, table, table, 1, 25, 64, None)
    assert [alone.until_check(met) for met in (0, 1)] == [25, 25]


def test_without_a_coarse_step_all_is_at_the_networks_own(tmp_path: Path) -> None:
    (state, _), _ = run(tmp_path, {**MET, "train__coarse_dt": None, "train__max_iterations": 40})
    assert steps(state) == [1.0] * 10


def test_a_network_that_misses_the_criterion_coarsely_goes_on_finely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "COARSE_AT_MOST", 10)
    (state, _), _ = run(tmp_path, NEVER)
    assert steps(state) == [5.0] * 10 + [1.0] * 2
    assert not state.converged


def test_a_training_that_ends_coarsely_is_reported_at_the_networks_own_step(tmp_path: Path) -> None:
    (state, _), _ = run(tmp_path, {**NEVER, "train__max_iterations": 5})
    assert steps(state) == [5.0] * 5
    check = state.last_check
    (fine, _), _ = run(
        tmp_path / "fine", {**NEVER, "train__max_iterations": 5, "train__coarse_dt": None}
    )
    assert check is not None and fine.last_check is not None
    assert 0 < abs(check.loss - fine.last_check.loss) < 0.5  # of trials of the same length
    assert state.network.wiring.settings.dt == 1


@pytest.mark.parametrize("at", [3, 7, 9])
def test_it_goes_on_where_it_was_with_the_same_bits(tmp_path: Path, at: int) -> None:
    changes = {**MET, "train__patience": 3, "train__max_iterations": 40}
    undisturbed, steps_taken = run(tmp_path / "a", changes)
    assert steps(undisturbed[0]) == [5.0] * 7 + [1.0] * 2
    with pytest.raises(PowerCutError):
        run(tmp_path / "b", changes, at=at, act=power_cut)
    resumed, again = run(tmp_path / "b", changes)
    assert again == steps_taken - (at - 1)
    assert_same(undisturbed, resumed)
