"""docs/how-to/change-the-dynamics.md does what it says: its file, in a copy of the project, is a model that runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from ctrnn.core import artifacts
from tests.pipeline.small import write_small

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "how-to" / "change-the-dynamics.md").read_text()
FILE, SETTINGS = re.findall(r"```(?:python|yaml)\n(.*?)```", DOCUMENT, flags=re.DOTALL)
TASK, UNITS = "go_nogo", 16


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the page's file and settings, after every stage but the report."""
    folder = tmp_path_factory.mktemp("copy")
    for part in ("src", "stages", "tests"):
        shutil.copytree(ROOT / part, folder / part)
    (folder / "src/ctrnn/dynamics/models/slow_current.py").write_text(FILE)
    shutil.copy(ROOT / "pyproject.toml", folder)
    params = folder / "params.yaml"
    shutil.copy(ROOT / "params.yaml", params)
    write_small(params, {"network.n_units": UNITS, **flat(yaml.safe_load(SETTINGS))})
    for stage in ("generate", "train", "evaluate", "analyze"):
        run(folder, sys.executable, f"stages/{stage}.py", TASK)
    return folder


def flat(settings: dict[str, object]) -> dict[str, object]:
    return {f"network.{key}": value for key, value in settings.items()}


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
