"""`make repro` goes on where DVC alone would stumble over, or restore, what is damaged or not its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ctrnn.core import artifacts
from ctrnn.repair import ASIDE, repair
from tests.settings import settings

TASK = "mante"
LOCK = "schema: '2.0'\nstages:\n  report:\n    cmd: python stages/report.py\n"


SHORT = LOCK[:-8].encode()  # DVC runs what it does not name
TORN = [
    b"",
    b"schem",
    SHORT,
    LOCK.encode() + b"    a:\n  b",
    b"\xff\0",
    b"- 1",
    b"schema",
    b"[" * 5000,
]


@pytest.mark.parametrize("content", TORN)
def test_a_torn_lock_is_put_aside_unless_dvc_can_read_it(tmp_path: Path, content: bytes) -> None:
    lock, aside = tmp_path / "dvc.lock", tmp_path / ASIDE / "dvc.lock"
    lock.write_bytes(content)
    said = list(repair(tmp_path, settings()))
    if content == SHORT:
        assert said == []
        assert lock.read_bytes() == content
    else:
        assert said == [
            "dvc.lock was torn and is moved to .dvc/tmp/aside/dvc.lock; DVC writes it anew, from its cache where it can"
        ]
        assert not lock.exists()
        assert aside.read_bytes() == content


def test_what_is_put_aside_takes_the_place_of_nothing(tmp_path: Path) -> None:
    for number in ("", ".2", ".3"):
        (tmp_path / "dvc.lock").mkdir()
        assert f".dvc/tmp/aside/dvc.lock{number};" in next(repair(tmp_path, settings()))
    assert len(list((tmp_path / ASIDE).iterdir())) == 3


@pytest.mark.parametrize(("notes", "kept"), [("", False), ('{"read": {"a', False), ("{}", True)])
def test_a_torn_note_of_locks_is_put_aside(tmp_path: Path, notes: str, kept: bool) -> None:
    locks = tmp_path / ".dvc" / "tmp" / "rwlock"
    locks.parent.mkdir(parents=True)
    locks.write_text(notes)
    assert len(list(repair(tmp_path, settings()))) == (not kept)
    assert locks.exists() is kept


def test_only_results_of_a_task_that_is_gone_are_removed(tmp_path: Path) -> None:
    for task in ("xor", "mante"):
        artifacts.write_json(artifacts.folder("train", task, tmp_path) / "a.json", {})
        artifacts.write_json(artifacts.metrics_path("evaluate", task, tmp_path), {})
    (tmp_path / "reports" / "evaluate" / "my notes.md").write_text("")
    (tmp_path / "dvc.lock").write_text(LOCK)
    params = settings()
    fewer = {name: task for name, task in params.tasks.items() if name != "xor"}
    said = list(repair(tmp_path, params.model_copy(update={"tasks": fewer})))
    assert [sentence.split()[0] for sentence in said] == [
        "artifacts/train/xor",
        "reports/evaluate/xor.json",
    ]
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"a.json", "mante.json", "my notes.md", "dvc.lock"}
    assert not (tmp_path / "artifacts" / "train" / "xor").exists()


PLACES = [
    ".checkpoints", "artifacts", "artifacts/train", f"artifacts/train/{TASK}", "reports", "reports/evaluate",
    "reports/figures", f"reports/figures/{TASK}",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_file_where_a_folder_belongs_is_put_aside(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("notes")
    (said,) = repair(tmp_path, settings())
    assert said.startswith(f"{place} was a file and is moved to .dvc/tmp/aside/")
    assert not (tmp_path / place).exists()
    assert (tmp_path / ASIDE / Path(place).name).read_text() == "notes"


@pytest.mark.parametrize(
    "place",
    [f"artifacts/train/{TASK}/network-0.safetensors", f"reports/analyze/{TASK}.json", "reports/index.html"],
)  # fmt: skip
@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_not_a_file_where_one_belongs_is_put_aside(
    tmp_path: Path, place: str, make: Callable[[Path], None]
) -> None:
    (tmp_path / place).parent.mkdir(parents=True)
    make(tmp_path / place)
    (said,) = repair(tmp_path, settings())
    assert said.startswith(f"{place} was ")
    assert not (tmp_path / place).exists()


@pytest.mark.parametrize("place", [f"artifacts/train/{TASK}", f"reports/figures/{TASK}"])
def test_a_link_in_place_of_results_is_put_aside_and_what_it_leads_to_stays(
    tmp_path: Path, place: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("")
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).symlink_to(elsewhere)
    (said,) = repair(tmp_path, settings())
    assert said.startswith(f"{place} was a link to {elsewhere} and is moved to ")
    assert not (tmp_path / place).is_symlink()
    assert (elsewhere / "file").exists()


def test_results_may_lie_on_another_disk_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk" / "train").mkdir(parents=True)
    (tmp_path / "artifacts").symlink_to(tmp_path / "disk")
    (tmp_path / ".checkpoints").symlink_to(tmp_path / "disk")
    assert list(repair(tmp_path, settings())) == []


class Cache:
    """A checkout whose dvc.lock names artifacts/train/mante with one file, as DVC's cache holds it."""

    def __init__(self, root: Path, store: str = ".dvc/cache") -> None:
        self.root, self.store = root, root / store / "files" / "md5"
        self.out = f"artifacts/train/{TASK}"
        artifacts.write_json(artifacts.folder("train", TASK, root) / "a.json", {"x": 1})
        self.file = self.keep((root / self.out / "a.json").read_bytes())
        listing = json.dumps([{"md5": self.file.parent.name + self.file.name, "relpath": "a.json"}])
        self.listing = self.keep(listing.encode(), ".dir")
        name = self.listing.parent.name + self.listing.name
        stages = {f"train@{TASK}": {"outs": [{"path": self.out, "hash": "md5", "md5": name}]}}
        (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))

    def keep(self, content: bytes, suffix: str = "") -> Path:
        name = hashlib.md5(content).hexdigest() + suffix
        path = self.store / name[:2] / name[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o444)
        return path

    def damage(self, path: Path) -> bytes:
        content = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
        path.chmod(0o444)
        return content


