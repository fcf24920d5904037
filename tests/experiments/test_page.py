"""docs/explanation/results.md says what the table of networks says, and why a cell is not learned."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ctrnn.core.rng import network_seeds
from experiments import page

SETTINGS = {"p_inh": 0.2, "tau": 20.0, "w_gain": 1.5, "n_units": 200, "p_rec": 0.2, "dale": True}

ROOT = Path(__file__).parents[2]


def network(experiment: str, task: str, seed: int, **changes: Any) -> dict[str, Any]:
    return {
        "experiment": experiment, "task": task, **SETTINGS, "activation": "sigmoid", "seed": seed,
        "converged": True, "iterations": 75 + 25 * seed, "accuracy": 0.99, "right_side": 1.0,
        "mean_rate": 0.5, "saturated_rates": 0.1, "vanished_synapses": 0.05, "seconds": 2.0 * seed,
        "key": "k", "commit": "c0ffee", "failure": None, **changes,
    }  # fmt: skip


MISSED = {"converged": False, "iterations": 2000, "accuracy": 0.5, "seconds": 60.0}


@pytest.fixture
def table() -> list[dict[str, Any]]:
    rows = [network("recipe", "mante", seed) for seed in (1, 2, 3)]
    rows += [network("tutorial", "mante", seed, **MISSED, saturated_rates=0.8) for seed in (1, 2)]
    rows += [
        network("grid", task, seed, p_inh=p_inh, tau=tau, **(MISSED if p_inh == 0 else {}))
        for task, p_inh, tau, seed in product(("mante", "xor"), (0.0, 0.2), (5.0, 20.0), (1, 2))
    ]
    return rows + [
        network("gain", "xor", seed, w_gain=gain) for gain in (0.5, 1.5) for seed in (1, 2)
    ]


def written(folder: Path, rows: list[dict[str, Any]]) -> str:
    path = folder / "networks.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    page.write(path, folder)
    return (folder / "results.md").read_text()


def test_numbers_are_those_of_the_table(tmp_path: Path, table: list[dict[str, Any]]) -> None:
    text = written(tmp_path, table)
    line = "| the shipped settings | mante | 3 of 3 | 125 (100–150) | 4.0 (2.0–6.0) | 0.990 ± 0.000 | 0.990 |"
    assert line in text
    assert "| the tutorial's settings | mante | 0 of 2 | – | – | 0.500 ± 0.000 | 0.500 |" in text
    assert "| xor | 0.5 | 2 of 2 |" in text
    assert "without Dale's principle" not in text  # no row, no line


def test_the_cell_without_its_delays_stands_beside_the_cell_of_the_grid(
    tmp_path: Path, table: list[dict[str, Any]]
) -> None:
    where = {"p_inh": 0.1, "tau": 5.0}
    rows = [network("grid", "dmts", seed, **where, **MISSED) for seed in (1, 2)]
    rows += [network("no_delay", "dmts", seed, **where) for seed in (1, 2, 3)]
    text = written(tmp_path, [*table, *rows])
    assert "| as shipped | 0 of 2 |" in text
    assert "| none | 3 of 3 |" in text


@pytest.mark.parametrize("digits", ["1234567", "12e4567", "0012345"])
def test_a_hash_that_looks_like_a_number_stays_as_it_is(
    tmp_path: Path, table: list[dict[str, Any]], digits: str
) -> None:
    rows = [{**row, "commit": digits, "key": digits} for row in table]
    assert f"Made at commits {digits}.\n" in written(tmp_path, rows)
    assert set(page.read(tmp_path / "networks.csv")["key"]) == {digits}


def test_the_committed_page_and_its_pictures_are_those_of_the_committed_table(
    tmp_path: Path,
) -> None:
    committed = ROOT / "docs" / "explanation"
    page.write(ROOT / "reports" / "results" / "networks.csv", tmp_path)
    for file in (
        "results.md",
        *(f"results/grid-{x}.png" for x in ("success", "iterations", "accuracy")),
    ):
        assert (tmp_path / file).read_bytes() == (committed / file).read_bytes(), file


def test_seeds_that_the_present_code_does_not_draw_are_told_and_others_are_not(
    tmp_path: Path, table: list[dict[str, Any]]
) -> None:
    words = "**The present code gives other numbers.** The networks here have the seeds 1 to 3"
    assert words in written(tmp_path, table)
    today = network_seeds(1, 2)
    rows = [{**row, "seed": today[row["seed"] % 2]} for row in table]
    assert "The present code gives other numbers" not in written(tmp_path, rows)


def test_cells_that_are_not_learned_are_counted_and_come_with_what_was_measured(
    tmp_path: Path, table: list[dict[str, Any]]
) -> None:
    text = written(tmp_path, table)
    assert "4 of the 8 cells that were run are learned" in text
    assert text.count(", p_inh 0, tau ") == 4
    assert "p_inh 0.2, tau" not in text
    for measure in ("success", "iterations", "accuracy"):
        assert (tmp_path / "results" / f"grid-{measure}.png").stat().st_size < 100_000
        assert f"results/grid-{measure}.png" in text


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        ({"right_side": 0.95}, "the answer is known but falls short of the threshold"),
        ({"right_side": 0.5, "vanished_synapses": 0.36}, "synapses vanished"),
        ({"right_side": 0.5, "saturated_rates": 0.8}, "units saturated"),
        ({"right_side": 0.5}, "the answer is not known at the response"),
        ({"accuracy": 0.99}, "within reach when training ended"),
        ({"failure": "the loss is not finite"}, "training stopped: the loss is not finite"),
    ],
)
def test_the_reason_is_the_measured_one(measured: dict[str, Any], verdict: str) -> None:
    rows = [network("grid", "xor", seed, **{**MISSED, **measured}) for seed in (1, 2)]
    rows.append(network("grid", "xor", 3))  # one that converged has no part in the reason
    assert verdict in page.reason(pd.DataFrame(rows))


def test_the_same_table_gives_the_same_bytes(tmp_path: Path, table: list[dict[str, Any]]) -> None:
    outputs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        text = written(tmp_path / name, table)
        picture = (tmp_path / name / "results" / "grid-success.png").read_bytes()
        outputs.append((text, picture))
    assert outputs[0] == outputs[1]
