"""The event log of a training: what is written can be followed, and whatever goes wrong with it, training goes on."""

from __future__ import annotations

import fcntl
import math
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ctrnn import event_log, params
from ctrnn.event_log import EventLogWriter, Row
from tests.clock import waited
from tests.settings import settings

PARAMS = settings(train__n_networks=2)
TASK = "go_nogo"


def rows(iteration: int, loss: float = 0.5) -> list[Row]:
    return [
        {"iteration": iteration, "network": network, "loss": loss, "accuracy": math.nan}
        for network in range(2)
    ]


def read(root: Path) -> event_log.EventLogReader:
    events = event_log.read(event_log.path(TASK, PARAMS, root))
    assert events is not None
    return events


def test_rows_come_back_with_their_times_and_the_settings(tmp_path: Path) -> None:
    before = round(time.time() * 1000)
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
        written.write("a", [])
        written.write("a", rows(1, loss=0.1 + 0.2))
    events = read(tmp_path)
    assert events.rows[1, 1]["loss"] == 0.1 + 0.2
    assert events.rows[1, 1]["accuracy"] is None
    assert before <= events.rows[1, 0]["time"] <= time.time() * 1000 + 1  # it is rounded
    assert params.check_part(events.settings).network == PARAMS.network
    assert events.end == "trained"


def test_pages_turn_while_they_are_written(tmp_path: Path) -> None:
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
        written.write("a", [])
        with event_log.EventLogReader(written.path) as events:
            events.read_new()
            for iteration in (1, 2):
                written.write("a", rows(iteration))
                (page,) = events.read_new()
                assert [row["iteration"] for row in page] == [iteration, iteration]
            assert events.read_new() == []


def test_a_second_start_keeps_the_rows_and_times_of_the_first(tmp_path: Path) -> None:
    """It goes on from a checkpoint at iteration 1, and does iteration 2 again."""
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
        written.write("a", [])
        for iteration in (1, 2):
            written.write("a", rows(iteration))
    first = read(tmp_path).rows
    time.sleep(0.01)
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
        written.write("a", rows(1))
        for iteration in (2, 3):
            written.write("a", rows(iteration))
    second = read(tmp_path).rows
    assert second.keys() - first.keys() == {(3, 0), (3, 1)}
    assert all(second[key] == row for key, row in first.items())


def test_where_the_event_log_is_lost_the_rows_of_the_checkpoint_begin_a_new_one(
    tmp_path: Path,
) -> None:
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
        written.write("a", rows(1) + rows(2))
        written.write("a", rows(3))
    assert len(read(tmp_path).rows) == 6


def test_other_code_begins_a_new_event_log(tmp_path: Path) -> None:
    for training in ("a", "b"):
        with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
            written.write(training, [])
            written.write(training, rows(1 if training == "a" else 2))
    assert set(read(tmp_path).rows) == {(2, 0), (2, 1)}


def test_a_line_torn_off_by_a_kill_costs_only_itself(tmp_path: Path) -> None:
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
        written.write("a", [])
        for iteration in (1, 2):
            written.write("a", rows(iteration))
        content = written.path.read_bytes()
    written.path.write_bytes(content[:-20])
    assert set(read(tmp_path).rows) == {(1, 0), (1, 1)}
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
        written.write("a", rows(1))
        written.write("a", rows(3))
    assert {iteration for iteration, _ in read(tmp_path).rows} == {1, 3}


@pytest.mark.parametrize(
    ("error", "end"),
    [(ValueError, "failed"), (KeyboardInterrupt, "killed"), (None, "trained")],
)
def test_how_training_ended(tmp_path: Path, error: type[BaseException] | None, end: str) -> None:
    try:
        with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
            written.write("a", [])
            assert read(tmp_path).end == "killed"
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert read(tmp_path).end == end


def test_a_event_log_lives_as_long_as_its_process_whatever_ends_it(tmp_path: Path) -> None:
    path = event_log.path(TASK, PARAMS, tmp_path)
    assert not event_log.is_locked(path)
    child = os.fork()
    if child == 0:
        written = EventLogWriter(TASK, PARAMS, root=tmp_path)
        written.write("a", [])
        signal.pause()
    while event_log.read(path) is None or not event_log.is_locked(path):
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not event_log.is_locked(path)


def test_settings_that_change_no_result_keep_the_event_log_and_others_do_not() -> None:
    path = event_log.path(TASK, PARAMS)
    assert event_log.path(TASK, settings(train__n_networks=2, train__threads=1)) == path
    assert event_log.path(TASK, settings(train__n_networks=3)) != path
    assert event_log.path(TASK, settings(train__n_networks=2, network__p_inh=0.4)) != path


def test_a_folder_that_cannot_be_written_leaves_training_alone(tmp_path: Path) -> None:
    (tmp_path / ".checkpoints").write_text("a file")
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
        written.write("a", rows(1))


