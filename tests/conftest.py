"""What holds in every test: array annotations are checked, and no global random state is touched."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from jaxtyping import install_import_hook

import tests.annotations

# Before any test module imports ctrnn: its functions then check the axes and kinds of their arrays.
install_import_hook("ctrnn", f"{tests.annotations.__name__}.check")


def _random_state() -> dict[str, bytes]:
    """State of the generators that all code shares, by their names.

    Python's own is left out: beartype draws from it to pick the items that it checks. Ruff forbids it instead (S311).
    """
    state = {
        "numpy.random": repr(np.random.get_state(legacy=False)).encode()  # noqa: NPY002
        + np.random.get_state(legacy=False)["state"]["key"].tobytes(),  # noqa: NPY002
    }
    if "torch" in sys.modules:
        state["torch"] = sys.modules["torch"].get_rng_state().numpy().tobytes()
    return state


@pytest.fixture(autouse=True)
def untouched_global_random_state() -> Iterator[None]:
    """Fail a test that draws from, or seeds, a random generator that all code shares."""
    before = _random_state()
    yield
    after = _random_state()
    changed = sorted(name for name in before if after[name] != before[name])
    if changed:
        pytest.fail(
            f"{', '.join(changed)} changed its global state; draw from a generator of ctrnn.streams",
            pytrace=False,
        )
