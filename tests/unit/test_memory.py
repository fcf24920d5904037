"""What a run needs is estimated before it starts, within a factor of two, and refused beyond what the machine has."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctrnn import params, tasks
from ctrnn.analysis.analyze import analyze
from ctrnn.analysis.recording import Recording
from ctrnn.errors import ParamsError
from ctrnn.evaluation import performance
from ctrnn.kernel import library
from ctrnn.network import get_backend
from ctrnn.params import memory
from ctrnn.tasks import trial_table
from ctrnn.training import loop
from tests.settings import settings

TASK = "mante"
FEW: dict[str, Any] = {  # of what takes time and no memory
    "analyze__fixed_points__iterations": 1,
    "analyze__roles__permutations": 50,
    "analyze__generalisation__bootstraps": 2,
    "analyze__generalisation__noise": [1.0],
    "analyze__generalisation__evidence": [0.5],
    "analyze__generalisation__stim_dur": [1.0],
    "analyze__generalisation__response_delay": [0],
    "analyze__lesions__doses": [0.1],
    "analyze__lesions__draws": 1,
    "analyze__lesions__trials_per_condition": 2,
    "analyze__trials_per_condition": 4,
    "train__max_iterations": 1,
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
    chosen = settings(**FEW, **MUCH)
    task, backend = tasks.get_task(TASK, chosen.tasks), get_backend(chosen.train)
    took = {}
    took["generate"], _ = peak(lambda: tasks.save(tmp_path, task, 1))
    taught, validation = (trial_table(task, split, 1) for split in ("train", "validation"))
    took["train"], states = peak(
        lambda: loop.train(
            task, taught, validation, chosen.seed, chosen.network, chosen.train, backend, tmp_path
        )
    )
    after, before = ([getattr(one, n) for one in states] for n in ("network", "start"))
    seeds = chosen.network_seeds
    took["evaluate"], _ = peak(
        lambda: performance.evaluate(task, tasks.read_test(tmp_path), after, seeds, 4, backend)
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
        ("analyze__generalisation__stim_dur", [1.0e6], "analyze@go_nogo"),
        ("analyze__generalisation__delay", [0, 1_000_000_000], "analyze@dmts"),
        ("analyze__generalisation__trials_per_condition", 1_000_000_000, "analyze@go_nogo"),
        ("analyze__generalisation__bootstraps", 2_000_000_000, "analyze@mante"),
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
    told = f"{key.replace('__', '.')} = {largest:.15g} needs about "
    assert str(caught.value).startswith(told)
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
