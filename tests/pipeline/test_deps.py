"""A stage of dvc.yaml depends on exactly the modules that it imports: no result goes stale, none is redone."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def definition(stage: str) -> dict[str, Any]:
    found: dict[str, Any] = STAGES[stage].get("do", STAGES[stage])
    return found


def module_file(name: str) -> Path | None:
    """File of a module of this project; None for others."""
    path = SRC.joinpath(*name.split("."))
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.exists():
            return candidate
    return None


def imported(file: Path) -> set[str]:
    """Names that a file imports, with the packages above them; also those it imports by importlib."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file} imports relatively"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            names.update(str(arg.value) for arg in node.args if isinstance(arg, ast.Constant))
    above = {".".join(name.split(".")[:depth]) for name in names for depth in range(1, 9)}
    return {name for name in names | above if name.split(".")[0] == "ctrnn"}


def closure(stage: str) -> set[Path]:
    """Every file of the project that a stage's script imports, itself included."""
    files: set[Path] = set()
    todo = [ROOT / "stages" / f"{stage}.py"]
    while todo:
        file = todo.pop()
        if file not in files:
            files.add(file)
            todo += filter(None, map(module_file, imported(file)))
    return {file.relative_to(ROOT) for file in files}


def code_deps(stage: str) -> set[Path]:
    return {Path(dep) for dep in definition(stage)["deps"] if dep.startswith(("src/", "stages/"))}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_every_imported_module_is_a_dep(stage: str) -> None:
    deps = code_deps(stage)
    missing = {file for file in closure(stage) if not deps & {file, *file.parents}}
    assert not missing


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_every_dep_is_imported(stage: str) -> None:
    files = closure(stage)
    reached = files | {parent for file in files for parent in file.parents}
    assert not code_deps(stage) - reached


def test_the_import_closure_sees_what_it_should() -> None:
    assert Path("src/ctrnn/kernel/run.py") in closure("train")
    assert Path("src/ctrnn/tasks/mante.py") in closure("publish")  # params imports tasks by name
    assert not any("analysis" in file.parts for file in closure("train"))


def test_dvc_is_told_of_every_setting_of_train_that_decides_a_result() -> None:
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]
    told = {key.removeprefix("train.") for key in definition("train")["params"] if "train." in key}
    assert set(settings) - told == {"threads", "checkpoint_every"}
