"""Results of benchmarks say at which commit and on which CPU they were measured."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from benchmarks import record
from tests.settings import FILE

ROOT = FILE.parent


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with one commit, as the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("before")
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    for command in (("init", "-q"), ("add", "file"), (*who, "commit", "-qm", "first")):
        subprocess.run(["git", *command], check=True)
    return tmp_path


def head() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_results_are_written_with_their_commit_and_cpu_and_read_without(checkout: Path) -> None:
    record.write("step", [{"ms": 1.5}], "| ms |\n")
    written = json.loads((record.FOLDER / "step.json").read_text())
    assert head().startswith(written["commit"])
    assert written["cpu"] == record.cpu() != ""
    text = (record.FOLDER / "step.md").read_text()
    assert text.startswith(f"Measured at commit {written['commit']} on {record.cpu()}")
    assert record.read("step") == written["results"] == [{"ms": 1.5}]
    assert record.read("another") is None


def test_files_that_differ_from_the_commit_are_told(checkout: Path) -> None:
    (checkout / "file").write_text("after")
    assert record.measured_on()["commit"].endswith("-dirty")


@pytest.mark.parametrize(
    "file", sorted((ROOT / record.FOLDER).glob("*.json")), ids=lambda file: str(file.stem)
)
def test_committed_results_carry_commit_and_cpu_or_say_since_when_they_are_there(
    file: Path,
) -> None:
    results = json.loads(file.read_text())
    assert set(results) >= {"commit", "cpu", "cores", "results"}
    assert (results["commit"] and results["cpu"]) or re.search(r"in git since \w{7}", results["note"])  # fmt: skip


def test_no_benchmark_writes_its_results_by_itself() -> None:
    for script in (ROOT / "benchmarks").glob("*.py"):
        code = re.sub(r'"""(.*?)"""', "", script.read_text(), flags=re.DOTALL)
        assert script.stem == "record" or "reports/benchmarks" not in code, script.name
        assert script.stem == "record" or ".write_text(json" not in code, script.name