def test_a_damaged_file_in_dvcs_cache_is_put_aside(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    shutil.rmtree(tmp_path / "artifacts")
    assert list(repair(tmp_path, settings())) == []
    cache.damage(cache.file)
    (said,) = repair(tmp_path, settings())
    assert said.startswith(f"{cache.out}/a.json was damaged in DVC's cache and is moved to ")
    assert not cache.file.exists()
    cache.damage(cache.listing)
    (said,) = repair(tmp_path, settings())
    assert said.startswith(f"{cache.out} was damaged in DVC's cache and is moved to ")
    assert not cache.listing.exists()
    assert list(repair(tmp_path, settings())) == []


def test_a_damaged_file_in_dvcs_cache_is_mended_from_the_one_at_work(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    content = cache.damage(cache.file)
    (said,) = repair(tmp_path, settings())
    assert said == f"{cache.out}/a.json was damaged in DVC's cache and is copied there again"
    assert cache.file.read_bytes() == content
    assert cache.file.stat().st_mode & 0o777 == 0o444
    assert list(repair(tmp_path, settings())) == []


def test_dvcs_cache_may_lie_elsewhere(tmp_path: Path) -> None:
    cache = Cache(tmp_path, "disk")
    shutil.rmtree(tmp_path / "artifacts")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config.local").write_text("[cache]\n    dir = ../disk\n")
    cache.damage(cache.file)
    assert len(list(repair(tmp_path, settings()))) == 1
    assert not cache.file.exists()


def test_what_was_found_whole_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cache(tmp_path)
    assert list(repair(tmp_path, settings())) == []
    monkeypatch.delattr(hashlib, "file_digest")
    assert list(repair(tmp_path, settings())) == []
