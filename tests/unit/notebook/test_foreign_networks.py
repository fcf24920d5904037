"""The page on fixed points of networks from elsewhere: its GRU learns, and its points are those of a memory."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from tests.tracked import REPOSITORY

PAGE = REPOSITORY / "docs" / "how-to" / "fixed-points-of-other-networks.md"


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What its blocks have made; they seed torch, on one thread, where a small network is fastest."""
    names: dict[str, Any] = {}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(compile(block, str(PAGE), "exec"), names)
    torch.set_num_threads(threads)
    return names


def test_a_trained_gru_has_a_stable_point_for_each_memory_and_a_saddle_between(
    page: dict[str, Any],
) -> None:
    points = page["points"]
    assert page["loss"] < 0.05
    np.testing.assert_allclose(points.outputs[points.stable, 0], [-1, 1], atol=0.1)
    assert points.saddles.tolist() == [1]
    assert points.unstable.tolist() == [0, 1, 0]


def test_the_gru_stays_at_its_points(page: dict[str, Any]) -> None:
    x = torch.tensor(page["points"].x)
    for _ in range(3):
        later = page["cell"](torch.zeros(len(x), 1, dtype=torch.float64), x)
        torch.testing.assert_close(later, x, rtol=0, atol=1e-9)
