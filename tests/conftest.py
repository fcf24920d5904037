"""What holds in every test: array annotations are checked, and no global random state is touched.

`make test` runs three processes side by side, for two cores: tests wait now and then, for servers or a disk. Here it
is said which tests share a process.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tests.annotations

# A shell ignores Ctrl-C in what it runs in the background, and nohup a hang-up: tests send both.
for number, usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

# Before any test module imports ctrnn: its functions then check the axes and kinds of their arrays.
tests.annotations.install()


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
            f"{', '.join(changed)} changed its global state; draw from a generator of ctrnn.core.rng",
            pytrace=False,
        )


# What these tests share, two servers, would be made once in each process.
TOGETHER = ("tests/unit/tracking/",)

# Handed out in this order before the others, which are short: so all processes end at about the same time.
FIRST = (
    "tests/unit/tracking/",
    "tests/pipeline/test_sweep.py",
    "tests/pipeline/test_kills.py",
    "tests/pipeline/test_faults.py",
    "tests/pipeline/test_experiments.py",
    "tests/pipeline/",
    "tests/experiments/",
    "tests/unit/kernel/",
    "tests/unit/dynamics/",
    "tests/unit/analysis/",
    "tests/unit/training/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts the tests of FIRST before the others; the order is the same otherwise."""

    def rank(item: pytest.Item) -> int:
        ranks = (i for i, begin in enumerate(FIRST) if item.nodeid.startswith(begin))
        return next(ranks, len(FIRST))

    items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hands the tests to processes by file, and those of a folder of TOGETHER to one process."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return next((folder for folder in TOGETHER if file.startswith(folder)), file)

    return Scheduler(config, log)
