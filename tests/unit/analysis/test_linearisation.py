from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ctrnn.analysis import dynamics
from ctrnn.analysis.dynamics import linearise
from tests.unit.analysis import known


def test_the_selection_vector_of_mutual_inhibition_is_the_difference() -> None:
    at = linearise(known.bistable(), np.zeros(2), np.zeros(1))
    assert at.eigenvalue == pytest.approx(1 + known.ALPHA)
    difference = np.array([1, -1]) / np.sqrt(2)
    assert abs(at.left @ difference) == pytest.approx(1)
    assert at.overlap[0] == pytest.approx(1 / np.sqrt(2))  # the channel excites one unit of two


def test_an_input_across_the_selection_vector_has_no_overlap() -> None:
    both = known.dynamics(known.bistable().W, known.bistable().b_rec, n_channels=2)
    common = both.W_in @ np.array([[1.0, 1.0], [1.0, -1.0]])
    at = linearise(type(both)(**{**both.__dict__, "W_in": common}), np.zeros(2), np.zeros(2))
    np.testing.assert_allclose(at.overlap, [0, 1], atol=1e-12)


def test_left_and_right_vectors_of_a_non_normal_mode_differ() -> None:
    W = 4 * np.array([[0.5, 2.0], [0.0, 0.0]])  # the second unit feeds the first
    at = linearise(known.dynamics(W, -W.sum(axis=1) / 2), np.zeros(2), np.zeros(1))
    np.testing.assert_allclose(np.abs(at.right), [1, 0], atol=1e-12)
    np.testing.assert_allclose(np.abs(at.left), np.array([1, 4]) / np.sqrt(17), atol=1e-12)


def test_a_linear_network_is_predicted_exactly_and_a_saturating_one_less_well() -> None:
    linear = known.dynamics([[0.5, 0.2], [0.1, 0.3]], [2.0, 2.0], activation="relu")
    assert (
        linearise(linear, np.linalg.solve(np.eye(2) - linear.W, [2, 2]), np.zeros(1)).error[0]
        < 1e-9
    )
    error = linearise(known.bistable(), np.zeros(2), np.zeros(1)).error[0]
    assert 0 < error < 0.01


def test_a_pulse_is_compared_after_two_time_constants() -> None:
    """One unit, linear above 0: it starts at 0.02, a pulse of 0.1 lifts it by 0.01, and both fall below 0."""

    def end(pulse: float) -> float:
        x = 0.02
        for step in range(20):
            drive = -0.03 + (pulse if step == 0 else 0.0)
            x += known.ALPHA * (0.5 * max(x, 0) - x + drive)
        return x

    unit = known.dynamics([[0.5, 0], [0, 0]], [-0.03, 0], activation="relu")
    moved = end(0.1) - end(0.0)
    linear = 0.1 * known.ALPHA * (1 - 0.5 * known.ALPHA) ** 19
    error = linearise(unit, np.array([0.02, 0.0]), np.zeros(1)).error[0]
    assert error == pytest.approx(abs(moved - linear) / moved)
    assert error > 0.1


def test_a_long_pulse_response_is_simulated_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = linearise(known.bistable(), np.zeros(2), np.zeros(1)).error
    monkeypatch.setattr(dynamics, "AT_ONCE", 3)  # of 20 steps
    np.testing.assert_array_equal(
        linearise(known.bistable(), np.zeros(2), np.zeros(1)).error, whole
    )


def test_a_channel_that_reaches_no_unit_has_neither_overlap_nor_error() -> None:
    both = known.dynamics(known.bistable().W, known.bistable().b_rec, n_channels=2)
    deaf = dataclasses.replace(both, W_in=np.array([[1.0, 0.0], [0.0, 0.0]]))
    at = linearise(deaf, np.zeros(2), np.zeros(2))
    np.testing.assert_allclose(at.overlap, [1 / np.sqrt(2), 0])
    assert at.error[0] > 0
    assert at.error[1] == 0


def test_a_pulse_of_a_tenth_is_followed_for_two_time_constants_in_parts_of_1000_steps() -> None:
    seen = []

    class Seen(type(known.line())):  # type: ignore[misc]
        def simulate(self, inputs, x0=None, random=None):
            seen.append(inputs.copy())
            return super().simulate(inputs, x0, random)

    slow = Seen(**{**known.line().__dict__, "parameters": known.parameters(np.full(2, 1 / 600))})
    linearise(slow, np.ones(2), np.array([0.5]))
    assert [len(inputs) for inputs in seen] == [1000, 200]
    expected = np.full((1200, 2, 1), 0.5)
    expected[0, 0] += 0.1
    np.testing.assert_array_equal(np.concatenate(seen), expected)


def test_every_pulse_is_compared_with_the_trial_without_one() -> None:
    """A linear network is predicted exactly, at any channel and beside any other."""
    W = [[0.5, 0.2], [0.1, 0.3]]
    linear = known.dynamics(W, [2.0, 2.0], activation="relu", n_channels=2)
    at = linearise(linear, np.linalg.solve(np.eye(2) - np.array(W), [2, 2]), np.zeros(2))
    np.testing.assert_allclose(at.error, 0, atol=1e-9)
