"""What a run says it was computed with, also where git or a name is missing."""

from __future__ import annotations

import getpass
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from ctrnn.tracking import config, description, store


def repository(root: Path) -> str:
    """A repository with one commit; returns its name."""
    (root / "params.yaml").write_text("seed: 1\n")
    (root / "notes.txt").write_text("")
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "one")):
        subprocess.run(["git", "-C", root, *command], check=True)
    return subprocess.check_output(["git", "-C", root, "rev-parse", "HEAD"], text=True).strip()


def test_a_run_names_its_commit_and_changes_of_what_it_was_computed_from(tmp_path: Path) -> None:
    commit = repository(tmp_path)
    (tmp_path / "notes.txt").write_text("no source")
    clean = description.tags(tmp_path, "native on cpu")
    assert clean["git.commit"] == clean["mlflow.source.git.commit"] == commit
    assert clean["git.dirty"] == "false"
    assert clean["backend"] == "native on cpu"
    assert clean["version.python"] == platform.python_version()
    (tmp_path / "params.yaml").write_text("seed: 2\n")
    assert description.tags(tmp_path, "")["git.dirty"] == "true"


def test_without_git_or_outside_a_repository_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    outside = description.tags(tmp_path, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    for tags in (outside, description.tags(tmp_path, "")):
        assert (tags["git.commit"], tags["git.dirty"]) == ("none", "false")
        assert "mlflow.source.git.commit" not in tags


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def nobody() -> str:
        raise error("no such user")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert "mlflow.user" not in description.tags(tmp_path, "")


def test_a_package_that_is_not_installed_has_no_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", missing)
    assert description.tags(tmp_path, "")["version.torch"] == "none"


@pytest.mark.parametrize(
    ("said", "told"), [("echo a >&2; echo 'last words' >&2", "last words"), ("true", "no message")]
)
def test_an_upgrade_that_fails_is_one_sentence_and_keeps_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, told: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{said}\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    database = tmp_path / "mlflow.db"
    database.write_text("old")
    with pytest.raises(config.TrackingError, match=rf"could not be upgraded \({told}\); install"):
        store._upgrade(database, config.resolve(tmp_path))
    assert (tmp_path / "mlflow.db.before-upgrade").read_text() == "old"


def test_a_processor_is_told_by_its_model_or_else_its_architecture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(description, "CPUINFO", cpuinfo := tmp_path / "cpuinfo")
    architecture = platform.processor() or platform.machine()
    assert description.processor() == architecture
    cpuinfo.write_text("processor: 0\nvendor: x\n")
    assert description.processor() == architecture
    cpuinfo.write_text("model name\t: One: fast\nmodel name\t: Two\nmodel name\t: Three\n")
    assert description.processor() == "One: fast"
    monkeypatch.setattr(platform, "processor", lambda: "")
    cpuinfo.unlink()
    assert description.processor() == platform.machine()
