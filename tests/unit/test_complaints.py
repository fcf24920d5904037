"""A program ends with one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrnn.complaints import Complaint, one_sentence

FULL = Path("/dev/full")  # of Linux: every write finds no space


def test_a_complaint_is_the_last_line() -> None:
    with pytest.raises(SystemExit, match=r"^train: it is so$"), one_sentence("train"):
        raise Complaint("it is so")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_with_its_remedy() -> None:
    with (
        pytest.raises(SystemExit, match=r"^train: .*No space left on device.*make room"),
        one_sentence("train"),
    ):
        FULL.write_bytes(b"x")


def test_another_error_keeps_its_traceback() -> None:
    with pytest.raises(FileNotFoundError), one_sentence("train"):
        Path("/nowhere/at/all").read_bytes()
