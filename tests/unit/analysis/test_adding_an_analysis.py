"""adding-an-analysis.md and adding-a-metric.md do what they say: their blocks, in a copy of the project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ctrnn.core import artifacts
from tests.pipeline.small import write_small

ROOT = Path(__file__).parents[3]
(PAGE,) = (ROOT / "docs").rglob("adding-an-analysis.md")
ANALYSIS, SECTION, FIGURE = re.findall(
    r"```(?:python|yaml)\n(.*?)```", PAGE.read_text(), flags=re.DOTALL
)
(METRIC_PAGE,) = (ROOT / "docs").rglob("adding-a-metric.md")
(METRIC,) = re.findall(r"```python\n(.*?)```", METRIC_PAGE.read_text(), flags=re.DOTALL)
NAME, TASK, METRIC_NAME = "active_units", "go_nogo", "peak_rate"
# In one process, which imports the code of the copy.
PROGRAM = """
import importlib, json
for stage in ("generate", "train", "evaluate", "analyze"):
    importlib.import_module(f"stages.{stage}").main("go_nogo")
importlib.import_module("stages.report").main()
from ctrnn.core import artifacts
from ctrnn.sweep.table import MEASURES
from ctrnn.tracking.payload import final
report = artifacts.read_json(artifacts.metrics_path("analyze", "go_nogo"))
logged = {point.name: point.value for point in final(report)}
print(json.dumps({"report": report, "logged": logged, "measures": MEASURES}))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the files of both pages and the section, and small settings of one task."""
    folder = tmp_path_factory.mktemp("copy")
    for part in ("src", "stages"):
        shutil.copytree(ROOT / part, folder / part)
    for room, text in (("analysis", ANALYSIS), ("figures", FIGURE)):
        (folder / "src" / "ctrnn" / room / f"{NAME}.py").write_text(text)
    (folder / "src" / "ctrnn" / "analysis" / f"{METRIC_NAME}.py").write_text(METRIC)
    settings, params = (ROOT / "params.yaml").read_text(), folder / "params.yaml"
    params.write_text(settings.replace("\nreport:", SECTION + "\nreport:", 1))
    small = {"network.n_units": 12, "train.max_iterations": 4, "train.check_every": 2}
    write_small(params, {**small, "report.dpi": 40})
    raw = yaml.safe_load(params.read_text())
    params.write_text(yaml.safe_dump({**raw, "tasks": {TASK: raw["tasks"][TASK]}}))
    return folder


@pytest.fixture(scope="module")
def shown(copy: Path) -> dict[str, Any]:
    """Metrics, what MLflow is given of them, and a sweep's measures, after every stage but publish."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(copy / "src"), str(copy)])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown_values: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return shown_values


def test_its_arrays_are_in_a_file_of_its_name(copy: Path, shown: dict[str, Any]) -> None:
    share = artifacts.read_arrays(artifacts.folder("analyze", TASK, copy) / f"{NAME}.npz")["share"]
    means = shown["report"][NAME]["per_network"]
    np.testing.assert_allclose(share.mean(axis=1), means, rtol=1e-5)


def test_mlflow_is_given_its_metric_and_a_sweep_a_column(shown: dict[str, Any]) -> None:
    means = shown["report"][NAME]["per_network"]
    assert shown["logged"][f"{NAME}/network_0"] == means[0]
    assert f"{NAME}/mean" in shown["logged"]
    pattern, words = shown["measures"][NAME]
    assert re.fullmatch(pattern.format(0), f"{NAME}/network_0")
    assert words == "share of active units"


def test_a_metric_of_one_file_reaches_mlflow_and_has_a_column_of_sweeps(
    shown: dict[str, Any],
) -> None:
    highest = shown["report"][METRIC_NAME]["per_network"]
    means = shown["report"]["mean_rate"]["per_network"]
    assert all(high > mean for high, mean in zip(highest, means, strict=True))
    assert shown["logged"][f"{METRIC_NAME}/network_0"] == highest[0]
    pattern, words = shown["measures"][METRIC_NAME]
    assert re.fullmatch(pattern.format(0), f"{METRIC_NAME}/network_0")
    assert words == "highest rate"


def test_the_report_shows_its_figure_with_the_numbers_of_the_run(
    copy: Path, shown: dict[str, Any]
) -> None:
    assert (artifacts.figures_folder(TASK, copy) / f"{NAME}.png").exists()
    page = (copy / "reports" / "index.html").read_text(encoding="utf-8")
    mean = shown["report"][NAME]["mean"]
    caption = rf"<strong>Active units\.</strong> Averaged over a trial, {mean:.2f}( ± [\d.]+)? of the units are active"
    assert re.search(caption, page)
    assert f"artifacts/analyze/{TASK}/{NAME}.npz" in page


def test_a_misspelled_setting_of_the_new_section_is_one_sentence(copy: Path) -> None:
    path = copy / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("threshold: 0.1", "treshold: 0.1"))
    done = subprocess.run(
        [sys.executable, "stages/analyze.py", TASK],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    path.write_text(before)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"analyze@{TASK}: analyze.{NAME}.treshold is not a setting; did you mean analyze.{NAME}.threshold?"
    )
