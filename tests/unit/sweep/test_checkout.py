"""The finished experiments of a checkout, as git holds them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ctrnn.sweep.checkout import Checkout, keys_of
from tests.tracked import REPOSITORY

LOCK = REPOSITORY / "dvc.lock"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with code and a lock, both committed."""
    for part in ("src", "stages"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "code.py").write_text("1\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    shutil.copy(LOCK, tmp_path)
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(root: Path, *command: str) -> str:
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    return subprocess.run(
        ["git", *who, *command], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(root: Path) -> str:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "all")
    return git(root, "rev-parse", "HEAD")


def experiment(root: Path, name: str) -> None:
    """What the working tree holds becomes an experiment of HEAD, which stays where it is."""
    head = git(root, "rev-parse", "HEAD")
    git(root, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", commit(root))
    git(root, "reset", "--quiet", "--hard", head)


def test_experiments_have_the_keys_of_their_own_locks(root: Path) -> None:
    locks = {f"p_inh{i}": LOCK.read_text().replace("p_inh: 0.2", f"p_inh: 0.{i}") for i in (3, 45)}
    for name, text in locks.items():
        (root / "dvc.lock").write_text(text)
        experiment(root, name)
    found = Checkout(root).experiments()
    assert {name: one.keys for name, one in found.items()} == {
        name: keys_of(text) for name, text in locks.items()
    }
    assert set(Checkout(root).experiments({"p_inh3", "not there"})) == {"p_inh3"}
    assert len({one.keys["mante"] for one in found.values()}) == 2


def test_an_experiment_of_other_code_is_not_one_of_this_checkout(root: Path) -> None:
    (root / "src" / "code.py").write_text("2\n")
    experiment(root, "other")
    assert Checkout(root).experiments() == {}
