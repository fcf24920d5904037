"""The pages of docs/: they build strictly without a network, and the page of settings is complete."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ctrnn.core.config import flatten
from ctrnn.errors import keys_of
from ctrnn.params import Params
from tests.settings import FILE, settings
from tests.unit.test_floors import FLOOR, edges, room_of
from tools import docs_pictures
from tools.docs_pages import settings_page

ROOT = FILE.parent
REQUEST = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?:https?:)?//")


ROW = re.compile(r"^\| `(\S+)` \| (?:`(.*)`)? \| (.+) \| (.*) \|$", re.MULTILINE)


def test_the_page_of_settings_has_every_setting_once_with_what_is_allowed() -> None:
    rows = {key: (shipped, words) for key, shipped, words, _ in ROW.findall(settings_page())}
    every = settings()  # with the tasks of experiments/tasks.yaml
    tasks = {name: task.model_dump() for name, task in every.tasks.items()}
    keys = flatten({**every.model_dump(), "tasks": tasks})
    assert sorted(key for key, (shipped, _) in rows.items() if shipped) == sorted(keys)
    assert len(ROW.findall(settings_page())) == len(rows)
    assert rows["network.p_inh"] == ("0.2", "a number at least 0 and at most 1")


def test_the_page_of_settings_has_the_keys_of_what_may_be_a_section() -> None:
    rows = {key for key, *_ in ROW.findall(settings_page())}
    assert {key for key in keys_of(Params) if not key.startswith("tasks.")} - {
        "tasks", "network", "train", "train.trainable", "train.penalties", "evaluate", "analyze",
        "analyze.fixed_points", "analyze.roles", "analyze.lesions", "analyze.generalisation",
        "analyze.memory", "report", "publish",
    } <= rows  # fmt: skip
    assert "train.early_abandon.after" in rows and "network.p_rec.ei" in rows


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="the extra docs is not installed")
def test_the_pages_build_strictly_and_ask_no_network(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        str(tmp_path / "site"),
    ]
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "", "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert {page.stem for page in pages} >= {
        page.stem for page in (ROOT / "docs").rglob("*.md")
    } | {"settings"}
    for page in pages:
        assert not REQUEST.search(page.read_text(encoding="utf-8")), page.name


def test_the_graph_of_the_architecture_page_is_that_of_the_imports() -> None:
    known: dict[str, set[str]] = {room: set() for room in FLOOR if room != "__init__"}
    for file, other in edges():
        room, below = room_of(file), room_of(other)
        settings_alone = room == "params" and FLOOR[below] > FLOOR["tasks"]  # the page says so
        if room != below and below != "__init__" and not settings_alone:
            known[room].add(below)
    lines = [
        f"{FLOOR[room]}      {room:<12}{', '.join(sorted(of)) or '-'}" for room, of in known.items()
    ]
    graph = "\n".join(["```", "floor  folder      imports", *lines, "```"])
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    assert graph in page, f"the page should have\n{graph}"


def test_the_page_of_the_kernel_names_what_the_code_has() -> None:
    page = (ROOT / "docs" / "explanation" / "kernel.md").read_text()
    kernel = ROOT / "src" / "ctrnn" / "kernel"
    code = "\n".join(file.read_text() for file in kernel.iterdir() if file.suffix in (".c", ".py"))
    named = re.findall(r"`(\w+)`", page)
    lacking = [name for name in named if not re.search(rf"\b{name}\b", code)]
    tests = {file.name for file in (ROOT / "tests" / "unit" / "kernel").iterdir()}
    assert set(re.findall(r"test_\w+\.py", page)) <= tests
    assert lacking == []
    for constant, value in (("LANES", 32), ("ROWS", 8), ("STEPS", 6), ("COLUMNS", 40)):
        assert re.search(rf"\b{constant} = \(?\s*{value}\b", code), constant


def test_every_picture_is_as_it_was_made_and_from_what_there_is_now() -> None:
    made = json.loads(docs_pictures.MADE_FROM.read_text())
    sources = docs_pictures.sources()
    assert {file.name for file in docs_pictures.PICTURES.glob("*.png")} == made.keys()
    remedy = "make docs-pictures makes it again"
    for name, noted in made.items():
        content = (docs_pictures.PICTURES / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == noted["sha256"], f"{name}: {remedy}"
        assert noted["made_from"] == sources[name], f"{name}: {remedy}"


def test_every_picture_is_shown_on_a_page_and_every_picture_of_a_page_is_there() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {
        (page.parent / path).resolve()
        for page in pages
        for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page.read_text())
    }
    assert shown == set((ROOT / "docs").rglob("*.png"))
