"""A file in dynamics/models/ that is no model ends every command in a sentence, and hinders no import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ctrnn.dynamics import models as package
from ctrnn.dynamics.models import ModelFileError, models
from tests.settings import FILE, settings

PARTS = (
    'STATES = {"x": "input current"}\n\ndef step(y, r, current, xi, p):\n    return {"x": y.x}\n'
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A second folder of models."""
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    models.cache_clear()
    yield tmp_path
    models.cache_clear()
    for name in ("mine", "yours"):
        sys.modules.pop(f"{package.__name__}.{name}", None)
        vars(package).pop(name, None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = (", "cannot be imported (SyntaxError: '(' was never closed (mine.py, line 1))"),
        ("import nowhere", "cannot be imported (ModuleNotFoundError: No module named 'nowhere')"),
        ("Parameter(1)", "cannot be imported (NameError: name 'Parameter' is not defined)"),
        (PARTS, "has no rate"),
        ("def rate(y, f, p): ...", "has no STATES and no step"),
        ("", "has no STATES and no step and no rate"),
    ],
)
def test_a_file_that_is_no_model_is_named_with_its_fault(
    text: str, fault: str, folder: Path
) -> None:
    (folder / "mine.py").write_text(text)
    with pytest.raises(ModelFileError) as refused:
        settings()
    remedy = "correct it, or take it out of the folder of models"
    assert str(refused.value) == f"mine.py {fault}; {remedy}"


def test_a_file_with_the_parts_of_a_model_is_one(folder: Path) -> None:
    (folder / "yours.py").write_text(f"{PARTS}\ndef rate(y, f, p):\n    return f(y.x)\n")
    assert models()["yours"].states == ("x",)


def test_a_stage_ends_in_one_line_at_a_file_that_is_no_model(tmp_path: Path) -> None:
    root = FILE.parent
    shutil.copytree(root / "src", tmp_path / "src")
    shutil.copy(FILE, tmp_path)
    (tmp_path / "src/ctrnn/dynamics/models/mine.py").write_text("x = (")
    done = subprocess.run(
        [sys.executable, root / "stages" / "generate.py", "xor"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": "src"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    start = "generate@xor: src/ctrnn/dynamics/models/mine.py cannot be imported (SyntaxError: "
    assert done.stderr.startswith(start) and done.stderr.count("\n") == 1
