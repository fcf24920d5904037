"""What a stage imports of this project, read from the code."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"

# Modules that read and check all of params.yaml, word errors, or name the version. They end a stage or let it go on,
# and pass every value on as DVC records it: they can change no result, and are therefore no deps of any stage. Through
# them a stage imports the settings.py of every room, evaluation, and every analysis with its own; it depends on that of
# a room of which it imports more.
CHECKS = ("ctrnn/__init__.py", "ctrnn/errors.py", "ctrnn/params")


@cache
def code_files() -> tuple[str, ...]:
    """Every file of the library and of the stages, relative to the root."""
    files = [file for folder in ("src", "stages") for file in sorted((ROOT / folder).rglob("*"))]
    kept = [file for file in files if file.is_file() and "__pycache__" not in file.parts]
    return tuple(file.relative_to(ROOT).as_posix() for file in kept)


@cache
def closure(stage: str) -> frozenset[Path]:
    """Every file that can change a stage's result: its script and what that imports, relative to the root."""
    return closure_of((ROOT / "stages" / f"{stage}.py",))


def closure_of(files: Iterable[Path]) -> frozenset[Path]:
    """These files and what they import, without what only checks, relative to the root."""
    found: set[Path] = set()
    todo = list(files)
    while todo:
        file = todo.pop()
        if file not in found and not only_checks(file):
            found.add(file)
            todo += filter(None, map(module_file, imported(file)))
    rooms = {file.parent for file in found if file.is_relative_to(SRC)}
    found |= {room / "settings.py" for room in rooms if (room / "settings.py").exists()}
    return frozenset(file.relative_to(ROOT) for file in found)


def only_checks(file: Path) -> bool:
    """Whether a file is one of CHECKS, or in a folder of them."""
    return any(file.is_relative_to(SRC / check) for check in CHECKS)


def imported(file: Path) -> set[str]:
    """Names that a file imports, with the packages above them; also those it imports by importlib.

    A package that finds its modules by `modules_with` imports all of them.
    """
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
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "modules_with":
            package = ".".join(file.parent.relative_to(SRC).parts)
            names.update(f"{package}.{module.stem}" for module in file.parent.glob("*.py"))
    above = {".".join(name.split(".")[:depth]) for name in names for depth in range(1, 9)}
    return {name for name in names | above if name.split(".")[0] == "ctrnn"}


def module_file(name: str) -> Path | None:
    """File of a module of this project; None for others."""
    path = SRC.joinpath(*name.split("."))
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.exists():
            return candidate
    return None
