"""What a notebook does: a network from a folder or a run, new trials, the table of runs; and the page that shows it."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ctrnn
from ctrnn import network, notebook, params, tasks
from ctrnn.core import artifacts
from ctrnn.errors import ParamsError, UserError
from ctrnn.tasks import Batch
from ctrnn.training import loop, state
from tests.settings import settings
from tests.tracked import REPOSITORY, fabricate, publish, record

# Of SQLAlchemy in MLflow.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
TASK = "mante"
PAGE = REPOSITORY / "docs" / "tutorials" / "notebook.md"


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
    task = tasks.get_task(TASK, small.tasks, 1.0)
    train, validation = (
        tasks.trial_table(task, split, small.seed).head(64) for split in ("train", "validation")
    )
    backend = network.get_backend(small.train)
    trained = loop.train(
        task,
        train,
        validation,
        small.seed,
        small.network,
        small.train,
        backend,
        root / ".checkpoints",
    )
    folder = artifacts.folder("train", TASK, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(root)
        state.save(folder, task, trained, small.network, small.train)
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
    assert (
        from_run.settings["training"]["seed"] == params.read(lab / "params.yaml").network_seeds[1]
    )


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
    with pytest.raises(UserError, match=sentence):
        ctrnn.load(where, index)


def test_the_arrays_of_an_analysis_are_those_of_the_folder_and_of_the_run(lab: Path) -> None:
    file = lab / "artifacts/analyze/mante/fixed_points.npz"
    expected = artifacts.read_arrays(file)
    for where in (lab / "artifacts/train/mante", "../artifacts/train/mante", run_of(lab)):
        arrays = ctrnn.load(where).analysis("fixed_points")
        assert list(arrays) == ["x", "q"] and "y" not in arrays
        np.testing.assert_array_equal(arrays["x"], expected["x"])
        with pytest.raises(ValueError, match="read-only"):
            arrays["x"][0] = 1
        assert repr(arrays) == "arrays of fixed_points\n  x: float64 [1, 3]\n  q: float64 [1]"
        with pytest.raises(
            notebook.NotebookError, match=r"^xx is no array of .*; did you mean x\?"
        ):
            arrays["xx"]
        with pytest.raises(notebook.NotebookError, match=r"^fix_points is .* mean fixed_points\?"):
            ctrnn.load(where).analysis("fix_points")


def test_arrays_of_analyses_that_are_not_there_are_one_sentence(lab: Path, tmp_path: Path) -> None:
    model = ctrnn.load(lab / "artifacts/train/mante")
    with pytest.raises(notebook.NotebookError, match=r"^the network was changed \(lesion of 1 un"):
        model.lesion(0).analysis("fixed_points")
    copied = tmp_path / "weights"
    shutil.copytree(lab / "artifacts/train/mante", copied)
    with pytest.raises(notebook.NotebookError, match=r"weights is not artifacts/train/mante of a"):
        ctrnn.load(copied).analysis("fixed_points")
    alone = tmp_path / "artifacts/train/mante"
    shutil.copytree(copied, alone)
    with pytest.raises(notebook.NotebookError, match=r"holds no arrays of analyses; run dvc repro"):
        ctrnn.load(alone).analysis("fixed_points")


def run_of(lab: Path) -> str:
    """The id of the one run."""
    return str(ctrnn.runs()["run_id"].item())


def test_a_damaged_file_of_a_run_is_one_sentence(lab: Path) -> None:
    run_id = ctrnn.runs()["run_id"].item()
    (path,) = lab.glob("mlartifacts/**/weights/network-0.safetensors")
    before = path.read_bytes()
    path.write_bytes(before[:-1] + b"!")
    fault = rf"weights/network-0.safetensors of run {run_id} is damaged: .*; load the network from"
    with pytest.raises(notebook.NotebookError, match=fault):
        ctrnn.load(run_id)
    path.write_bytes(before)


def test_a_setting_that_the_task_does_not_have_is_named(lab: Path) -> None:
    model = ctrnn.load(lab / "artifacts/train/mante")
    with pytest.raises(ParamsError, match=r"evidnce is not a setting; did you mean"):
        model.trials(evidnce=[0.1])


@pytest.fixture(scope="module")
def dmts() -> notebook.Model:
    """An untrained network of another task, with two stimuli."""
    params = settings(network__n_units=12)
    backend = network.get_backend(params.train)
    training = {
        "network": 0,
        "seed": 1,
        "converged": False,
        "iterations": 0,
        "validation_accuracy": 0,
    }
    return notebook.Model(
        network.initialise(params.network, 2, 1, seed=1),
        tasks.get_task("dmts", params.tasks, 1.0),
        {"training": training},
        backend,
    )


def test_a_longer_delay_makes_the_trials_longer(dmts: notebook.Model) -> None:
    trials = dmts.trials(delay=100, test_trials=4)
    assert len(trials.inputs) == dmts.task.settings.T + 90
    first, second = trials.inputs[..., 0], trials.inputs[..., 1]
    assert np.flatnonzero(second[:, 0])[0] - np.flatnonzero(first[:, 0])[-1] == 101
    assert np.flatnonzero(trials.targets[:, 0, 0])[-1] == dmts.task.settings.window.stop - 1 + 90
    assert len(dmts.trials(delay=100, T=400, test_trials=4).inputs) == 400
    assert len(dmts.trials(stim_dur=20, test_trials=4).inputs) == dmts.task.settings.T - 60


@pytest.mark.parametrize("delay", [0, 10, 100])
def test_new_trials_are_scored_in_their_own_response_window(
    dmts: notebook.Model, delay: int
) -> None:
    trials = dmts.trials(delay=delay, test_trials=4)
    window = slice(
        160 + delay, 260 + delay
    )  # after two stimuli of 50 steps from step 50, and 10 more
    assert (trials.targets[window] != 0).all()
    response = dmts.run(trials).outputs[window, :, 0].mean(axis=0)
    np.testing.assert_allclose(dmts.outcomes(trials)["response"], response, rtol=1e-5)
    assert isinstance(dataclasses.replace(trials, inputs=trials.inputs), notebook.NewTrials)


def test_trials_of_a_file_are_scored_in_the_window_of_training(dmts: notebook.Model) -> None:
    made = dmts.trials(test_trials=4)
    read = Batch(made.inputs, made.targets, made.mask, made.conditions)
    pd.testing.assert_frame_equal(dmts.outcomes(read), dmts.outcomes(made))


def test_inputs_that_end_before_the_response_have_no_outcome(dmts: notebook.Model) -> None:
    trials = dmts.trials(test_trials=4)
    arrays = {name: getattr(trials, name)[:269] for name in ("inputs", "targets", "mask")}
    cut = dataclasses.replace(trials, **arrays)
    said = r"^the inputs have 269 steps, and the response window of dmts ends with step 270; give"
    with pytest.raises(notebook.NotebookError, match=said):
        dmts.outcomes(cut)


@pytest.mark.parametrize("key", ["test_trials", "T"])
def test_trials_that_this_machine_cannot_hold_are_refused(dmts: notebook.Model, key: str) -> None:
    with pytest.raises(ParamsError, match=rf"^tasks\.dmts\.{key} = 1000000000 needs about .* of"):
        dmts.trials(**{key: 1_000_000_000})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"delay": 100, "T": 300}, r"^tasks\.dmts\.T = 300 ends before 360 ms = .* delay 100 "),
        (
            {"delay": 1.5},
            r"^tasks\.dmts\.delay = 1\.5 ms is no whole number of steps of network\.dt = 1 ms; give 1 or 2",
        ),
        ({"delay": "x"}, r"^tasks\.dmts\.delay = 'x' is not allowed; give a number"),
        ({"delay": -300}, r"^tasks\.dmts\.delay = -300 is not allowed; give a number"),
        ({"test_trials": 5}, r"test_trials = 5 cannot be balanced over 4 conditions"),
    ],
)
def test_a_setting_that_is_not_allowed_is_one_sentence_about_it(
    dmts: notebook.Model, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ParamsError, match=sentence):
        dmts.trials(**changes)


def test_a_model_and_a_network_are_shown_in_a_few_lines(lab: Path, dmts: notebook.Model) -> None:
    shown = repr(ctrnn.load(lab / "artifacts/train/mante"))
    seed = params.read(lab / "params.yaml").network_seeds[0]
    assert shown.startswith(
        f"Model of mante, network 0, seed {seed}\nNetwork of 24 sigmoid units (19 ex"
    )
    assert "inputs: motion, colour, context_motion, context_colour; outputs: answer" in shown
    assert "training did not converge in 2 iterations" in shown
    changed = repr(dmts.lesion([0, 1]).replace(b_rec=0))
    assert "changed since: lesion of 2 units, b_rec\n" in changed
    assert changed.count("\n") < 11
    for text in (shown, repr(dmts), changed, repr(dmts.network), repr(dmts.network.wiring)):
        assert max(map(len, text.splitlines())) < 110


def test_the_outcomes_of_several_outputs_have_columns_of_their_own() -> None:
    small = settings(network__n_units=12)
    model = notebook.Model(
        network.initialise(small.network, 3, 3, seed=1),
        tasks.get_task("flip_flop", small.tasks, 1.0),
        {},
        network.get_backend(small.train),
    )
    outcomes = model.outcomes(model.trials(test_trials=8))
    assert {"response_bit_1", "choice_bit_3", "correct"} <= set(outcomes)


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
    assert len(blocks) == 11
    assert (lab / "psychometric.png").exists() and (lab / "network.mat").exists()
