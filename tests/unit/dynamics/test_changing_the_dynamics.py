"""docs/how-to/change-the-dynamics.md does what it says: its file, in a copy of the project, is a model that runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from ctrnn.core import artifacts
from tests.pipeline.checkout import Checkout

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "how-to" / "change-the-dynamics.md").read_text()
FILE, SETTINGS = re.findall(r"```(?:python|yaml)\n(.*?)```", DOCUMENT, flags=re.DOTALL)
TASK, UNITS = "go_nogo", 16


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the page's file and settings, after `make repro`."""
    made = Checkout(tmp_path_factory.mktemp("copy"), (TASK,))
    for part in ("tests", "pyproject.toml", "Makefile", "tools"):
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, made.folder / part)
    (made.folder / "src/ctrnn/dynamics/models/slow_current.py").write_text(FILE)
    for key, value in {"n_units": UNITS, **yaml.safe_load(SETTINGS)}.items():
        made.change(f"network.{key}", value)
    (made.folder / ".venv").symlink_to(ROOT / ".venv")
    made.run("make", "--old-file=.venv/.set-up", "repro")
    return made.folder


def run(folder: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": f"src{os.pathsep}."}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_file_has_at_most_40_lines() -> None:
    assert FILE.count("\n") <= 40


def test_its_weights_hold_the_parameter(copy: Path) -> None:
    path = artifacts.folder("train", TASK, copy) / "network-0.safetensors"
    arrays, settings = artifacts.read_weights(path)
    assert arrays["tau_q"].tolist() == [30.0] * UNITS
    assert settings["network"]["model"] == "slow_current"


def test_its_run_is_in_mlflow_with_its_equations(copy: Path) -> None:
    with sqlite3.connect(copy / "mlflow.db") as store:
        ((note,),) = store.execute("select value from tags where key = 'mlflow.note.content'")
    assert "\nx = dt*(q - x)/tau + x\nr = f(x)\n" in note
    assert (copy / "reports/index.html").stat().st_size


def test_its_fixed_points_are_those_of_both_states(copy: Path) -> None:
    with np.load(artifacts.folder("analyze", TASK, copy) / "fixed_points.npz") as points:
        x, kinds = points["x"], points["kinds"][points["kind"]]
    assert x.shape[1] == 2 * UNITS
    fixed = x[np.isin(kinds, ["stable", "saddle"])]
    assert len(fixed)
    np.testing.assert_allclose(fixed[:, :UNITS], fixed[:, UNITS:], atol=1e-6)  # q = x
    assert json.loads((copy / f"reports/analyze/{TASK}.json").read_text())["fixed_points"]


def test_its_kernel_follows_the_reference(copy: Path) -> None:
    command = re.search(r"```\n(python .*?)\n```", DOCUMENT)
    assert command
    told = run(copy, sys.executable, *command[1].split()[1:], "-p", "no:cacheprovider")
    assert re.search(r"\d passed", told)
