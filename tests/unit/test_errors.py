"""A program ends with one line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from ctypes import CDLL, byref, c_int
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from ctrnn.errors import (
    UserError,
    allowed,
    exit_on_user_error,
    format_validation_error,
    heard,
    interrupt,
    keys_of,
    log_event,
    nearest,
    run_stage,
    shown,
    shown_key,
)

FULL = Path("/dev/full")  # of Linux: every write finds no space


def test_a_complaint_is_the_last_line() -> None:
    with pytest.raises(SystemExit, match=r"^train: it is so$"), exit_on_user_error("train"):
        raise UserError("it is so")


def test_an_output_that_nobody_reads_is_one_sentence() -> None:
    program = (
        "from ctrnn.errors import exit_on_user_error\n"
        "with exit_on_user_error('publish'):\n"
        "    while True: print('x' * 1000)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        said = process.stderr.read()
    assert said == "publish: nobody reads its output; the same command goes on\n"


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
    names: list[str] = []
    monkeypatch.setattr("sys.argv", ["stages/train.py", argument])
    run_stage(names.append)
    assert names == ["mante"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, {"event": "ended"}),
        (UserError("it is so"), {"event": "failed", "error": "train@mante: it is so"}),
        (ValueError("a bug"), {"event": "failed", "error": "ValueError: a bug"}),
    ],
)
def test_a_stage_tells_of_its_start_and_its_end_in_json(
    error: Exception | None, told: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def main(task: str) -> None:
        log_event(f"train@{task}", "trained", network=0)
        if error:
            raise error

    file = tmp_path / "events.jsonl"
    monkeypatch.setenv("CTRNN_STAGE_EVENTS", str(file))
    monkeypatch.setattr("sys.argv", ["stages/train.py", "train@mante"])
    with pytest.raises((SystemExit, ValueError)) if error else nullcontext():
        run_stage(main)
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [event["event"] for event in events] == ["started", "trained", told["event"]]
    assert {event["stage"] for event in events} == {"train@mante"}
    assert told.items() <= events[-1].items()
    assert error or events[-1]["seconds"] >= 0


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
    # The section that all have in common does not count as a likeness.
    assert nearest("network.x", ["network.tau_e"]) == "there are network.tau_e"


def end_with_parent() -> int:
    """The signal that this process gets when its parent ends, 0 for none."""
    number = c_int(-1)
    CDLL(None).prctl(2, byref(number))  # PR_GET_PDEATHSIG
    return number.value


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
@pytest.mark.parametrize(("by_dvc", "number"), [(True, signal.SIGTERM), (False, 0)])
def test_a_stage_that_dvc_runs_ends_with_it_and_another_does_not(
    by_dvc: bool, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["stages/report.py"])
    monkeypatch.delenv("DVC_STAGE", raising=False)
    if by_dvc:
        monkeypatch.setenv("DVC_STAGE", "report")
    signals: list[int] = []
    before = end_with_parent()
    CDLL(None).prctl(1, 0)
    try:
        run_stage(lambda: signals.append(end_with_parent()))
    finally:
        CDLL(None).prctl(1, before)
    assert signals == [number]


def test_a_stage_without_a_task_takes_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["stages/report.py", "mante"])
    with pytest.raises(SystemExit):
        run_stage(lambda: None)
    assert "unrecognized arguments: mante" in capsys.readouterr().err


def test_ctrl_c_is_told_without_a_name_and_a_signal_with_its_own() -> None:
    with pytest.raises(KeyboardInterrupt) as by_hand:
        interrupt(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as by_signal:
        interrupt(signal.SIGTERM)
    assert (by_hand.value.args, by_signal.value.args) == ((), ("SIGTERM",))


def test_a_signal_that_is_ignored_stays_so_and_another_is_handled_meanwhile() -> None:
    received: list[int] = []
    usual = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    other = signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    try:
        with heard((signal.SIGUSR1, signal.SIGUSR2), lambda number, frame: received.append(number)):
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR2)
        assert received == [signal.SIGUSR2]
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGUSR1, usual)
        signal.signal(signal.SIGUSR2, other)


def test_a_value_is_shown_whole_up_to_100_characters() -> None:
    assert shown("x" * 98) == repr("x" * 98)
    assert shown("x" * 99) == "'" + "x" * 79 + " ... (101 characters)"


def test_a_value_that_has_no_text_is_named_by_its_kind() -> None:
    assert shown(10**5000) == "a int too long to show"
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "a list too long to show"


def test_a_part_of_a_key_is_shown_in_quotes_where_it_is_no_word() -> None:
    assert (shown_key("a-b_1"), shown_key(0), shown_key("a b")) == ("a-b_1", "0", "'a b'")
    assert (shown_key("x" * 60), shown_key("x" * 61)) == ("x" * 60, repr("x" * 61))


class Inner(BaseModel, extra="forbid"):
    times: int


class Outer(BaseModel, extra="forbid"):
    large: Annotated[float, Field(gt=-1e15, lt=1e15)]
    half: Annotated[float, Field(ge=0.5, le=1e14)] = 0.5
    inner: Inner = Inner(times=1)
    several: list[Inner] = []
    counts: Annotated[list[int], Field(max_length=3)] = []


def told(raw: Any, *every_key: str) -> str:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(raw)
    return format_validation_error(caught.value, Outer, "here", every_key)


def test_bounds_are_told_in_full_up_to_15_digits() -> None:
    assert allowed(Outer, ["large"]) == "a number above -1e+15 and below 1e+15"
    assert allowed(Outer, ["half"]) == "a number at least 0.5 and at most 100000000000000"
    assert allowed(Outer, ["counts"]) == "a list, [] for none, of at most 3 whole numbers"
    assert allowed(Outer, ["several"]) == "a list, [] for none, of sections of their own"
    assert allowed(Outer, ["several", 0, "times"]) == "a whole number"


def test_keys_of_a_section_are_those_of_all_that_is_below_it() -> None:
    assert keys_of(Inner) == ["times"]
    assert keys_of(Outer, "a")[2:] == ["a.inner", "a.inner.times", "a.several", "a.counts"]


EVERY = "there are here.large, here.half, here.inner, here.several, here.counts"


@pytest.mark.parametrize(
    ("elsewhere", "remedy"),
    [
        ([], EVERY),
        (["one_section.width"], "did you mean one_section.width?"),
        (["section_1.width", "section_2.width", "section_3.width"],
         "did you mean section_1.width or section_2.width or section_3.width?"),
        ([f"section_{i}.width" for i in range(4)], EVERY),  # too many to be meant
        ([f"{letter}.width" for letter in "abcd"], "did you mean a.width or b.width or c.width?"),  # or so close
    ],
)  # fmt: skip
def test_of_an_unknown_key_up_to_three_places_are_named(elsewhere: list[str], remedy: str) -> None:
    assert told({"large": 0, "width": 1}, *elsewhere) == f"here.width is not a setting; {remedy}"


def test_a_key_far_below_is_told_with_its_whole_place() -> None:
    assert told({"large": 0, "inner": {"times": 1, "tims": 2}}) == (
        "here.inner.tims is not a setting; did you mean here.inner.times?"
    )
    assert told({"large": 0, "several": [{"times": 1}, {}]}) == (
        "here.several.1.times is missing; give a whole number"
    )
    assert told({"large": 0, "hue": 1, "counts": 1}, "x.hues", "y.hues") == (
        f"here.hue is not a setting; {EVERY}"
    )
