"""Runs as rows of networks, and the page that is made of them."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ctrnn.sweep import page, table
from ctrnn.sweep.checkout import Experiment
from ctrnn.sweep.effects import mean_interval
from tests.settings import settings


def runs() -> pd.DataFrame:
    """Two runs of two networks each, as MLflow tells them; and the base run of dmts, which no point ran."""
    return pd.DataFrame(
        {
            "run_id": f"run-{i}",
            "key": key,
            "task": task,
            "network.tau": tau,
            "train.n_networks": 2,
            **{f"accuracy/network_{n}": 0.9 + n / 100 + i / 1000 for n in range(2)},
            **{f"converged/network_{n}": 1.0 for n in range(2)},
            **{f"iterations/network_{n}": 100.0 + 25 * n for n in range(2)},
            **{f"fixed_points/{e}/stable/{n}": v for e, v in (("a", 1.0), ("b", 2.0)) for n in range(2)},
        }
        for i, (key, task, tau) in enumerate(
            [("key-0", "mante", 10.0), ("key-1", "mante", 20.0), ("base", "dmts", 20.0)]
        )
    )  # fmt: skip


def experiment(
    name: str, keys: dict[str, str], tasks: tuple[str, ...] = ("mante",), **changes: Any
) -> Experiment:
    """A finished experiment of these tasks, with two networks a task and these changes of the settings."""
    own = settings(**{"train__n_networks": 2, **changes})
    only = {task: own.tasks[task] for task in tasks}
    return Experiment(name, "refs", own.model_copy(update={"tasks": only}), keys)


POINTS = [
    {"name": f"tau{tau}-{i}", "values": {"network.tau": tau}} for i, tau in enumerate((10, 20, 50))
]
EXPERIMENTS = {
    f"tau{tau}-{i}": experiment(f"tau{tau}-{i}", {"mante": f"key-{i}"}, network__tau=tau)
    for i, tau in enumerate((10, 20))
}
SEEDS = settings(train__n_networks=2).network_seeds
SWEEP: dict[str, Any] = {
    "name": "tau", "commit": "c" * 40, "tasks": ["mante"], "axes": {"network.tau": [10, 20, 50]},
    "fixed": ["seed=1"], "points": POINTS, "ui": "http://127.0.0.1:5000", "mlflow_experiment": "1",
}  # fmt: skip


def test_a_row_is_a_network_with_its_axes_and_measures() -> None:
    rows = table.rows(POINTS, EXPERIMENTS, runs())
    columns = ["experiment", "tau", "task", "network", "network_seed", "run_id"]
    assert rows[columns].to_numpy().tolist() == [
        ["tau10-0", 10, "mante", 0, SEEDS[0], "run-0"],
        ["tau10-0", 10, "mante", 1, SEEDS[1], "run-0"],
        ["tau20-1", 20, "mante", 0, SEEDS[0], "run-1"],
        ["tau20-1", 20, "mante", 1, SEEDS[1], "run-1"],
    ]
    assert rows["accuracy"].tolist() == pytest.approx([0.9, 0.91, 0.901, 0.911])
    assert rows["stable_points"].tolist() == [1.5] * 4  # the mean over constant inputs
    assert rows["saddles"].isna().all()


def test_an_experiment_whose_settings_are_not_the_points_has_no_rows() -> None:
    swapped = {"tau10-0": EXPERIMENTS["tau20-1"], "tau20-1": EXPERIMENTS["tau20-1"]}
    assert table.rows(POINTS, swapped, runs())["experiment"].unique().tolist() == ["tau20-1"]


def test_a_run_whose_settings_contradict_its_experiment_is_left_out_with_a_sentence() -> None:
    contradicting = runs().assign(**{"network.tau": [50.0, 20.0, 20.0]})
    left, said = table.honest(contradicting, EXPERIMENTS.values())
    assert left["run_id"].tolist() == ["run-1", "run-2"]
    assert len(said) == 1
    assert said[0].startswith("run run-0 says network.tau = 50.0, but experiment tau10-0 has 10")
    assert table.rows(POINTS, EXPERIMENTS, left)["tau"].tolist() == [20, 20]


@pytest.mark.parametrize(
    "told",
    [
        {"train.threads": [7, 7, 7]},  # changes no result
        {"network.tau_inh": [None, None, None]},
        {"network.sigma_pre": [float("nan")] * 3},  # not told
        {"tasks.mante.evidence": ["[0.1, 0.2, "] * 3},  # what MLflow keeps of a long list
    ],
)
def test_a_run_that_does_not_contradict_its_experiment_counts(told: dict[str, Any]) -> None:
    left, said = table.honest(runs().assign(**told), EXPERIMENTS.values())
    assert (len(left), said) == (3, [])


def test_a_network_that_missed_the_criterion_has_no_iterations_to_it() -> None:
    missed = runs().assign(**{"converged/network_1": 0.0})
    rows = table.rows(POINTS, EXPERIMENTS, missed)
    assert rows["iterations"].notna().tolist() == [True, False, True, False]


def test_a_point_without_a_finished_run_has_no_rows() -> None:
    assert table.rows(POINTS, EXPERIMENTS, runs().head(1))["experiment"].unique().tolist() == [
        "tau10-0"
    ]
    assert table.rows(POINTS, {}, runs()).empty


def test_the_number_of_networks_makes_no_network_twice() -> None:
    """Points of 2 and of 3 networks have two in common."""
    points = [{"name": f"n{n}", "values": {"train.n_networks": n}} for n in (2, 3)]
    done = {
        f"n{n}": experiment(f"n{n}", {"mante": f"key-{n}"}, train__n_networks=n) for n in (2, 3)
    }
    tracked = pd.DataFrame(
        {"run_id": f"run-{n}", "key": f"key-{n}", "train.n_networks": n,
         **{f"accuracy/network_{i}": i / 10 for i in range(3)},
         **{f"converged/network_{i}": 1.0 for i in range(3)}}
        for n in (2, 3)
    )  # fmt: skip
    rows = table.rows(points, done, tracked)
    assert len(rows) == 5
    networks = table.distinct(rows, ["train.n_networks"])
    assert networks["network_seed"].tolist() == settings(train__n_networks=3).network_seeds
    assert networks["n_networks"].isna().all()
    sweep = {**SWEEP, "axes": {"train.n_networks": [2, 3]}, "points": points}
    assert page.metrics(sweep, rows)["networks"] == 3
    assert [line["networks"] for line in page.summary(rows, ["n_networks"])] == [2, 3]


def grid(**axes: list[Any]) -> pd.DataFrame:
    """Rows of two tasks with three networks for every combination of the axes, by column."""
    return pd.DataFrame(
        {
            "experiment": f"point-{values}", "run_id": f"{task}-{values}",
            **dict(zip(axes, values, strict=True)), "task": task, "network": i,
            "network_seed": hash((axes.get("seed") and values[list(axes).index("seed")], i)),
            **dict.fromkeys(table.MEASURES, float("nan")), "converged": 1.0, "accuracy": i / 10,
        }
        for task in ("mante", "dmts")
        for values in itertools.product(*axes.values())
        for i in range(3)
    )  # fmt: skip


def test_networks_of_all_seeds_are_replicates(tmp_path: Path) -> None:
    sweep = {**SWEEP, "axes": {"seed": [1, 2, 3], "network.tau": [10, 20]}}
    rows = grid(seed=[1, 2, 3], tau=[10, 20])
    networks, effects = page.tables(sweep, rows)
    assert networks.groupby(["task", "tau"])["network_seed"].nunique().tolist() == [9] * 4
    assert len(networks) == page.metrics(sweep, rows)["networks"] == 4 * 9
    assert effects["axis"].unique().tolist() == ["tau"]
    assert page.columns(sweep)[0] == ["tau"]  # of figures
    text = page.write(tmp_path, sweep, rows[rows["task"] == "mante"], []).read_text()
    assert "Networks of all seeds count alike" in text


def test_seeds_alone_make_no_effect(tmp_path: Path) -> None:
    sweep = {**SWEEP, "axes": {"seed": [1, 2]}}
    text = page.write(tmp_path, sweep, grid(seed=[1, 2]), []).read_text()
    assert pd.read_csv(tmp_path / "effects.csv").empty
    assert not list(tmp_path.glob("*.png"))
    assert "None: no axis with an order has networks at two of its values." in text


def test_an_axis_of_one_task_has_neither_effect_nor_figure_of_another() -> None:
    """Networks of dmts are the same at every value of tasks.mante.T: they count once."""
    sweep = {**SWEEP, "axes": {"tasks.mante.T": [500, 600], "network.tau": [10, 20]}}
    networks, effects = page.tables(sweep, grid(T=[500, 600], tau=[10, 20]))
    assert {(row.task, row.axis) for row in effects.itertuples()} == {
        ("mante", "T"), ("mante", "tau"), ("dmts", "tau"),
    }  # fmt: skip
    assert networks["task"].value_counts().to_dict() == {"mante": 12, "dmts": 6}
    assert networks.loc[networks["task"] == "dmts", "T"].isna().all()
    made = page.figures(networks, ["T", "tau"], "accuracy", "accuracy")
    assert [kind for kind, _ in made] == [
        "map-mante", "by-T-mante", "by-tau-mante", "by-tau-dmts",
    ]  # fmt: skip


def test_what_changes_the_analysis_alone_makes_no_network_more() -> None:
    axes = {"analyze.roles.permutations": [100, 200, 300], "network.tau": [10, 20]}
    rows = grid(permutations=[100, 200, 300], tau=[10, 20])
    networks, effects = page.tables({**SWEEP, "axes": axes}, rows)
    assert len(networks) == len(rows)  # each was measured three times
    assert page.metrics({**SWEEP, "axes": axes}, rows)["networks"] == 2 * 2 * 3
    assert effects["axis"].unique().tolist() == ["tau"]
    accuracy = effects[effects["measure"] == "accuracy"].iloc[0]
    assert (accuracy["networks"], accuracy["left_out"], accuracy["difference"]) == (3, 0, 0)


def test_no_axis_takes_the_column_of_a_measure() -> None:
    keys = ["analyze.fixed_points.iterations", "network.tau", "network", "seed"]
    assert list(table.columns(keys).values()) == [
        "analyze.fixed_points.iterations", "tau", "network.*", "seed",
    ]  # fmt: skip


def test_figures_of_earlier_axes_are_not_kept(tmp_path: Path) -> None:
    (tmp_path / "accuracy-by-p_inh.png").touch()
    page.write(tmp_path, SWEEP, table.rows(POINTS, EXPERIMENTS, runs()), [])
    assert not (tmp_path / "accuracy-by-p_inh.png").exists()


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
    texts = [text.get_text() for text in made["map"].axes[0].texts]
    assert texts == ["10.1", "20.1", "10.2", "20.2"]
    assert len(made["by-tau"].axes[0].lines) == 2


def test_a_cell_of_a_map_is_the_mean_of_the_networks_that_have_a_value() -> None:
    rows = pd.DataFrame(
        {"task": "mante", "p_inh": p, "tau": tau, "iterations": value}
        for p in (0.1, 0.2)
        for tau in (10, 20)
        for value in (100.0, float("nan"))
    )
    made = dict(page.figures(rows, ["p_inh", "tau"], "iterations", "iterations"))
    assert [text.get_text() for text in made["map"].axes[0].texts] == ["100"] * 4


def test_networks_that_did_not_converge_are_counted_on_the_page(tmp_path: Path) -> None:
    sweep = {**SWEEP, "axes": {"network.tau": [10, 20]}}
    rows = grid(tau=[10, 20])
    rows["iterations"] = 100.0 + 10 * rows["network"] * rows["tau"]
    missed = (rows["task"] == "dmts") & (rows["tau"] == 20) & (rows["network"] == 2)
    rows.loc[missed, ["converged", "iterations"]] = 0, float("nan")
    text = page.write(tmp_path, sweep, rows, []).read_text()
    assert "did not meet the criterion: mante 0 of 6; dmts 1 of 6." in text
    effects = pd.read_csv(tmp_path / "effects.csv")
    of_measure = {
        row["measure"]: row for row in effects.to_dict("records") if row["task"] == "dmts"
    }
    assert (of_measure["iterations"]["networks"], of_measure["iterations"]["left_out"]) == (2, 1)
    assert of_measure["converged"]["difference"] == pytest.approx(-1 / 3)
    assert np.isnan(of_measure["converged"]["g"])
    (of_dmts,) = (row for row in page.convergence(rows, ["tau"]) if row["met"] < row["of"])
    assert (of_dmts["task"], of_dmts["tau"], of_dmts["met"], of_dmts["of"]) == ("dmts", 20, 2, 3)
    assert '<td class="n missed">2 of 3</td><td class="n">0.67</td><td>0.09 to 0.99</td>' in text


def band(figure: Figure) -> tuple[float, float]:
    """The lowest and the highest end of the intervals of a figure's first line."""
    ends = np.asarray(figure.axes[0].collections[0].get_paths()[0].vertices)[:, 1]
    return float(ends.min()), float(ends.max())


