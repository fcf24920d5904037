"""Losses: values and slopes as torch has them, and as a person would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ctrnn.kernel import CrossEntropy, Loss, MeanSquaredError

SHAPE = (5, 4, 3)


def arrays(weights: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outputs, targets (of every fourth step none, else one output or another) and mask."""
    random = np.random.default_rng(1)
    outputs = 4 * random.standard_normal(SHAPE).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[random.integers(3, size=SHAPE[:2])]
    targets[::4] = 0
    steps = random.random((*SHAPE[:2], 1))
    mask = steps.astype(np.float32) if weights else steps < 0.7
    return outputs, targets, np.repeat(mask, 3, axis=2)


def by_torch(loss: Loss, z: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """The loss by torch's own functions."""
    if isinstance(loss, MeanSquaredError):
        return (mask * (z - y) ** 2).sum() / mask.sum()
    each = -(y * torch.log_softmax(z, dim=2)).sum(dim=2)
    return (mask[..., 0] * each).sum() / mask[..., 0].sum()


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("loss", [MeanSquaredError(), CrossEntropy()])
def test_values_and_slopes_are_those_of_torch(loss: Loss, weights: bool) -> None:
    z, y, mask = arrays(weights)
    outputs = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    expected = by_torch(loss, outputs, torch.tensor(y), torch.tensor(mask, dtype=torch.float64))
    (slopes,) = torch.autograd.grad(expected, [outputs])
    assert loss.value(z, y, mask) == pytest.approx(float(expected.detach()), rel=1e-6)
    np.testing.assert_allclose(loss.slopes(z, y, mask), slopes.numpy(), rtol=1e-5, atol=1e-8)
    assert loss.slopes(z, y, mask).dtype == np.float32


def test_the_error_is_the_mean_square_where_the_mask_counts() -> None:
    zeros = np.zeros((2, 2, 1), np.float32)
    mask = np.array([[[True], [True]], [[True], [False]]])
    outputs = np.array([[[1.0], [3.0]], [[0.0], [50.0]]], np.float32)
    value: Any = MeanSquaredError().value
    assert value(outputs, zeros + 1, mask) == pytest.approx((0 + 4 + 1) / 3)
    weights = np.array([[[2.0], [0.5]], [[0.5], [0.0]]], np.float32)
    assert value(outputs, zeros + 1, weights) == pytest.approx((0 + 0.5 * 4 + 0.5 * 1) / 3)


def test_three_outputs_that_are_equal_have_the_entropy_of_three_answers() -> None:
    z, y = np.zeros((1, 1, 3), np.float32), np.array([[[0, 1, 0]]], np.float32)
    mask = np.ones((1, 1, 3), bool)
    assert CrossEntropy().value(z, y, mask) == pytest.approx(np.log(3))
    np.testing.assert_allclose(CrossEntropy().slopes(z, y, mask)[0, 0], [1 / 3, -2 / 3, 1 / 3])


def test_outputs_far_apart_have_a_finite_loss() -> None:
    z = np.array([[[1000, 0, -1000]]], np.float32)
    y, mask = np.array([[[0, 0, 1]]], np.float32), np.ones((1, 1, 3), bool)
    assert CrossEntropy().value(z, y, mask) == pytest.approx(2000)
    np.testing.assert_allclose(CrossEntropy().slopes(z, y, mask)[0, 0], [1, 0, -1])
