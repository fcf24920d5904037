"""Late selection of trajectories that are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ctrnn.analysis.recording import NetworkRecording
from ctrnn.analysis.targeted import late_selection, separation
from ctrnn.tasks import ConstantInput

ROWS = pd.DataFrame(
    [(c, m, k) for c in ("colour", "motion") for m in (-1.0, 1.0) for k in (-1.0, 1.0)],
    columns=["context", "motion", "colour"],
)
ROWS["condition"] = [f"{i}" for i in range(8)]
EPOCHS = (
    ConstantInput("motion", (0.0,), {"context": "motion"}, relevant="motion", irrelevant="colour"),
    ConstantInput("colour", (0.0,), {"context": "colour"}, relevant="colour", irrelevant="motion"),
)
NAMES = ("choice", "motion", "colour")
TWICE = pd.concat([ROWS, ROWS], ignore_index=True)  # two trials of every condition
RECORDING = NetworkRecording(
    ROWS["condition"].tolist(),
    np.zeros((8, 1, 1), np.float32),
    np.zeros((1, 16, 1), np.float32),
    TWICE,
    np.ones(16, np.float32),
)


def paths() -> np.ndarray:
    """[network, regressor, condition, time]: motion moves its axis by 4 in its context and by 3 in the other.

    The choice moves by 2 with what the context asks for, and by 0.5 with motion in the other context. Colour moves
    nothing of its own in either. Time goes from 0 over the largest distance to half of it.
    """
    motion, colour = ROWS["motion"].to_numpy(), ROWS["colour"].to_numpy()
    asked = (ROWS["context"] == "motion").to_numpy()
    choice = np.where(asked, motion, colour + 0.25 * motion)
    own = motion * np.where(asked, 2.0, 1.5)
    by_regressor: np.ndarray = np.stack([choice, own, np.zeros(8)])
    over_time: np.ndarray = by_regressor[..., None] * np.array([0.0, 1.0, 0.5])
    return over_time[None]


def test_evidence_moves_the_state_by_known_shares() -> None:
    report = late_selection([RECORDING], NAMES, paths(), EPOCHS)
    assert list(report) == ["motion", "colour"]
    assert report["motion"]["own_axis"] == [pytest.approx(3 / 4)]
    assert report["motion"]["choice_axis"] == [pytest.approx(0.5 / 2)]
    assert report["colour"]["choice_axis"] == [pytest.approx(0)]


def test_evidence_that_never_moves_the_state_has_no_share() -> None:
    assert late_selection([RECORDING], NAMES, paths(), EPOCHS)["colour"]["own_axis"] == [None]


def test_the_separation_is_the_largest_over_time() -> None:
    path = paths()[0, 1]
    assert separation(RECORDING, path, EPOCHS[0], "motion") == pytest.approx(4)
    assert separation(RECORDING, -path, EPOCHS[1], "motion") == pytest.approx(3)


def test_only_regressors_that_were_found_have_a_share() -> None:
    assert late_selection([RECORDING], ("choice",), paths()[:, :1], EPOCHS) == {}
    report = late_selection([RECORDING], ("motion",), paths()[:, 1:2], EPOCHS)
    assert list(report) == ["motion"]
    assert list(report["motion"]) == ["own_axis"]


def test_evidence_that_no_context_ignores_has_no_share() -> None:
    assert late_selection([RECORDING], NAMES, paths(), EPOCHS[:1]) == {}
    assert late_selection([RECORDING], NAMES, paths(), (ConstantInput("no_input", (0.0,)),)) == {}


def test_a_condition_without_evidence_is_on_neither_side_and_conditions_are_in_the_order_of_labels() -> (
    None
):
    rows = pd.DataFrame({"motion": [1.0, 0.0, -1.0], "condition": ["c", "b", "a"]})
    recording = dataclasses.replace(RECORDING, labels=["a", "b", "c"], rows=rows)
    path = np.array([[-1.0], [100.0], [3.0]])  # of a, b and c
    assert separation(recording, path, ConstantInput("all", (0.0,)), "motion") == 4


def test_an_input_without_relevant_evidence_before_others_is_passed_over() -> None:
    first = (ConstantInput("no_input", (0.0,)), *EPOCHS)
    assert late_selection([RECORDING], NAMES, paths(), first) == late_selection(
        [RECORDING], NAMES, paths(), EPOCHS
    )
