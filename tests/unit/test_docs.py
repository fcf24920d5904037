"""The pages of docs/: they build strictly without a network, and the page of settings is complete."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from ctrnn import params
from tests.pipeline.contract import leaves
from tests.settings import FILE
from tools.docs_pages import settings_page

ROOT = FILE.parent
REQUEST = re.compile(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?:https?:)?//")


def test_the_page_of_settings_has_every_shipped_setting_once_with_what_is_allowed() -> None:
    rows = re.findall(r"^\| `(\S+)` \| `(.*)` \| (.+) \| .* \|$", settings_page(), re.MULTILINE)
    shipped = params.read(FILE)
    tasks = {name: task.model_dump() for name, task in shipped.tasks.items()}
    assert sorted(key for key, _, _ in rows) == sorted(
        leaves({**shipped.model_dump(), "tasks": tasks})
    )
    words = {key: words for key, _, words in rows}
    assert words["network.p_inh"] == "a number at least 0 and at most 1"


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
