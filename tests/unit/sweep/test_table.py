"""Runs as rows of networks, and the page that is made of them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ctrnn.sweep import page, table
from ctrnn.sweep.checkout import Experiment


def runs() -> pd.DataFrame:
    """Two runs of two networks each, as MLflow tells them."""
    return pd.DataFrame(
        {
            "run_id": f"run-{i}",
            "key": f"key-{i}",
            "train.n_networks": 2,
            **{f"accuracy/network_{n}": 0.9 + n / 100 + i / 1000 for n in range(2)},
            **{f"converged/network_{n}": 1.0 for n in range(2)},
            **{f"iterations/network_{n}": 100.0 + 25 * n for n in range(2)},
            **{f"fixed_points/{e}/stable/{n}": v for e, v in (("a", 1.0), ("b", 2.0)) for n in range(2)},
        }
        for i in range(2)
    )  # fmt: skip


POINTS = [
    {"name": f"tau{tau}-{i}", "values": {"network.tau": tau}} for i, tau in enumerate((10, 20, 50))
]
EXPERIMENTS = {
    f"tau{tau}-{i}": Experiment(f"tau{tau}-{i}", "refs", {"mante": f"key-{i}"})
    for i, tau in enumerate((10, 20))
}
SWEEP: dict[str, Any] = {
    "name": "tau", "commit": "c" * 40, "tasks": ["mante"], "axes": {"network.tau": [10, 20, 50]},
    "fixed": ["seed=1"], "points": POINTS, "ui": "http://127.0.0.1:5000", "mlflow_experiment": "1",
}  # fmt: skip


def test_a_row_is_a_network_with_its_axes_and_measures() -> None:
    rows = table.rows(POINTS, EXPERIMENTS, runs())
    assert rows[["experiment", "tau", "task", "network", "run_id"]].to_numpy().tolist() == [
        ["tau10-0", 10, "mante", 0, "run-0"],
        ["tau10-0", 10, "mante", 1, "run-0"],
        ["tau20-1", 20, "mante", 0, "run-1"],
        ["tau20-1", 20, "mante", 1, "run-1"],
    ]
    assert rows["accuracy"].tolist() == pytest.approx([0.9, 0.91, 0.901, 0.911])
    assert rows["stable_points"].tolist() == [1.5] * 4  # the mean over constant inputs
    assert rows["saddles"].isna().all()


def test_a_network_that_missed_the_criterion_has_no_iterations_to_it() -> None:
    told = runs().assign(**{"converged/network_1": 0.0})
    rows = table.rows(POINTS, EXPERIMENTS, told)
    assert rows["iterations"].notna().tolist() == [True, False, True, False]


def test_a_point_without_a_finished_run_has_no_rows() -> None:
    assert table.rows(POINTS, EXPERIMENTS, runs().head(1))["experiment"].unique().tolist() == [
        "tau10-0"
    ]
    assert table.rows(POINTS, {}, runs()).empty


def test_the_page_shows_every_run_and_names_what_is_missing(tmp_path: Path) -> None:
    rows = table.rows(POINTS, EXPERIMENTS, runs())
    text = page.write(tmp_path, SWEEP, rows, ["tau50-2"]).read_text()
    assert "Without results: tau50-2" in text
    assert "http://127.0.0.1:5000/#/experiments/1/runs/run-1" in text
    drawn = base64.b64encode((tmp_path / "accuracy-by-tau.png").read_bytes()).decode()
    assert drawn in text
    assert len(pd.read_csv(tmp_path / "networks.csv")) == 4
    effects = pd.read_csv(tmp_path / "effects.csv")
    assert effects.loc[effects["measure"] == "accuracy", "mean_highest"].item() == pytest.approx(
        0.906
    )


def test_a_value_that_no_table_holds_is_told_as_json() -> None:
    assert [table.cell(value) for value in (0.1, "relu", True, None, {"ee": 0.1})] == [
        0.1, "relu", True, "null", '{"ee": 0.1}',
    ]  # fmt: skip


def test_two_axes_make_a_map_and_lines_along_each() -> None:
    rows = pd.DataFrame(
        {"task": "mante", "p_inh": p, "tau": tau, "accuracy": p + tau}
        for p in (0.1, 0.2)
        for tau in (10, 20)
        for _ in range(2)
    )
    made = dict(page.figures(rows, ["p_inh", "tau"], "accuracy", "accuracy"))
    assert set(made) == {"map", "by-p_inh", "by-tau"}
    told = [text.get_text() for text in made["map"].axes[0].texts]
    assert told == ["10.1", "20.1", "10.2", "20.2"]
    assert len(made["by-tau"].axes[0].lines) == 2