def test_a_band_counts_a_network_once_however_many_points_of_further_axes_it_has() -> None:
    rows = pd.DataFrame(
        {"task": "mante", "network_seed": i, "p_inh": p, "tau": tau, "p_rec": density, "accuracy": i}
        for i in (1.0, 2.0, 3.0) for p in (0.1, 0.2) for tau in (10, 20) for density in (0.1, 0.2, 0.3)
    )  # fmt: skip
    made = dict(page.figures(rows, ["p_inh", "tau", "p_rec"], "accuracy", "accuracy"))
    _, low, high = mean_interval(np.array([1.0, 2.0, 3.0]))
    assert band(made["by-tau"]) == pytest.approx((low, high))


def test_the_band_of_a_share_of_networks_stays_between_0_and_1() -> None:
    rows = pd.DataFrame(
        {"task": "mante", "network_seed": i, "tau": tau, "converged": float(i > 0 or tau == 10)}
        for i in range(3)
        for tau in (10, 20)
    )
    made = dict(page.figures(rows, ["tau"], "converged", "met the criterion"))
    assert band(made["by-tau"]) == pytest.approx((0.0943, 1.0), abs=1e-4)


def test_an_axis_with_one_value_is_not_drawn() -> None:
    rows = pd.DataFrame({"task": "mante", "tau": [10, 10], "accuracy": [0.1, 0.2]})
    assert page.figures(rows, ["tau"], "accuracy", "accuracy") == []
