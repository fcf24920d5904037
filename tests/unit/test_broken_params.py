"""Whatever a params.yaml holds, it is refused in one line, or means what DVC reads in it; none hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.broken import base, outcome, write_broken

SHARES = 6  # of the seeds, each a test: the first that fails is soon found

pytestmark = pytest.mark.filterwarnings("ignore")  # of DVC's own imports


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return base()


@pytest.mark.parametrize("share", range(SHARES))
def test_a_broken_file_is_refused_in_one_line_or_means_what_dvc_reads(
    share: int, lines: list[str], tmp_path: Path
) -> None:
    """300 of those that `python -m tests.broken` makes without end."""
    for seed in range(share, 300, SHARES):
        path = tmp_path / str(seed)
        done = write_broken(seed, path, lines)
        came_to, said = outcome(path)
        assert came_to in ("refused", "accepted"), f"seed {seed} ({done}): {came_to} {said}"
