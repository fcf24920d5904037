"""A params.yaml of somebody else is safe to run: names of tasks reach no shell, and no folder but a stage's own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo

from ctrnn import params
from ctrnn.errors import ParamsError
from ctrnn.tasks.settings import TaskSettings
from tests.pipeline.imports import ROOT

SHELL = [  # each would make a file `x` if a shell read it
    "go_nogo; touch x #",
    "`touch x`",
    "$(touch x)",
    "a'; touch x; '",
    'a"; touch x; "',
    '\\"; touch x #',
    "a\ntouch x\n",
    "| touch x",
]
PATHS = [
    "../../src",
    "a/../../../src",
    "../../../outside",
    "../../.dvc/cache",
    "..",
    "../train/xor",
]
REFUSED = [
    "../../src",
    "go_nogo/../../../src",
    "../../reports/figures",
    "../train",
    "..",
    ".",
    "",
    "a/b",
    "../train/xor",
    "../analyze/xor",
    "y/../../train/xor",
    "../../artifacts/train/xor",
    "../../artifacts/train/xor/SHA256SUMS",
    "../../artifacts/train/xor/network-0.safetensors",
    "../../../project/artifacts/train/xor/SHA256SUMS",
    "../../reports/train/xor",
]

pytestmark = pytest.mark.filterwarnings("ignore")  # of DVC's own imports


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A DVC project with the pipeline as it is; its stage generate only fails."""
    (tmp_path / "outside").mkdir()
    made = tmp_path / "project"
    made.mkdir()
    for file in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / file, made)
    for part in ("src", "stages"):
        shutil.copytree(ROOT / part, made / part)
    (made / "stages" / "generate.py").write_text("raise SystemExit(1)\n")
    Repo.init(str(made), no_scm=True).close()
    (made / ".dvc" / "cache").mkdir()
    monkeypatch.chdir(made)  # where DVC looks for dvc.yaml
    return made


def name_tasks(folder: Path, names: list[str]) -> None:
    """A params.yaml with the section of go_nogo under these names."""
    raw: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    told = {**raw, "tasks": dict.fromkeys(names, raw["tasks"]["go_nogo"])}
    (folder / "params.yaml").write_text(yaml.safe_dump(told))


def repro(folder: Path, names: list[str]) -> None:
    """`dvc repro --keep-going` with tasks of these names."""
    name_tasks(folder, names)
    with Repo(str(folder)) as repo:
        repo.reproduce(on_error="keep-going")


@pytest.mark.parametrize("name", sorted({*SHELL, *PATHS, *REFUSED, "./xor", "y/../xor", " xor"}))
def test_no_such_name_is_a_task(name: str) -> None:
    raw: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    with pytest.raises(ParamsError, match=r"^tasks\..* is not a task; .*$"):
        params.check({**raw, "tasks": {name: raw["tasks"]["xor"]}})


def test_no_shell_reads_the_name_of_a_task(folder: Path) -> None:
    (
        folder / ".dvcignore"
    ).unlink()  # which refuses some of these names before they come to a shell
    with pytest.raises(DvcException, match="failed to reproduce"):
        repro(folder, SHELL)
    assert list(folder.rglob("x")) == []


@pytest.mark.parametrize("name", PATHS)
def test_the_name_of_a_task_leads_no_stage_to_another_folder(folder: Path, name: str) -> None:
    with pytest.raises(DvcException):
        repro(folder, [name])
    assert (folder / "src" / "ctrnn" / "__init__.py").exists()
    assert (folder / ".dvc" / "cache").exists()
    assert (folder.parent / "outside").exists()


@pytest.mark.parametrize("name", REFUSED)
def test_a_forced_checkout_removes_nothing_where_the_name_of_a_task_is_a_path(
    folder: Path, name: str
) -> None:
    places = ("artifacts/generate/xor", "artifacts/train/xor", "reports/figures/xor")
    files = ("SHA256SUMS", "network-0.safetensors")
    kept = [folder / place / file for place in places for file in files]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    name_tasks(folder, [name, "go_nogo"])
    with Repo(str(folder)) as repo, pytest.raises((DvcException, AssertionError)):
        repo.checkout(force=True)
    assert all(path.exists() for path in kept)
    assert (folder / "src" / "ctrnn" / "__init__.py").exists()


def test_dvc_ignores_no_result_of_a_task() -> None:
    with Repo(str(ROOT)) as repo:
        for task in (*TaskSettings.registry, "Task_2"):
            for out in (f"reports/train/{task}.csv", f"artifacts/train/{task}/history.csv",
                        f"artifacts/train/{task}/a/b.csv", f"artifacts/train/{task}/x.json"):  # fmt: skip
                assert not repo.dvcignore.is_ignored_file(str(ROOT / out)), out


def test_no_command_of_the_pipeline_holds_a_setting() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert not [name for name, stage in stages.items() if "${" in stage.get("do", stage)["cmd"]]
