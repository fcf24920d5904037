"""What a task tells the analyses: constant inputs, settings that can be varied, and its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ctrnn.tasks import (
    TASKS,
    ConstantInput,
    Task,
    get_task,
    one_of_each,
    read_test,
    save,
    trial_table,
)
from tests.settings import settings


def task(name: str, **changes: Any) -> Task[Any]:
    return get_task(name, settings(**changes).tasks, 1.0)


@pytest.mark.parametrize("name", sorted(set(TASKS) - {"mante", "mante_graded"}))
def test_a_network_waits_without_input(name: str) -> None:
    (epoch,) = task(name).constant_inputs()
    assert epoch == ConstantInput("no_input", (0.0,) * len(task(name).channels))
    assert epoch.picks(pd.DataFrame({"x": [1, 2]})).tolist() == [True, True]


@pytest.mark.parametrize("name", ["mante", "mante_graded"])
def test_a_network_of_two_contexts_waits_in_either(name: str) -> None:
    motion, colour = task(name).constant_inputs()
    assert (motion.name, motion.inputs) == ("motion", (0, 0, 1, 0))
    assert (colour.name, colour.inputs) == ("colour", (0, 0, 0, 1))
    assert (motion.relevant, motion.irrelevant) == ("motion", "colour")
    assert (colour.relevant, colour.irrelevant) == ("colour", "motion")
    rows = pd.DataFrame({"context": ["motion", "colour", "motion"]})
    assert motion.picks(rows).tolist() == [True, False, True]
    assert colour.picks(rows).tolist() == [False, True, False]


def test_an_epoch_of_several_variables_picks_trials_that_have_all_of_its_values() -> None:
    rows = pd.DataFrame({"a": [1, 1, 2], "b": ["x", "y", "x"]})
    assert ConstantInput("e", (0.0,), {"a": 1, "b": "x"}).picks(rows).tolist() == [
        True,
        False,
        False,
    ]


def test_stimuli_follow_each_other_at_the_delays_of_the_settings() -> None:
    xor = task("xor").settings
    assert (xor.stim_on, xor.second_on, xor.stim_off) == (50, 110, 160)
    assert xor.window == slice(170, 270)
    go_nogo = task("go_nogo").settings
    assert go_nogo.stim_off == go_nogo.stim_on + go_nogo.stim_dur


@pytest.mark.parametrize(
    ("changes", "longer"), [({"delay": 60}, 50), ({"delay": 0}, -10), ({"stim_dur": 60}, 20)]
)
def test_a_trial_ends_as_much_later_as_its_window(changes: dict[str, int], longer: int) -> None:
    trained = task("xor").settings
    varied = trained.varied(**changes)
    assert trained.T + longer == varied.T
    assert varied.window.stop - varied.window.start == trained.response_dur
    assert {**varied.model_dump(), **changes, "T": 0} == {**trained.model_dump(), **changes, "T": 0}


def test_a_trial_may_end_with_its_window_and_not_before() -> None:
    stop = task("xor").settings.window.stop
    assert stop == task("xor", tasks__xor__T=stop).settings.T
    with pytest.raises(ValueError, match="ends before \\d+ ms = stim_on"):
        task("xor", tasks__xor__T=stop - 1)


def test_the_test_trials_come_back_from_their_files(tmp_path: Path) -> None:
    xor = task("xor", tasks__xor__test_trials=8)
    written = save(tmp_path, xor, seed=3)
    back = read_test(tmp_path)
    for name in ("inputs", "targets", "mask"):
        np.testing.assert_array_equal(getattr(back, name), getattr(written, name))
    pd.testing.assert_frame_equal(back.conditions, written.conditions, check_dtype=False)
    for split in ("train", "validation", "test"):
        table = pd.read_csv(tmp_path / f"{split}.csv")
        assert table["noise_seed"].equals(trial_table(xor, split, 3)["noise_seed"])


def test_one_trial_of_each_condition_is_its_first() -> None:
    xor = task("xor", tasks__xor__test_trials=16)
    batch = xor.render(trial_table(xor, "test", 1))
    examples = one_of_each(batch)
    assert list(examples.conditions) == list(batch.conditions)
    first = batch.conditions.groupby("condition", sort=True)["trial"].min()
    assert examples.conditions["condition"].tolist() == first.index.tolist()
    assert examples.conditions["trial"].tolist() == first.tolist()
    np.testing.assert_array_equal(examples.inputs, batch.inputs[:, first])
    np.testing.assert_array_equal(examples.targets, batch.targets[:, first])
    np.testing.assert_array_equal(examples.mask, batch.mask[:, first])
