"""The logistic function and the logarithm: right, and the same bits from the kernel and from their definition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit

from ctrnn.kernel import elementary, log, logistic

RANDOM = np.random.default_rng(1)
BOTH_SIGNS = np.r_[RANDOM.uniform(-750, 750, 5000), RANDOM.normal(0, 3, 5000), 0.0, -0.0, 1e-320]
POSITIVE = np.r_[RANDOM.uniform(0, 3, 5000), 2.0 ** RANDOM.uniform(-1074, 1023, 5000), 0.0, 5e-324]


@pytest.mark.parametrize(
    ("function", "definition", "x"),
    [
        (logistic, elementary.logistic_definition, BOTH_SIGNS),
        (log, elementary.log_definition, POSITIVE),
    ],
)
def test_the_kernel_has_the_bits_of_the_definition(
    function: Callable, definition: Callable, x: np.ndarray
) -> None:
    assert function(x).tobytes() == definition(x).tobytes()


def test_logistic_is_within_a_few_units_of_the_last_place() -> None:
    x = BOTH_SIGNS[np.abs(BOTH_SIGNS) < 700]
    np.testing.assert_array_max_ulp(logistic(x), expit(x), 4)


def test_log_is_within_a_few_units_of_the_last_place() -> None:
    x = POSITIVE[POSITIVE > 0]
    np.testing.assert_array_max_ulp(log(x), np.log(x), 2)


def test_ends_and_nan() -> None:
    assert logistic(np.array([-np.inf, 0.0, np.inf])).tolist() == pytest.approx([0.0, 0.5, 1.0])
    assert log(np.array([0.0, 1.0])).tolist() == [-np.inf, 0.0]
    assert np.isnan(logistic(np.array([np.nan]))).all()
    assert np.isnan(log(np.array([np.nan]))).all()


def test_shapes_and_strides_are_kept() -> None:
    x = BOTH_SIGNS[:120].reshape(4, 30).T
    assert np.array_equal(logistic(x), elementary.logistic_definition(x))
    assert logistic(x[:, :0]).shape == (30, 0)


def test_without_a_compiler_the_definition_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = logistic(BOTH_SIGNS), log(POSITIVE)
    monkeypatch.setattr(elementary, "_kernel", lambda: None)
    assert np.array_equal(logistic(BOTH_SIGNS), expected[0])
    assert np.array_equal(log(POSITIVE), expected[1])
