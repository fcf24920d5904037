"""docs/how-to/adding-a-task.md does what it says: its blocks, in a copy of the project, make a task that runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ctrnn.core import artifacts
from tests.pipeline.small import write_small

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "how-to" / "adding-a-task.md").read_text()
FILE, LINE, SECTION = re.findall(r"```(?:python|yaml)\n(.*?)```", DOCUMENT, flags=re.DOTALL)
NAME = "delayed_sign"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after each step of the document, with small settings."""
    folder = tmp_path_factory.mktemp("copy")
    for part in ("src", "stages"):
        shutil.copytree(ROOT / part, folder / part)
    (folder / "src" / "ctrnn" / "tasks" / f"{NAME}.py").write_text(FILE)
    registry = folder / "src" / "ctrnn" / "tasks" / "__init__.py"
    code = registry.read_text().replace("from ctrnn.tasks.dmts", LINE + "from ctrnn.tasks.dmts")
    registry.write_text(re.sub(r"(?m)^(ALL = \(.*)\)$", r"\1, DelayedSign)", code))
    settings = (ROOT / "params.yaml").read_text()
    (folder / "params.yaml").write_text(settings.replace("\nnetwork:", SECTION + "\nnetwork:", 1))
    trials = {f"tasks.{NAME}.{split}_trials": 64 for split in artifacts.SPLITS}
    write_small(folder / "params.yaml", trials)
    return folder


def stage(copy: Path, name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, f"stages/{name}.py", NAME],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_example_has_less_than_60_lines() -> None:
    assert FILE.count("\n") < 60


def test_the_task_is_generated_trained_and_evaluated(copy: Path) -> None:
    for name in ("generate", "train", "evaluate"):
        done = stage(copy, name)
        assert done.returncode == 0, done.stderr
    outcomes = artifacts.read_table(artifacts.folder("evaluate", NAME, copy) / "outcomes.csv")
    assert len(outcomes) == 2 * 64
    assert set(outcomes["stimulus"]) == {1.0, -1.0}
    metrics = artifacts.read_json(artifacts.metrics_path("evaluate", NAME, copy))
    assert metrics["right_side"]["mean"] > 0.5  # even 30 iterations have taught it something


def test_a_misspelled_key_of_the_new_section_is_one_sentence(copy: Path) -> None:
    path = copy / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("    size: 1.0", "    siez: 1.0"))
    done = stage(copy, "generate")
    path.write_text(before)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"generate@{NAME}: tasks.{NAME}.siez is not a setting; did you mean tasks.{NAME}.size?"
    )
