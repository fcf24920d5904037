"""Odd settings are refused in one sentence, at once, or accepted: `python -m tests.odd_settings` runs these."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.odd_settings import cases, refusal

SHARE = 8  # of the cases, of which the first is tried here


@pytest.mark.parametrize("case", cases()[::SHARE])
def test_an_odd_setting_is_refused_in_one_sentence_or_accepted(case: str, tmp_path: Path) -> None:
    came_to, said = refusal(case, tmp_path)
    assert came_to in ("refused", "accepted"), said


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("tasks.mante.T: 1000000000", "tasks.mante.T = 1000000000 needs about 1.7 TB of memory"),
        ("tasks.mante.curriculum: [null]", "tasks.mante.curriculum.0 = None is not allowed; give"),
        ("network.tau: 0.5", "network.tau = 0.5 is shorter than network.dt = 1; give tau >= dt"),
    ],
)
def test_what_is_refused_is_told(case: str, said: str, tmp_path: Path) -> None:
    came_to, sentence = refusal(case, tmp_path)
    assert came_to == "refused"
    assert sentence.startswith(said)
