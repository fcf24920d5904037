"""The rooms of the library stand on floors: nobody imports upwards, and no modules import each other in a circle."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.pipeline.imports import SRC, imported, module_file

PACKAGE = SRC / "ctrnn"
# From the ground up. Rooms of one floor do not know each other, but for those in KNOWN.
FLOORS = (
    ("errors", "__init__"),  # the latter names the version, and reaches notebook only when asked
    ("core",),
    ("dynamics",),
    ("kernel",),
    ("tasks", "network"),
    ("training", "evaluation", "analysis", "figures"),
    ("params",),
    ("event_log", "lock"),
    ("report", "tracking", "repair"),
    ("sweep", "notebook"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# params checks the sections of rooms above it too, whose settings.py knows core and errors only.
SETTINGS = "settings.py"


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def edges() -> tuple[tuple[Path, Path], ...]:
    """Every module of the library and those of it that it imports, without the packages above these."""
    pairs = []
    for file in sorted(PACKAGE.rglob("*.py")):
        modules = {name: path for name in imported(file) if (path := module_file(name)) is not None}
        for name, path in modules.items():
            above = any(other.startswith(f"{name}.") for other in modules)
            if path != file and not above:
                pairs.append((file, path))
    return tuple(pairs)


def test_every_room_has_a_floor() -> None:
    assert {room_of(file) for file in PACKAGE.rglob("*.py")} - {"__pycache__"} == set(FLOOR)


def test_nobody_imports_upwards() -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {other.relative_to(PACKAGE)}"
        for file, other in edges()
        if room_of(file) != room_of(other)
        and FLOOR[room_of(other)] >= FLOOR[room_of(file)]
        and other.name != SETTINGS
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "room", [path.name for path in PACKAGE.iterdir() if (path / SETTINGS).exists()]
)
def test_the_settings_of_a_room_know_no_room_above_the_tasks(room: str) -> None:
    known = {room_of(other) for file, other in edges() if file == PACKAGE / room / SETTINGS}
    assert known <= {"errors", "core", "dynamics", "tasks", room}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph: dict[Path, set[Path]] = {}
    for file, other in edges():
        graph.setdefault(file, set()).add(other)
    done: set[Path] = set()

    def visit(file: Path, above: tuple[Path, ...]) -> None:
        assert file not in above, " -> ".join(
            str(path.relative_to(PACKAGE)) for path in (*above, file)
        )
        if file not in done:
            for other in sorted(graph.get(file, ())):
                visit(other, (*above, file))
            done.add(file)

    for file in graph:
        visit(file, ())


def test_mlflow_is_imported_by_the_tracking_of_runs_alone() -> None:
    users = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "mlflow" for name in names):
                users.add(room_of(file))
    assert users == {"tracking"}
