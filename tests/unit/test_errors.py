"""A program ends with one line."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ctrnn.errors import UserError, exit_on_user_error, nearest, run_stage

FULL = Path("/dev/full")  # of Linux: every write finds no space


def test_a_complaint_is_the_last_line() -> None:
    with pytest.raises(SystemExit, match=r"^train: it is so$"), exit_on_user_error("train"):
        raise UserError("it is so")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_with_its_remedy() -> None:
    with (
        pytest.raises(SystemExit, match=r"^train: .*No space left on device.*make room"),
        exit_on_user_error("train"),
    ):
        FULL.write_bytes(b"x")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_is_named_and_heeded_only_meanwhile(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # nohup has it ignored
    text = f"^train: interrupted by {number.name}; the same command starts it again$"
    try:
        with pytest.raises(SystemExit, match=text), exit_on_user_error("train"):
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_a_thread_without_signals_of_its_own_gets_the_sentence_too() -> None:
    def work() -> None:
        with exit_on_user_error("train"):
            raise UserError("it is so")

    with ThreadPoolExecutor() as pool, pytest.raises(SystemExit, match=r"^train: it is so$"):
        pool.submit(work).result()


def test_another_error_keeps_its_traceback() -> None:
    with pytest.raises(FileNotFoundError), exit_on_user_error("train"):
        Path("/nowhere/at/all").read_bytes()


@pytest.mark.parametrize("argument", ["mante", "train@mante", "../dvc.yaml:train@mante"])
def test_a_stage_takes_the_task_or_the_name_that_dvc_gives_the_stage(
    argument: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("sys.argv", ["stages/train.py", argument])
    run_stage(told.append)
    assert told == ["mante"]


def test_a_stage_that_is_given_no_task_says_what_to_give(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["stages/train.py"])
    with pytest.raises(SystemExit):
        run_stage(print)
    assert "the following arguments are required: task" in capsys.readouterr().err


def test_a_stage_names_a_strange_task_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(task: str) -> None:
        raise UserError("it is no task")

    monkeypatch.setattr("sys.argv", ["stages/train.py", "train@a\nb"])
    with pytest.raises(SystemExit, match=r"^train@'a\\nb': it is no task$"):
        run_stage(refuse)


def test_the_nearest_key_is_offered_and_all_where_none_is_near() -> None:
    assert nearest("dealy", ["delay", "stim_dur"]) == "did you mean delay?"
    assert nearest("x", ["delay", "stim_dur"]) == "there are delay, stim_dur"
