"""`make repro` goes on where DVC alone would stumble over a torn file or over a task that is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ctrnn import artifacts
from ctrnn.tidy import tidy
from tests.settings import settings

LOCK = "schema: '2.0'\nstages:\n  report:\n    cmd: python stages/report.py\n"


@pytest.mark.parametrize("torn", ["", "schem", LOCK[:-8], LOCK + "    a:\n  b"])
def test_a_torn_lock_is_removed_unless_dvc_can_read_it(tmp_path: Path, torn: str) -> None:
    lock = tmp_path / "dvc.lock"
    lock.write_text(torn)
    said = list(tidy(tmp_path, settings()))
    readable = torn == LOCK[:-8]  # a shorter lock: DVC runs what it does not name
    assert lock.exists() is readable
    assert said == ([] if readable else [said[0]])


@pytest.mark.parametrize(("notes", "kept"), [("", False), ('{"read": {"a', False), ("{}", True)])
def test_a_torn_note_of_locks_is_removed(tmp_path: Path, notes: str, kept: bool) -> None:
    locks = tmp_path / ".dvc" / "tmp" / "rwlock"
    locks.parent.mkdir(parents=True)
    locks.write_text(notes)
    assert len(list(tidy(tmp_path, settings()))) == (not kept)
    assert locks.exists() is kept


def test_only_results_of_a_task_that_is_gone_are_removed(tmp_path: Path) -> None:
    for task in ("xor", "mante"):
        artifacts.write_json(artifacts.folder("train", task, tmp_path) / "a.json", {})
        artifacts.write_json(artifacts.metrics_path("evaluate", task, tmp_path), {})
    (tmp_path / "reports" / "evaluate" / "my notes.md").write_text("")
    (tmp_path / "dvc.lock").write_text(LOCK)
    params = settings()
    fewer = {name: task for name, task in params.tasks.items() if name != "xor"}
    said = list(tidy(tmp_path, params.model_copy(update={"tasks": fewer})))
    assert [sentence.split()[0] for sentence in said] == [
        "artifacts/train/xor",
        "reports/evaluate/xor.json",
    ]
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"a.json", "mante.json", "my notes.md", "dvc.lock"}
    assert not (tmp_path / "artifacts" / "train" / "xor").exists()
