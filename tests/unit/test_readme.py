"""What the README says of the shipped configuration is what its committed results say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrnn import params
from ctrnn.core import artifacts

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "README.md").read_text().splitlines()
    if line.startswith("| `") and " of 3 | " in line
]


def test_the_table_has_a_row_for_every_task() -> None:
    assert [row[0].strip("`") for row in ROWS] == list(params.read(ROOT / "params.yaml").tasks)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_of_the_table_has_the_numbers_of_the_committed_results(row: list[str]) -> None:
    task, _, learned, iterations, accuracy = row
    metrics = artifacts.read_json(artifacts.metrics_path("evaluate", task.strip("`"), ROOT))
    fewest, *_, most = sorted(metrics["iterations_to_criterion"]["per_network"])
    assert learned == f"{sum(metrics['converged'])} of {len(metrics['converged'])}"
    assert iterations == (f"{fewest}" if fewest == most else f"{fewest}-{most}")
    assert accuracy == f"{metrics['accuracy']['mean']:.3f}"


def test_the_tree_of_folders_is_that_of_the_checkout() -> None:
    text = (ROOT / "README.md").read_text().split("## Folders")[1].split("```")[1]
    inside = [line.split()[0] for line in text.splitlines() if line.startswith("  ")]
    package = ROOT / "src" / "ctrnn"
    modules = {path.name for path in package.glob("[!_]*.py")}
    assert sorted(inside) == sorted(
        modules | {f"{path.parent.name}/" for path in package.glob("*/*.py")}
    )
    outside = {line.split()[0] for line in text.splitlines() if line and line not in inside}
    for path in outside - set(inside) - {"artifacts/"}:
        assert (ROOT / path).exists(), path
