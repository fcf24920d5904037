"""The finished experiments of a checkout, as git holds them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ctrnn import lock
from ctrnn.sweep.checkout import Checkout, SweepError, keys_of
from tests.tracked import REPOSITORY

SETTINGS = yaml.load((REPOSITORY / "params.yaml").read_text(), Loader=lock.FAST)
TASKS = ("mante", "dmts")  # of an experiment; the commit has two more


def locked(p_inh: float, tasks: Iterable[str] = SETTINGS["tasks"]) -> dict[str, Any]:
    """Entries of a dvc.lock."""
    return {
        f"{stage}@{task}": {"cmd": f"{stage} {task}", "params": {"network.p_inh": p_inh}}
        for task in tasks
        for stage in lock.STAGES
    }


@pytest.fixture(params=["", "a project/"], ids=["alone", "in a larger repository"])
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A checkout with code, settings and a lock, all committed; in a folder of its repository, too."""
    root: Path = tmp_path / request.param
    for part in ("src", "stages"):
        (root / part).mkdir(parents=True)
        (root / part / "code.py").write_text("1\n")
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "params.yaml").write_text(json.dumps(SETTINGS))
    (root / "dvc.lock").write_text(lock.as_text(locked(0.2)))
    (tmp_path / "other file").touch()
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return root


def git(root: Path, *command: str) -> str:
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    return subprocess.run(
        ["git", *who, *command], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(root: Path) -> str:
    git(root, "add", "--all", ":/")
    git(root, "commit", "--quiet", "--message", "all")
    return git(root, "rev-parse", "HEAD")


def experiment(root: Path, name: str, p_inh: float, baseline: str = "") -> None:
    """An experiment of HEAD, or of another commit, with two of the tasks: as `dvc exp run -S ~tasks.xor ...` leaves it.

    Its lock has new entries of its tasks, and those of the commit for the other tasks.
    """
    network = {**SETTINGS["network"], "p_inh": p_inh}
    tasks = {task: SETTINGS["tasks"][task] for task in TASKS}
    settings = json.dumps({**SETTINGS, "network": network, "tasks": tasks})
    (root / "params.yaml").write_text(f"# µ is not ASCII\n{settings}")
    (root / "dvc.lock").write_text(lock.as_text({**locked(0.2), **locked(p_inh, TASKS)}))
    kept(root, name, baseline)


def kept(root: Path, name: str, baseline: str = "") -> None:
    """What the working tree holds becomes an experiment of HEAD, which stays where it is, or of another commit."""
    head = git(root, "rev-parse", "HEAD")
    baseline = baseline or head
    git(root, "update-ref", f"refs/exps/{baseline[:2]}/{baseline[2:]}/{name}", commit(root))
    git(root, "reset", "--quiet", "--hard", head)


def test_an_experiment_has_its_own_settings_and_the_keys_of_its_own_tasks(root: Path) -> None:
    for name, p_inh in (("three", 0.3), ("four", 0.4)):
        experiment(root, name, p_inh)
    experiments = Checkout(root).experiments()
    assert set(experiments) == {"three", "four"}
    for name, p_inh in (("three", 0.3), ("four", 0.4)):
        assert experiments[name].settings.network.p_inh == p_inh
        assert set(experiments[name].settings.tasks) == set(TASKS)
        chains = {task: lock.chain_of(locked(p_inh), task) for task in TASKS}
        assert experiments[name].keys == {
            task: lock.content_key(chain) for task, chain in chains.items()
        }


def test_experiments_are_looked_for_by_name(root: Path) -> None:
    experiment(root, "one", 0.3)
    experiment(root, "other", 0.4)
    assert set(Checkout(root).experiments({"other", "not there"})) == {"other"}


def test_of_two_of_one_name_the_experiment_of_this_commit_counts(root: Path) -> None:
    experiment(root, "one", 0.3)
    for baseline in ("0" * 40, "f" * 40):  # before and after it in a list
        experiment(root, "one", 0.4, baseline)
    assert Checkout(root).experiments()["one"].settings.network.p_inh == 0.3


def test_an_experiment_of_other_code_is_not_one_of_this_checkout(root: Path) -> None:
    (root / "src" / "code.py").write_text("2\n")
    experiment(root, "other", 0.3)
    assert Checkout(root).experiments() == {}


def test_an_experiment_without_a_lock_or_with_a_torn_one_is_not_finished(root: Path) -> None:
    (root / "dvc.lock").unlink()
    kept(root, "without")
    (root / "dvc.lock").write_text("{\n")
    kept(root, "torn")
    (root / "params.yaml").write_text("seed: 1\n")
    kept(root, "without_settings")
    experiment(root, "whole", 0.3)
    assert [name for name, own in Checkout(root).experiments().items() if own.keys] == ["whole"]


def test_a_task_that_lacks_an_entry_has_no_key() -> None:
    entries = locked(0.2)
    del entries["evaluate@mante"]
    assert set(keys_of(lock.as_text(entries), ["mante", "xor"])) == {"xor"}


def test_what_is_not_committed_is_named_with_its_path(root: Path) -> None:
    (root / "src" / "code.py").write_text("2\n")
    with pytest.raises(SweepError, match=r"^src/code\.py is not committed"):
        Checkout(root).commit  # noqa: B018
