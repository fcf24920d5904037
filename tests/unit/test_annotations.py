"""What is checked at every call while tests run: the kinds of arguments and results, and the axes of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ctrnn.analysis import roles
from ctrnn.core import rng
from ctrnn.params import Params
from tests.settings import settings

AVERAGES = np.zeros((4, 3, 5))


@pytest.mark.parametrize("W", [np.zeros(5), np.zeros((5, 5), int)], ids=["axes", "kind"])
def test_an_array_of_other_axes_or_of_another_kind_is_refused(W: np.ndarray) -> None:
    roles.currents(AVERAGES, np.zeros((5, 5)))
    with pytest.raises(TypeError, match="Float"):
        roles.currents(AVERAGES, W)


def test_axes_of_one_name_have_one_length() -> None:
    roles.tracking(AVERAGES, AVERAGES)
    with pytest.raises(TypeError, match="condition"):
        roles.tracking(AVERAGES, AVERAGES[1:])


@pytest.mark.parametrize("seed", ["1", None, 1.0])
def test_an_argument_of_another_kind_is_refused(seed: Any) -> None:
    with pytest.raises(TypeError, match="seed"):
        rng.key(seed, "train")


def test_a_method_is_checked_too() -> None:
    made = settings()
    assert isinstance(made, Params)
    with pytest.raises(TypeError, match="name"):
        made.task(3)  # type: ignore[arg-type]
