"""What a run needs is estimated before it starts, within a factor of two, and refused beyond what the machine has."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctrnn import evaluation, params, tasks
from ctrnn.analysis.analyze import analyze
from ctrnn.analysis.dynamics import flow
from ctrnn.analysis.memory import compute, slow_states
from ctrnn.analysis.recording import Recording
from ctrnn.errors import ParamsError
from ctrnn.kernel import library
from ctrnn.network import get_backend, initialise
from ctrnn.params import memory
from ctrnn.tasks import trial_table
from ctrnn.training import loop
from tests.settings import settings

TASK = "mante"
FEW: dict[str, Any] = {  # of what takes time and no memory
    "analyze__fixed_points__iterations": 1,
    "analyze__roles__permutations": 50,
    "analyze__generalisation__noise": [1.0],
    "analyze__generalisation__evidence": [0.5],
    "analyze__generalisation__stim_dur": [1.0],
    "analyze__generalisation__response_delay": [0],
    "analyze__lesions__doses": [0.1],
    "analyze__lesions__draws": 1,
    "analyze__lesions__trials_per_condition": 2,
    "analyze__trials_per_condition": 4,
    "train__max_iterations": 1,
    "train__coarse_dt": None,  # the one iteration is at the own time step, which needs more
    "train__n_networks": 2,
    "train__threads": 1,
}
MUCH = {  # of what memory grows with
    "tasks__mante__T": 200,
    "tasks__mante__stim_dur": 50,
    "tasks__mante__response_dur": 100,
    "tasks__mante__test_trials": 1024,
    "tasks__mante__train_trials": 512,
    "tasks__mante__validation_trials": 512,
    "network__n_units": 64,
    "analyze__fixed_points__starts": 4,
}
# Of what the analysis of memory needs more than any other.
REPLAYED: dict[str, Any] = {
    "network__model": "short_term_plasticity",
    "network__n_units": 32,
    "tasks__dmts__test_trials": 1024,
    "analyze__trials_per_condition": 256,
    "train__n_networks": 1,
}
DECODED: dict[str, Any] = {
    "network__n_units": 10,
    "tasks__dmts__test_trials": 2048,
    "analyze__memory": {"test_share": 0.01, "C": 1.0},
    "analyze__trials_per_condition": 512,
    "analyze__time_bin": 100,
    "train__n_networks": 1,
}


def peak(work: Callable[[], Any]) -> tuple[float, Any]:
    """Bytes that numpy and Python held at most beyond what they held before, and what the work gives."""
    tracemalloc.start()
    try:
        done = work()
        return float(tracemalloc.get_traced_memory()[1]), done
    finally:
        tracemalloc.stop()


def test_the_estimate_is_within_a_factor_of_two_of_what_stages_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Threads keep their scratch memory: that of tests before this one would not be counted.
    monkeypatch.setattr(library, "_of_thread", threading.local())
    flow("rate", "sigmoid")  # imports sympy, which counts among the libraries of the process
    chosen = settings(**FEW, **MUCH)
    task, backend = tasks.get_task(TASK, chosen.tasks, 1.0), get_backend(chosen.train)
    took = {}
    took["generate"], _ = peak(lambda: tasks.save(tmp_path, task, 1))
    taught, validation = (trial_table(task, split, 1) for split in ("train", "validation"))
    took["train"], states = peak(
        lambda: loop.train(
            task, taught, validation, chosen.seed, chosen.network, chosen.train, backend, tmp_path
        )
    )
    after, before = ([getattr(state, n) for state in states] for n in ("network", "start"))
    seeds = chosen.network_seeds
    took["evaluate"], _ = peak(
        lambda: evaluation.evaluate(task, tasks.read_test(tmp_path), after, seeds, 4, backend)
    )
    took["analyze"], _ = peak(
        lambda: analyze(
            Recording(
                task, tasks.read_test(tmp_path), before, after, chosen.seed, chosen.analyze, backend
            )
        )
    )
    needs = list(memory.needs(task, chosen))
    for stage, taken in took.items():
        estimate = max(need.bytes for need in needs if need.stage == f"{stage}@{TASK}")
        assert taken / 2 < estimate < 2 * taken, f"{stage}: {estimate / 1e6} MB for {taken / 1e6}"


@pytest.mark.parametrize("changes", [REPLAYED, DECODED])
def test_the_estimate_is_within_a_factor_of_two_of_what_the_analysis_of_memory_takes(
    changes: dict[str, Any],
) -> None:
    chosen = settings(**FEW | changes)
    task, backend = tasks.get_task("dmts", chosen.tasks, 1.0), get_backend(chosen.train)
    wiring = chosen.network.model, chosen.network.activation
    # They import sympy, which counts among the libraries of the process.
    slow_states(*wiring), flow(*wiring)

    def analysis() -> None:
        networks = [initialise(chosen.network, 2, 1, 1)]
        test = task.render(trial_table(task, "test", 1))
        recording = Recording(task, test, networks, networks, 1, chosen.analyze, backend)
        assert recording.rates_before and recording.once(compute)[0]

    taken, _ = peak(analysis)
    needs = [need for need in memory.needs(task, chosen) if need.stage == "analyze@dmts"]
    estimate = max(need.bytes for need in needs)
    assert taken / 2 < estimate < 2 * taken, f"{estimate / 1e6} MB for {taken / 1e6}"


@pytest.mark.parametrize(
    ("key", "value", "stage"),
    [
        ("tasks__go_nogo__T", 1_000_000_000, "generate@go_nogo"),
        ("tasks__go_nogo__train_trials", 2_000_000_000, "generate@go_nogo"),
        ("tasks__xor__test_trials", 1_000_000_000, "generate@xor"),
        ("network__n_units", 46_340, "train@go_nogo"),
        ("train__n_networks", 1_000_000_000, "train@go_nogo"),
        ("evaluate__sample_trials", 1_000_000, None),  # more than there are: all of them
        ("analyze__roles__permutations", 1_000_000_000, "analyze@go_nogo"),
        ("analyze__weight_bins", 2_000_000_000, "analyze@go_nogo"),
        ("analyze__lesions__draws", 2_000_000_000, "analyze@go_nogo"),
        ("analyze__generalisation__stim_dur", [1.0e6], "analyze@go_nogo"),
        ("analyze__generalisation__delay", [0, 1_000_000_000], "analyze@dmts"),
        ("analyze__generalisation__trials_per_condition", 1_000_000_000, "analyze@go_nogo"),
        ("analyze__fixed_points__starts", 1_000_000_000, None),  # more than states: all of them
    ],
)
def test_what_the_machine_does_not_have_is_refused_with_the_key(
    key: str, value: Any, stage: str | None
) -> None:
    chosen = settings(**{key: value})
    if stage is None:
        memory.check(chosen, memory=16e9, disk=1e13)
        return
    with pytest.raises(ParamsError) as caught:
        memory.check(chosen, memory=16e9, disk=1e13)
    largest = value[-1] if isinstance(value, list) else value
    start = f"{key.replace('__', '.')} = {largest:.15g} needs about "
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith(
        f" of memory in {stage}, and this machine has 16 GB; give a smaller one"
    )


def test_what_the_disk_does_not_hold_is_refused_with_the_key() -> None:
    with pytest.raises(
        ParamsError, match=r"^tasks\.mante\.T = 5000000 needs about \d+ GB of disk in all stages"
    ):
        memory.check(settings(tasks__mante__T=5_000_000), memory=1e13, disk=1e9)


def test_the_shipped_settings_need_less_than_a_small_machine_has() -> None:
    memory.check(params.read(Path(__file__).parents[2] / "params.yaml"), memory=1e9, disk=1e9)


def test_this_machine_has_some_memory() -> None:
    assert 1e8 < memory.memory_here() < 1e14


BY_PAIR = {"ee": 0.1, "ei": 0.2, "ie": 0.3, "ii": 0.6}
LONGER = {"settings": {"T": 600, "stim_dur": 20, "validation_trials": 40}, "until": 0.9}
LARGE: dict[str, Any] = {
    "train__coarse_dt": None,
    "network__n_units": 50,
    "network__p_rec": BY_PAIR,
    "tasks__mante__curriculum": [LONGER],
    "train__n_networks": 3,
    "train__threads": 2,
    "train__batch_size": 40,
    "analyze__generalisation__evidence": [0.1, 0.2],
}
SMALL: dict[str, Any] = {
    "train__coarse_dt": None,
    "network__n_units": 7,
    "network__p_rec": 0.25,
    "tasks__flip_flop__test_trials": 16,
    "train__backend": "torch",
    "train__threads": None,
    "train__n_networks": 1,
    "evaluate__sample_trials": 5,
    "analyze__trials_per_condition": 5,
    "analyze__lesions__trials_per_condition": 5,
    "analyze__time_bin": 1000,
}
# Of each stage, in the order of `needs`: bytes, and the setting to lower. Those of analyze follow its shipped settings.
COUNTED = {
    "mante": [
        (57113600, "tasks.mante.test_trials = 2048"),
        (50486600, "tasks.mante.validation_trials = 1024"),
        (71782400, "tasks.mante.test_trials = 2048"),
        (115488000, "tasks.mante.test_trials = 2048"),
        (115808000, "tasks.mante.test_trials = 2048"),
        (170698000, "analyze.roles.permutations = 5000"),
        (122956800, "tasks.mante.test_trials = 2048"),
        (78535680, "tasks.mante.test_trials = 2048"),
        (100816500, "tasks.mante.test_trials = 2048"),
        (84480000, "tasks.mante.test_trials = 2048"),
        (84480000, "tasks.mante.test_trials = 2048"),
        (95577600, "tasks.mante.test_trials = 2048"),
        (82790400, "tasks.mante.test_trials = 2048"),
    ],
    "flip_flop": [
        (2517600, "tasks.flip_flop.train_trials = 6400"),
        (41055904, "tasks.flip_flop.validation_trials = 1024"),
        (692800, "tasks.flip_flop.T = 350"),
        (558544, "tasks.flip_flop.T = 350"),
        (1093120, "tasks.flip_flop.T = 350"),
        (3735096, "analyze.roles.permutations = 5000"),
        (1865920, "tasks.flip_flop.T = 350"),
        (462656, "tasks.flip_flop.T = 350"),
        (5004712, "tasks.flip_flop.T = 350"),
        (5989696, "tasks.flip_flop.T = 350"),
        (6488896, "tasks.flip_flop.T = 350"),
        (3992896, "tasks.flip_flop.T = 350"),
    ],
}


@pytest.mark.parametrize(("task", "changes"), [("mante", LARGE), ("flip_flop", SMALL)])
def test_what_each_stage_holds_is_counted_as_it_was_when_it_was_measured(
    task: str, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "usable_cores", lambda: 3)
    chosen = settings(**changes)
    needs = list(memory.needs(tasks.get_task(task, chosen.tasks, 1.0), chosen))
    assert [need.largest() for need in needs] == [key for _, key in COUNTED[task]]
    assert [need.bytes for need in needs] == pytest.approx(
        [count for count, _ in COUNTED[task]], rel=1e-9
    )


def test_the_files_of_a_task_are_trials_weights_and_tables() -> None:
    chosen = settings(**LARGE)
    trials, weights, tables = memory.files(tasks.get_task("mante", chosen.tasks, 1.0), chosen)
    assert trials.bytes == 500 * 2048 * (4 * 4 + 4 + 1)  # channels, target, mask
    assert weights.bytes == 2 * 3 * 50 * 50 * 9  # W_rec, W_eff and mask, before and after
    assert tables.bytes == 100 * (6400 + 1024 + 4 * 2048)  # a table a split, outcomes a network
    assert tables.keys == {"tasks.mante.train_trials": 6400, "tasks.mante.test_trials": 2048}


def test_what_is_needed_may_be_all_there_is_and_no_more() -> None:
    chosen = settings(**LARGE)
    every = [tasks.get_task(name, chosen.tasks, 1.0) for name in chosen.tasks]
    most = max(need.bytes for task in every for need in memory.needs(task, chosen))
    written = sum(part.bytes for task in every for part in memory.files(task, chosen))
    enough = {"memory": most + 200e6, "disk": 2 * written}
    assert memory.check(chosen, **enough) is chosen
    for what, there_is in enough.items():
        with pytest.raises(ParamsError, match=f" of {what} in "):
            memory.check(chosen, **{**enough, what: there_is - 1})


@pytest.mark.parametrize(
    ("setting", "value", "steps"),
    [("noise", 7.0, 270), ("delay", 60, 320), ("response_delay", 0, 260), ("stim_dur", 2.0, 370)],
)
def test_a_trial_of_other_timing_is_as_much_longer(setting: str, value: float, steps: int) -> None:
    task = tasks.get_task("xor", settings().tasks, 1.0)
    shorter = task.with_settings(task.settings.model_copy(update={"T": 270}))
    assert memory._length(shorter, setting, value) == steps


def test_a_control_group_may_allow_less_than_the_machine_has(tmp_path: Path) -> None:
    """Of version 1 and 2, at the root and at the group's own place; one without a limit says `max`."""
    assert list(memory._allowed(tmp_path)) == []
    limits = {
        "sys/fs/cgroup/a/b/memory.max": "700",
        "sys/fs/cgroup/memory.max": "max",
        "sys/fs/cgroup/memory/c:d/memory.limit_in_bytes": "600",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "500",
        "proc/self/cgroup": "0::/a/b\n4:memory:/c:d\nno group:\n",
    }
    for name, text in limits.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert sorted(memory._allowed(tmp_path)) == [500, 600, 700]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "1e-06 MB"), (1e9 - 1, "1e+03 MB"), (1e9, "1 GB"), (1.5e9, "1.5 GB"), (1e12 - 1, "1e+03 GB"),
        (1e12, "1 TB"), (1e15 - 1, "1e+03 TB"), (1e15, "1 PB"), (2.5e18, "2.5e+03 PB"),
    ],
)  # fmt: skip
def test_bytes_are_told_in_the_unit_that_suits(count: float, words: str) -> None:
    assert memory.size(count) == words


def test_a_batch_of_40_trials_keeps_two_threads_busy_for_each_network() -> None:
    def running(threads: int) -> float:
        chosen = settings(**{**LARGE, "train__threads": threads, "train__n_networks": 1})
        _, train, *_ = memory.needs(tasks.get_task("mante", chosen.tasks, 1.0), chosen)
        return train.bytes

    assert running(1) < running(2) == running(3)
