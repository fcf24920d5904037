from __future__ import annotations

import numpy as np
import pytest

from ctrnn.analysis.similarity import linear_cka, similarities

RATES = np.random.default_rng(0).random((4, 30, 10))


def test_rotated_and_scaled_representations_are_the_same() -> None:
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((10, 10)))[0]
    matrix = similarities([RATES, 3 * RATES @ rotation + 1])
    np.testing.assert_allclose(matrix, 1, atol=1e-12)


def test_unrelated_representations_are_not() -> None:
    random = np.random.default_rng(2)
    one, other = (random.standard_normal((2000, 5)) for _ in range(2))
    assert linear_cka(one, other) < 0.01


def test_half_shared_variance_by_hand() -> None:
    x = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    assert linear_cka(x, x[:, :1]) == pytest.approx(1 / np.sqrt(2))


def test_a_network_that_does_not_vary_is_like_no_other() -> None:
    assert similarities([RATES, np.zeros_like(RATES)])[0, 1] == 0
