"""Sections of tasks: the bounds of their settings, their registry, and trials that cannot be made."""

from __future__ import annotations

from typing import Any

import pytest

from ctrnn.errors import ParamsError
from ctrnn.tasks import TASKS, Task, check_trials, get_task
from ctrnn.tasks.settings import OneStimulus, TaskSettings
from tests.settings import settings

STEP = {"settings": {}, "until": 1.0}


@pytest.mark.parametrize(
    ("task", "key", "last", "beyond"),
    [
        ("flip_flop", "n_bits", 1, 0),
        ("flip_flop", "pulse_share", 1.0, 1 + 1e-9),
        ("flip_flop", "pulse_every", 1, 0),
        ("go_nogo", "nogo_threshold", 0.8, 0.8 + 1e-9),  # at most the threshold
        ("go_nogo", "nogo_threshold", 0.0, -1e-9),
        ("mante", "evidence", [1e-9], []),
        ("mante", "evidence_sd", 0.0, -1e-9),
        ("perceptual_decision", "coherences", [1.0], [1 + 1e-9]),
        ("perceptual_decision", "coherences", [1e-9], [0.0]),
        ("perceptual_decision", "coherences", [0.5], []),
        ("working_memory", "frequencies", [1.0], []),
        ("working_memory", "step", 2.6e-5, 2.5e-5),  # a millionth of 26 Hz
        ("xor", "curriculum", [STEP] * 100, [STEP] * 101),
        ("xor", "curriculum", [STEP], [{**STEP, "until": 1 + 1e-9}]),
        ("xor", "stim_on", 0, -1),
        ("xor", "delay", 0, -1),
    ],
)
def test_a_bound_is_the_last_value_that_is_allowed(
    task: str, key: str, last: Any, beyond: Any
) -> None:
    name = f"tasks__{task}__{key}"
    assert settings(**{name: last})
    with pytest.raises(ParamsError, match=f"^tasks.{task}.{key}"):
        settings(**{name: beyond})


@pytest.mark.parametrize(
    ("task", "key", "last", "beyond"),
    [
        ("flip_flop", "n_bits", 12, 13),  # 4096 conditions
        ("mante", "evidence", [0.1] * 100, [0.1] * 101),
        ("perceptual_decision", "coherences", [0.5] * 100, [0.5] * 101),
        ("working_memory", "frequencies", [1.0] * 100, [1.0] * 101),
    ],
)
def test_a_task_has_no_more_conditions_than_so_many(
    task: str, key: str, last: Any, beyond: Any
) -> None:
    """Of the section alone: trials of so many conditions would have to be as many."""
    kind = TaskSettings.registry[task]
    own = settings().tasks[task].model_dump()
    assert kind.model_validate({**own, key: last})
    with pytest.raises(ValueError, match=f"\n{key}\n"):
        kind.model_validate({**own, key: beyond})


def test_every_section_of_a_task_is_found_by_its_name() -> None:
    assert TaskSettings.registry.keys() >= TASKS.keys()

    class Base(OneStimulus):
        """Of several tasks, and of none itself."""

    assert Base not in TaskSettings.registry.values()


def test_a_step_of_a_curriculum_has_no_curriculum_of_its_own() -> None:
    own = settings(tasks__xor__curriculum=[{"settings": {"delay": 3}, "until": 0.5}]).tasks["xor"]
    easier = own.at(own.curriculum[0])
    assert easier == own.model_copy(update={"delay": 3, "curriculum": []})


@pytest.mark.parametrize("missing", ["conditions", "inputs", "answer"])
def test_a_task_that_lacks_what_every_task_defines_cannot_be_made(missing: str) -> None:
    given = {"conditions", "inputs", "answer"} - {missing}
    part: Any = type("Part", (Task,), dict.fromkeys(given, lambda *args: None))
    with pytest.raises(TypeError, match=f"abstract method '?{missing}"):
        part(settings().tasks["xor"])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"train_trials": 64}, ""),  # a batch
        ({"train_trials": 60}, "tasks.xor.train_trials = 60 is less than train.batch_size = 64; give at least"),
        ({"validation_trials": 1025}, "tasks.xor.validation_trials = 1025 cannot be balanced over 4 conditions"),
        ({"curriculum": [STEP, {"settings": {"train_trials": 64}, "until": 1.0}]}, ""),
        ({"curriculum": [STEP, {"settings": {"train_trials": 60}, "until": 1.0}]},
         "tasks.xor.curriculum.1.settings.train_trials = 60 is less than train.batch_size = 64"),
        ({"curriculum": [{"settings": {"test_trials": 6}, "until": 1.0}, STEP]},
         "tasks.xor.curriculum.0.settings.test_trials = 6 cannot be balanced over 4 conditions; give a multiple of 4"),
    ],
)  # fmt: skip
def test_trials_of_a_task_and_of_its_steps_have_to_be_possible(
    changes: dict[str, Any], said: str
) -> None:
    own = settings().tasks["xor"]
    xor = TASKS["xor"](type(own).model_validate({**own.model_dump(), **changes}), 1.0)
    if not said:
        check_trials(xor, 64)
        return
    with pytest.raises(ParamsError) as caught:
        check_trials(xor, 64)
    assert str(caught.value).startswith(said)


def test_a_step_that_changes_the_channels_is_named() -> None:
    own = settings().tasks["flip_flop"]
    steps = [STEP, {"settings": {"n_bits": 2}, "until": 1.0}]
    task = TASKS["flip_flop"](
        type(own).model_validate({**own.model_dump(), "curriculum": steps}), 1.0
    )
    with pytest.raises(ParamsError, match=r"curriculum\.1\.settings = \{'n_bits': 2\} changes the"):
        check_trials(task, 64)


def test_a_task_that_is_not_in_the_settings_is_told_the_nearest() -> None:
    with pytest.raises(
        ParamsError, match=r"^tasks\.xro is not in params\.yaml; did you mean xor\?"
    ):
        get_task("xro", settings().tasks, 1.0)
