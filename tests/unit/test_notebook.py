"""What a notebook does: a network from a folder or a run, new trials, the table of runs; and the page that shows it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import ctrnn
from ctrnn import artifacts, network, notebook, tasks, training
from ctrnn.complaints import Complaint, ParamsError
from tests.settings import settings
from tests.tracked import REPOSITORY, fabricate, publish, record

# Of SQLAlchemy in MLflow.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
TASK = "mante"
PAGE = REPOSITORY / "docs" / "notebook.md"


@pytest.fixture(autouse=True)
def untouched_global_random_state() -> None:
    """Not held here: MLflow draws from Python's shared generator."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with two networks that have trained for two iterations, and their run in its store."""
    root = tmp_path_factory.mktemp("lab")
    fabricate(root)
    shutil.copy(REPOSITORY / "dvc.yaml", root)
    small = settings(network__n_units=24, train__n_networks=2, train__max_iterations=2)
    task = tasks.get_task(TASK, small)
    train, validation = (
        tasks.trial_table(task, split, small.seed).head(64) for split in ("train", "validation")
    )
    backend = network.get_backend(small.train)
    trained = training.train(task, train, validation, small, backend, root / ".checkpoints")
    folder = artifacts.folder("train", TASK, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(root)
        training.save(folder, TASK, trained, small)
        record(root, small)
        publish(root)
    return root


@pytest.fixture(autouse=True)
def inside(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of the checkout, as a notebook is."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (lab / "docs").mkdir(exist_ok=True)
    monkeypatch.chdir(lab / "docs")


def test_a_run_and_a_folder_give_the_same_network(lab: Path) -> None:
    run_id = ctrnn.runs()["run_id"].item()
    from_run, from_folder = ctrnn.load(run_id, 1), ctrnn.load(lab / "artifacts/train/mante", 1)
    for name, array in from_folder.network.arrays().items():
        np.testing.assert_array_equal(from_run.network.arrays()[name], array)
    assert from_run.settings["training"]["seed"] == 2


def test_it_runs_new_trials_of_other_strength(lab: Path) -> None:
    model = ctrnn.load(lab / "artifacts/train/mante")
    trials = model.trials(evidence=[0.1, 0.3], test_trials=64, seed=5)
    assert sorted(trials.conditions["motion"].unique()) == [-0.3, -0.1, 0.1, 0.3]
    activity = model.run(trials)
    assert activity.rates.shape == (500, 64, 24)
    assert activity.outputs.shape == (500, 64, 1)
    np.testing.assert_array_equal(model.run(trials).outputs, activity.outputs)
    assert not np.array_equal(model.run(trials, seed=None).outputs, activity.outputs)
    outcomes = model.outcomes(trials)
    np.testing.assert_allclose(
        outcomes["response"], activity.outputs[250:500, :, 0].mean(axis=0), rtol=1e-5
    )


def test_the_table_of_runs_has_settings_as_they_are_in_params_yaml_and_metrics() -> None:
    row = ctrnn.runs().iloc[0]
    assert (row["task"], row["network.p_inh"], row["network.dale"]) == (TASK, 0.2, True)
    assert (row["network.activation"], row["network.tau_inh"]) == ("sigmoid", None)
    assert (row["accuracy/mean"], row["accuracy/network_1"]) == (0.985, 0.99)


def test_a_store_without_runs_gives_an_empty_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/empty.db")
    assert len(ctrnn.runs()) == 0


@pytest.mark.parametrize(
    ("where", "index", "sentence"),
    [
        ("nowhere", 0, r"nowhere is neither a folder nor the id of a run; give"),
        ("0" * 32, 0, r"tracking store .* failed"),
        ("../artifacts/train/mante", 7, r"network-7.safetensors does not exist; give"),
        ("../artifacts", 0, r"network-0.safetensors does not exist; give a folder below"),
    ],
)
def test_what_cannot_be_loaded_is_one_sentence(where: str, index: int, sentence: str) -> None:
    with pytest.raises(Complaint, match=sentence):
        ctrnn.load(where, index)


def test_a_setting_that_the_task_does_not_have_is_named(lab: Path) -> None:
    model = ctrnn.load(lab / "artifacts/train/mante")
    with pytest.raises(ParamsError, match=r"evidnce is not a setting; did you mean"):
        model.trials(evidnce=[0.1])


def test_outside_a_checkout_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(notebook.NotebookError, match=r"is not in a checkout; start"):
        ctrnn.runs()


def test_every_block_of_the_page_runs(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(lab)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert len(blocks) == 5
    assert (lab / "psychometric.png").exists()
