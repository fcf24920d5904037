"""Times are in ms: another time step is the same experiment, in more or fewer steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ctrnn import params
from ctrnn.errors import ParamsError
from ctrnn.tasks import TASKS, Task, get_task, table_of
from tests.settings import FILE, settings

EVEN = {
    "tasks__go_nogo__stim_dur": 24,
    "tasks__go_nogo__response_dur": 24,
}  # so that steps of 2 ms fit
DELAYS = {
    "analyze__generalisation__delay": [0, 10],
    "analyze__generalisation__response_delay": [0, 10],
}


def at(name: str, dt: float, **changes: Any) -> Task[Any]:
    chosen = settings(network__dt=dt, train__coarse_dt=None, **EVEN, **DELAYS, **changes)
    return get_task(name, chosen.tasks, dt)


@pytest.mark.parametrize("name", [name for name in TASKS if name != "flip_flop"])
@pytest.mark.parametrize("dt", [0.5, 2])
def test_at_another_time_step_a_trial_shows_the_same_at_the_same_time(name: str, dt: float) -> None:
    quiet = {f"tasks__{name}__evidence_sd": 0.0} if "evidence_sd" in params_of(name) else {}
    usual, other = at(name, 1, **quiet), at(name, dt, **quiet)
    rows = table_of(name, usual.conditions(), len(usual.conditions()), "test", 1)
    for arrays in ("inputs", "targets", "mask"):
        every, wanted = (getattr(task.render(rows), arrays) for task in (other, usual))
        fine, coarse = (every, wanted) if dt < 1 else (wanted, every)
        np.testing.assert_array_equal(fine[:: int(max(dt, 1 / dt))], coarse)
    assert len(every) * dt == usual.settings.T


def params_of(name: str) -> dict[str, Any]:
    return dict(settings().tasks[name].model_dump())


def test_pulses_of_the_flip_flop_last_as_long_in_other_steps() -> None:
    usual, other = at("flip_flop", 1), at("flip_flop", 0.5)
    rows = table_of("flip_flop", usual.conditions(), 8, "test", 1)
    np.testing.assert_array_equal(other.render(rows).inputs[::2], usual.render(rows).inputs)
    np.testing.assert_array_equal(other.render(rows).mask[::2], usual.render(rows).mask)


@pytest.mark.parametrize("name", ["mante", "perceptual_decision"])
def test_noise_of_the_evidence_adds_up_to_the_same_over_time_at_every_step(name: str) -> None:
    spreads = {}
    for dt in (0.5, 1, 2):
        task = at(name, dt)
        rows = table_of(name, task.conditions().head(1), 4000, "test", 1)
        spreads[dt] = (dt * task.inputs(rows)[:, :, 0].sum(axis=0, dtype=np.float64)).std()
    assert spreads[0.5] == pytest.approx(spreads[1], rel=0.05)
    assert spreads[2] == pytest.approx(spreads[1], rel=0.05)


@pytest.mark.parametrize(
    ("dt", "changes", "sentence"),
    [
        (2, {}, "tasks.go_nogo.stim_dur = 25 ms is no whole number of steps of network.dt = 2 ms; give 24 or 26"),
        (1, {"tasks__dmts__delay": 10.5},
         "tasks.dmts.delay = 10.5 ms is no whole number of steps of network.dt = 1 ms; give 10 or 11"),
        (1, {"tasks__dmts__curriculum": [{"settings": {"delay": 2.5}, "until": 0.9}]},
         "tasks.dmts.curriculum.0.settings.delay = 2.5 ms is no whole number of steps of network.dt = 1 ms; "
         "give 2 or 3"),
        (2, {**EVEN}, "analyze.generalisation.delay.1 = 5 ms is no whole number of steps of network.dt = 2 ms; "
         "give 4 or 6"),
        (1, {"analyze__time_bin": 2.5},
         "analyze.time_bin = 2.5 ms is no whole number of steps of network.dt = 1 ms; give 2 or 3"),
        (1e-9, {"network__tau": 1e-5}, "tasks.go_nogo.stim_on = 50 ms has more than 2147483647 steps of network.dt "
         "= 1e-09 ms; give a longer network.dt"),
    ],
)  # fmt: skip
def test_a_time_between_two_steps_is_one_sentence(
    dt: float, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ParamsError) as refused:
        settings(network__dt=dt, train__coarse_dt=None, **changes)
    assert str(refused.value) == sentence


def test_times_that_no_float_holds_are_whole_steps_all_the_same() -> None:
    task = at("dmts", 0.1, tasks__dmts__delay=10.3, tasks__dmts__T=300.3)
    assert (task.steps.delay, task.steps.T) == (103, 3003)
    assert task.settings.varied(delay=10.7).T == 300.7


def test_nobody_has_a_task_without_saying_its_time_step() -> None:
    with pytest.raises(TypeError, match="'dt'"):
        get_task("xor", settings().tasks)  # type: ignore[call-arg]


def test_a_file_of_before_is_read_as_it_was_or_told_what_to_write(tmp_path: Path) -> None:
    raw = yaml.safe_load(FILE.read_text())
    del raw["train"]["coarse_dt"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw))
    assert params.read(tmp_path / "params.yaml").train.coarse_dt is None
    raw["network"] |= {"dt": 2, "tau": 40}
    with pytest.raises(ParamsError, match=r"write network\.dt: 1, network\.tau: 20 and other time"):
        params.check(raw)
