"""An interrupted training goes on with the bits of an undisturbed one; torn and foreign checkpoints are not used."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctrnn.core.rng import generator
from ctrnn.network import Backend, get_backend
from ctrnn.params import Params
from ctrnn.tasks import get_task, trial_table
from ctrnn.training import checkpoint
from ctrnn.training.checkpoint import CheckpointError
from ctrnn.training.loop import train
from ctrnn.training.state import TrainState
from tests.pipeline.imports import ROOT, closure_of
from tests.settings import settings
from tests.unit.training.test_loop import SMALL

STATE = checkpoint.Checkpoint({"weights/W": np.arange(4, dtype=np.float32)}, {"converged": False})


class Counting:
    """A backend that counts training steps, and does something before one of them."""

    def __init__(self, params: Params, at: int = 0, act: Callable[[], None] | None = None) -> None:
        self.backend, self.steps, self.at, self.act = get_backend(params.train), 0, at, act

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def loss_and_gradients(self, *args: Any) -> Any:
        self.steps += 1
        if self.act and self.steps == self.at:
            self.act()
        return self.backend.loss_and_gradients(*args)


def run(
    store: Path, changes: dict[str, Any] | None = None, **how: Any
) -> tuple[list[TrainState], int]:
    """The states, and how many steps they took."""
    params = settings(**{**SMALL, "train__checkpoint_every": 0, **(changes or {})})
    task = get_task("go_nogo", params.tasks, 1.0)
    backend: Any = Counting(params, **how)
    tables = {split: trial_table(task, split, params.seed) for split in ("train", "validation")}
    bound: Backend = backend
    done = train(
        task,
        tables["train"],
        tables["validation"],
        params.seed,
        params.network,
        params.train,
        bound,
        store,
    )
    return done, backend.steps


def assert_same(ones: list[TrainState], others: list[TrainState]) -> None:
    for state, other in zip(ones, others, strict=True):
        for name, array in state.network.weights.items():
            np.testing.assert_array_equal(array, other.network.weights[name])
        assert repr(state.history) == repr(other.history)
        assert state.summary() == other.summary()


class PowerCutError(Exception):
    """What ends a training in these tests."""


def power_cut() -> None:
    raise PowerCutError


@pytest.mark.parametrize("at", [1, 2, 6, 7, 12])
def test_a_training_that_died_goes_on_with_the_same_bits(tmp_path: Path, at: int) -> None:
    undisturbed, _ = run(tmp_path / "a")
    with pytest.raises(PowerCutError):
        run(tmp_path / "b", at=at, act=power_cut)
    resumed, steps = run(tmp_path / "b")
    assert steps == 12 - (at - 1)
    assert_same(undisturbed, resumed)


@pytest.mark.parametrize("at", [4, 6, 9])
def test_a_curriculum_goes_on_where_it_was_with_the_same_bits(tmp_path: Path, at: int) -> None:
    changes = {
        "tasks__go_nogo__threshold": 0.6,
        "tasks__go_nogo__nogo_threshold": 0.6,
        "tasks__go_nogo__curriculum": [{"settings": {"stim_dur": 8}, "until": 0.0}],
    }
    undisturbed, _ = run(tmp_path / "a", changes)
    assert [row["lesson"] for row in undisturbed[0].history] == [0] * 5 + [1] * 7
    with pytest.raises(PowerCutError):
        run(tmp_path / "b", changes, at=at, act=power_cut)
    resumed, steps = run(tmp_path / "b", changes)
    assert steps == 12 - (at - 1)
    assert_same(undisturbed, resumed)


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        ([signal.SIGINT], ()),
        ([signal.SIGTERM], ("SIGTERM",)),
        # A terminal that closes sends the one, and DVC, which ends by it, then the other.
        ([signal.SIGHUP, signal.SIGTERM], ("SIGHUP",)),
    ],
)
def test_who_tells_training_to_stop_finds_a_checkpoint_of_the_step(
    tmp_path: Path, numbers: list[signal.Signals], named: tuple[str, ...]
) -> None:
    undisturbed, _ = run(tmp_path / "a")
    rare = {"train__checkpoint_every": 1000}

    def on_step() -> None:
        for number in numbers:
            signal.raise_signal(number)

    with pytest.raises(KeyboardInterrupt) as stopped:
        run(tmp_path / "b", rare, at=6, act=on_step)
    assert stopped.value.args == named
    resumed, steps = run(tmp_path / "b")
    assert steps == 6
    assert_same(undisturbed, resumed)


def test_a_hangup_that_nohup_ignores_stops_nothing(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        _, steps = run(tmp_path, at=6, act=lambda: signal.raise_signal(signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert steps == 12


def test_what_is_finished_is_not_trained_again(tmp_path: Path) -> None:
    first, _ = run(tmp_path)
    again, steps = run(tmp_path)
    assert steps == 0
    assert_same(first, again)


def test_more_iterations_train_only_what_is_missing(tmp_path: Path) -> None:
    scratch, _ = run(tmp_path / "a", {"train__max_iterations": 20})
    run(tmp_path / "b", {"train__max_iterations": 12})
    extended, steps = run(tmp_path / "b", {"train__max_iterations": 20})
    assert steps == 8
    assert_same(scratch, extended)


def test_more_networks_train_only_what_is_missing(tmp_path: Path) -> None:
    scratch, _ = run(tmp_path / "a", {"train__n_networks": 3})
    run(tmp_path / "b", {"train__n_networks": 2})
    extended, _ = run(tmp_path / "b", {"train__n_networks": 3})
    assert len(list((tmp_path / "b").glob("*.state"))) == 3
    assert_same(scratch, extended)


@pytest.mark.parametrize(
    "key", ["network__p_inh", "train__learning_rate", "tasks__go_nogo__threshold"]
)
def test_a_checkpoint_of_other_settings_is_not_used(tmp_path: Path, key: str) -> None:
    run(tmp_path)
    _, steps = run(tmp_path, {key: 0.31})
    assert steps == 12


def test_a_torn_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    checkpoint.write("a", STATE, tmp_path)
    checkpoint.write("a", checkpoint.Checkpoint(STATE.arrays, {"converged": True}), tmp_path)
    current = tmp_path / "a.state"
    content = current.read_bytes()
    for is_corrupt in (b"", content[:20], content[:-1], content[:-1] + b"!"):
        current.write_bytes(is_corrupt)
        state = checkpoint.read("a", tmp_path)
        assert state is not None
        assert state.rest == STATE.rest
        np.testing.assert_array_equal(state.arrays["weights/W"], STATE.arrays["weights/W"])
    (tmp_path / "a.state-before").write_bytes(b"")
    assert checkpoint.read("a", tmp_path) is None
    assert checkpoint.read("b", tmp_path) is None


def test_a_checkpoint_that_would_run_code_is_passed_over(tmp_path: Path) -> None:
    """Its hash tells damage, not who wrote it."""
    stream = io.BytesIO()
    np.savez(stream, told=np.array([{}], object))
    content = stream.getvalue()
    (tmp_path / "a.state").write_bytes(hashlib.sha256(content).digest() + content)
    assert checkpoint.read("a", tmp_path) is None


def test_the_checkpoint_of_another_network_is_not_used_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    undisturbed, _ = run(tmp_path / "a")
    run(tmp_path / "b")
    one, other = sorted((tmp_path / "b").glob("*.state"))
    other.write_bytes(one.read_bytes())
    capsys.readouterr()
    again, steps = run(tmp_path / "b")
    assert steps == 1  # from the one before
    assert f"train: {other} is a copy of {one.stem} and is not used\n" in capsys.readouterr().out
    assert_same(undisturbed, again)


def test_100_damaged_checkpoints_are_passed_over_for_the_one_before(tmp_path: Path) -> None:
    checkpoint.write("a", STATE, tmp_path)
    checkpoint.write("a", checkpoint.Checkpoint(STATE.arrays, {"converged": True}), tmp_path)
    path, random = tmp_path / "a.state", generator(1, "damage")
    content = path.read_bytes()
    for number in range(100):
        damaged = bytearray(content)
        at = int(random.integers(len(content)))
        match number % 4:
            case 0:
                damaged[at] ^= 1 << int(random.integers(8))
            case 1:
                del damaged[at:]
            case 2:
                damaged[at:at] = random.bytes(9)
            case 3:
                damaged[at : at + 9] = random.bytes(9)
        path.write_bytes(damaged)
        state = checkpoint.read("a", tmp_path)
        assert state is not None
        assert state.rest == STATE.rest
        np.testing.assert_array_equal(state.arrays["weights/W"], STATE.arrays["weights/W"])


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_what_is_not_a_checkpoint_is_passed_over_and_replaced(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "a.state")
    assert checkpoint.read("a", tmp_path) is None
    checkpoint.write("a", STATE, tmp_path)
    assert checkpoint.read("a", tmp_path) is not None


def test_a_store_that_is_a_file_is_one_sentence_before_anything_is_trained(tmp_path: Path) -> None:
    store = tmp_path / ".checkpoints"
    store.write_text("")
    with pytest.raises(CheckpointError, match=r"kept in .*\.checkpoints \(.*\); move it away"):
        run(store)
    with pytest.raises(CheckpointError, match=r"kept in .*\.checkpoints \(.*\); move it away"):
        checkpoint.write("a", STATE, store)
    assert store.read_text() == ""


def test_the_store_is_bounded_and_the_oldest_go_first(tmp_path: Path) -> None:
    for age, name in enumerate("cba"):
        checkpoint.write(name, STATE, tmp_path)
        os.utime(tmp_path / f"{name}.state", (1000 - age, 1000 - age))
    size = (tmp_path / "a.state").stat().st_size
    checkpoint.prune(tmp_path, limit=2 * size)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.state", "c.state"]


def test_pruning_bears_that_a_file_vanishes_meanwhile(tmp_path: Path) -> None:
    checkpoint.write("a", STATE, tmp_path)
    (tmp_path / "renamed.state").symlink_to(tmp_path / "nothing")  # listed, and not there
    checkpoint.prune(tmp_path, limit=0)
    assert not (tmp_path / "a.state").exists()


def test_two_trainings_of_a_network_write_its_checkpoints_at_once(tmp_path: Path) -> None:
    def write(_: int) -> None:
        checkpoint.write("a", STATE, tmp_path)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    assert checkpoint.read("a", tmp_path) is not None
    assert {file.name for file in tmp_path.iterdir()} == {"a.state", "a.state-before"}


def test_what_a_killed_writer_left_is_deleted_in_time(tmp_path: Path) -> None:
    for name, age in (("left", checkpoint.LEFT + 60), ("being written", 0)):
        (tmp_path / f"{name}.part").touch()
        os.utime(tmp_path / f"{name}.part", times=(time.time() - age,) * 2)
    checkpoint.prune(tmp_path)
    assert [file.stem for file in tmp_path.iterdir()] == ["being written"]


def test_the_key_covers_all_code_that_trains() -> None:
    """Every module that CODE imports, and that can change a result, is itself in CODE."""
    parts = [checkpoint.PACKAGE / part for part in checkpoint.CODE]
    files = [file for part in parts for file in part.rglob("*.py")]
    for file in closure_of(files):
        assert any((ROOT / file).is_relative_to(part) for part in parts), file


def test_a_store_keeps_two_gibibytes_and_half_written_files_for_an_hour() -> None:
    assert checkpoint.LIMIT == 2**31
    assert checkpoint.LEFT == 60 * 60


def test_the_store_may_be_exactly_as_large_as_its_limit(tmp_path: Path) -> None:
    for number, name in enumerate(("old", "new")):
        (tmp_path / name).write_bytes(b"12345")
        os.utime(tmp_path / name, (number, number))
    checkpoint.prune(tmp_path, limit=10)
    assert {file.name for file in tmp_path.iterdir()} == {"old", "new"}
    checkpoint.prune(tmp_path, limit=9)
    assert {file.name for file in tmp_path.iterdir()} == {"new"}


def test_a_store_is_made_with_the_folders_above_it(tmp_path: Path) -> None:
    store = tmp_path / "a" / "b"
    assert checkpoint.read("x", store) is None
    checkpoint.write("x", STATE, store)
    assert checkpoint.read("x", store) is not None


def test_python_objects_are_not_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        checkpoint.write("a", checkpoint.Checkpoint({"x": np.array([{}])}, {}), tmp_path)


def folder_for_current(store: Path) -> Path:
    (store / "a.state").mkdir(parents=True)
    (store / "a.state-before").write_text("")
    return store


def folder_for_before(store: Path) -> Path:
    (store / "a.state-before").mkdir(parents=True)
    (store / "a.state").write_text("")
    return store


def full_folders(store: Path) -> Path:
    for name in ("a.state", "a.state-before"):
        (store / name / "own").mkdir(parents=True)
    return store


def file(store: Path) -> Path:
    store.write_text("")
    return store


def below_a_file(store: Path) -> Path:
    return file(store) / "checkpoints"


def for_nobody(store: Path) -> Path:
    return Path("/sys/kernel")  # where root may make no file either


@pytest.mark.parametrize(
    "take", [folder_for_current, folder_for_before, full_folders, file, below_a_file, for_nobody]
)
def test_a_checkpoint_that_cannot_be_written_is_one_sentence_and_leaves_no_part(
    tmp_path: Path, take: Callable[[Path], Path]
) -> None:
    store = take(tmp_path / "store")
    with pytest.raises(CheckpointError, match=rf"kept in {store}.* \(.+\); move it away, then"):
        checkpoint.write("a", STATE, store)
    assert not list(tmp_path.rglob("*.part"))


def test_a_key_covers_settings_trials_and_code_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "PACKAGE", tmp_path)
    for part in checkpoint.CODE:
        (tmp_path / part / "inner").mkdir(parents=True)
    code = tmp_path / checkpoint.CODE[-1] / "inner" / "a.py"
    code.write_text("a = 1")
    keys = [checkpoint.key({"x": 1, "y": 2}, [b"ab", b"c"])]
    assert checkpoint.key({"y": 2, "x": 1}, [b"ab", b"c"]) == keys[0]
    keys.append(checkpoint.key({"x": 1, "y": 3}, [b"ab", b"c"]))
    keys.append(checkpoint.key({"x": 1, "y": 2}, [b"a", b"bc"]))
    code.write_text("a = 2")
    keys.append(checkpoint.key({"x": 1, "y": 2}, [b"ab", b"c"]))
    code = code.rename(code.with_name("b.py"))
    keys.append(checkpoint.key({"x": 1, "y": 2}, [b"ab", b"c"]))
    assert len(set(keys)) == len(keys)
    code.with_suffix(".pyc").write_text("")
    assert checkpoint.key({"x": 1, "y": 2}, [b"ab", b"c"]) == keys[-1]


def test_a_checkpoint_is_written_when_its_time_has_come(tmp_path: Path) -> None:
    seen: list[int] = []

    def look() -> None:
        seen.append(len(list(tmp_path.glob("*/*.state"))))

    run(tmp_path / "often", {"train__checkpoint_every": 0}, at=3, act=look)
    run(tmp_path / "rarely", {"train__checkpoint_every": 1000}, at=3, act=look)
    assert seen == [2, 2]  # those of the first training alone
    assert len(list((tmp_path / "rarely").glob("*.state"))) == 2  # at its end