@pytest.mark.parametrize("command", ["sleep", "no such command"])
def test_a_follower_that_hangs_or_does_not_start_leaves_training_alone(
    tmp_path: Path, command: str
) -> None:
    follower = [command] if command != "sleep" else [sys.executable, "-c", HANGS]
    start = waited()
    with EventLogWriter(TASK, PARAMS, follower, tmp_path) as written:
        written.write("a", [])
        for iteration in range(1, 501):
            written.write("a", rows(iteration))
    assert waited() - start < 1
    assert len(read(tmp_path).rows) == 1000
    if command == "sleep":
        log = written.path.with_suffix(".log")
        while not log.read_text().endswith("\n"):
            time.sleep(0.01)
        follows = int(log.read_text())
        os.kill(follows, signal.SIGKILL)
        os.waitpid(follows, 0)


HANGS = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"


def test_the_log_of_a_follower_is_for_its_owner_alone(tmp_path: Path) -> None:
    with EventLogWriter(TASK, PARAMS, ["true"], tmp_path) as written:
        log = written.path.with_suffix(".log")
        log.parent.mkdir()
        log.write_text("of an earlier start")
        log.chmod(0o644)
        written.write("a", [])
    while not log.exists() or log.read_text():
        time.sleep(0.01)
    assert log.stat().st_mode & 0o777 == 0o600


def test_without_live_no_follower_is_started(tmp_path: Path) -> None:
    silent = settings(train__n_networks=2, publish__live=False)
    with EventLogWriter(TASK, silent, [sys.executable, "-c", ""], tmp_path) as written:
        written.write("a", [])
    assert not written.path.with_suffix(".log").exists()


def test_an_event_log_is_named_after_its_task_and_settings(tmp_path: Path) -> None:
    path = event_log.path(TASK, PARAMS, tmp_path)
    assert path.parent == tmp_path / ".checkpoints"
    assert re.fullmatch(r"go_nogo-[0-9a-f]{16}\.events", path.name)


def test_a_start_after_one_that_wrote_no_rows_keeps_its_first_ones(tmp_path: Path) -> None:
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
        written.write("a", [])
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
        written.write("a", rows(1))
    assert set(read(tmp_path).rows) == {(1, 0), (1, 1)}


def test_a_line_that_is_still_being_written_is_read_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.events"
    line = b'{"time": 5, "rows": [{"iteration": 1, "network": 0}]}\n'
    path.write_bytes(line[:20])
    with event_log.EventLogReader(path) as events, path.open("ab", buffering=0) as file:
        assert events.read_new() == []
        file.write(line[20:40])
        assert events.read_new() == []
        file.write(line[40:] + line.replace(b"1", b"2"))
        first, second = events.read_new()
        assert first == [{"iteration": 1, "network": 0, "time": 5}]
        assert second == [{"iteration": 2, "network": 0, "time": 5}]
        assert events.read_new() == []


def test_who_looks_whether_a_training_is_alive_does_not_hold_it_up(tmp_path: Path) -> None:
    path = event_log.path(TASK, PARAMS, tmp_path)
    path.parent.mkdir()
    path.touch()
    with path.open("r+b") as looking:
        fcntl.flock(looking, fcntl.LOCK_EX)
        with EventLogWriter(TASK, PARAMS, root=tmp_path) as written:
            written.write("a", rows(1))
    assert read(tmp_path).end == "trained"


def nothing(path: Path) -> Path:
    return path


def a_folder(path: Path) -> Path:
    path.mkdir()
    return path


def below_a_file(path: Path) -> Path:
    path.touch()
    return path / "a.events"


@pytest.mark.parametrize("make", [nothing, a_folder, below_a_file])
def test_what_is_no_event_log_is_of_no_training(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    path = make(tmp_path / "a.events")
    assert not event_log.is_locked(path)
    assert event_log.read(path) is None


FORBIDDEN = Path("/sys/kernel/uevent_seqnum")  # which root may not write to either


@pytest.mark.skipif(not FORBIDDEN.exists(), reason="of Linux")
def test_an_event_log_of_somebody_else_may_be_of_a_training_that_is_alive() -> None:
    assert event_log.is_locked(FORBIDDEN)


SAYS = "import sys; print(len(sys.stdin.read()), flush=True); print(sys.argv[-1], file=sys.stderr)"


def test_a_follower_is_given_the_log_and_nothing_that_is_typed_and_all_it_says_is_kept(
    tmp_path: Path,
) -> None:
    typed, types = os.pipe()
    os.write(types, b"typed")
    stdin = os.dup(0)
    os.dup2(typed, 0)
    try:
        with EventLogWriter(TASK, PARAMS, [sys.executable, "-c", SAYS], tmp_path) as written:
            written.write("a", [])
    finally:
        os.dup2(stdin, 0)
        for descriptor in (stdin, typed, types):
            os.close(descriptor)
    log, end = written.path.with_suffix(".log"), time.monotonic() + 60
    while len(log.read_text().splitlines()) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    assert log.read_text() == f"0\n{written.path}\n"
