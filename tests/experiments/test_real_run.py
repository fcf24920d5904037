"""Experiments run with the real DVC: rows and page come out, a second time costs nothing, a failure is a row."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from ctrnn import params
from ctrnn.sweep.checkout import Checkout as SweepCheckout
from tests.pipeline.checkout import ROOT, Checkout

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None, reason="Ray is not installed: the extra `sweep` has it"
)
EXPERIMENTS = """
gain:
  tasks: [go_nogo]
  set: {train.max_iterations: 10}
  vary: {network.w_gain: [0.5, 1.5]}
tasks:
  tasks: [flip_flop]
  set: {train.n_networks: 1, train.max_iterations: 2}
relu:
  tasks: [go_nogo]
  set: {train.n_networks: 1, network.activation: relu}
  vary: {network.w_gain: [900000000000.0]}
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("experiments"), ("go_nogo",))
    shutil.copytree(ROOT / "experiments", made.folder / "experiments")
    (made.folder / "experiments" / "experiments.yaml").write_text(EXPERIMENTS)
    made.shell = {"PYTHONPATH": "src"}
    made.commit("experiments")
    made.run("python", "-m", "experiments.run")
    return made


@pytest.fixture
def table(checkout: Checkout) -> Path:
    return checkout.folder / "reports" / "results" / "networks.csv"


def test_every_network_has_a_row_with_its_settings_and_what_was_measured(
    checkout: Checkout, table: Path
) -> None:
    rows = pd.read_csv(table).query("experiment == 'gain'")
    first, second = sorted(params.read(checkout.folder / "params.yaml").network_seeds)
    assert list(zip(rows["w_gain"], rows["seed"], strict=True)) == [
        (0.5, first),
        (0.5, second),
        (1.5, first),
        (1.5, second),
    ]
    assert (rows["iterations"] == 10).all()
    assert rows[["accuracy", "right_side", "mean_rate", "seconds"]].notna().all(axis=None)
    assert rows["mean_rate"].nunique() == 4


def test_a_point_is_an_experiment_of_dvc_and_its_networks_took_some_time(
    checkout: Checkout, table: Path
) -> None:
    names = {
        ref.split("/")[-1]
        for ref in SweepCheckout(checkout.folder)
        .git("for-each-ref", "--format=%(refname)", "refs/exps/")
        .split()
    }
    rows = pd.read_csv(table).query("experiment == 'gain'")
    assert {f"gain-go_nogo-{key}" for key in rows["key"]} == {n for n in names if "gain" in n}
    assert (rows["seconds"] >= 0).all()


def test_a_task_that_params_yaml_lacks_is_added(table: Path) -> None:
    (row,) = pd.read_csv(table).query("experiment == 'tasks'").to_dict("records")
    assert row["task"] == "flip_flop"
    assert row["iterations"] == 2


def test_a_training_that_ends_in_an_error_is_a_row_with_its_sentence(table: Path) -> None:
    (row,) = pd.read_csv(table).query("experiment == 'relu'").to_dict("records")
    assert not row["converged"]
    assert row["failure"].startswith("the loss of network 0 of go_nogo is not finite")


def test_the_checkout_itself_is_left_as_it_was(checkout: Checkout) -> None:
    changed = checkout.run("git", "status", "--porcelain").split()[1::2]
    of_dvc = {".dvc/cache/", ".dvc/.gitignore"}  # which its first command makes
    assert sorted(set(changed) - of_dvc) == ["docs/", "reports/"]
    assert not (checkout.folder / "artifacts").exists()


def test_a_second_time_runs_nothing_and_gives_the_same_page(
    checkout: Checkout, table: Path
) -> None:
    page = checkout.folder / "docs" / "explanation" / "results.md"
    before = table.stat().st_mtime_ns, page.read_bytes()
    checkout.run("python", "-m", "experiments.run")
    assert (table.stat().st_mtime_ns, page.read_bytes()) == before


def test_what_is_not_committed_is_not_run(checkout: Checkout) -> None:
    path = checkout.folder / "params.yaml"
    before = path.read_text()
    path.write_text(before + "# changed\n")
    with pytest.raises(AssertionError, match="params.yaml is not committed"):
        checkout.run("python", "-m", "experiments.run")
    path.write_text(before)
