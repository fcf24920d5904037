"""One point in a process of its own: what it says of a failure, and that cores and clones are one point's alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from dvc.repo import Repo

from ctrnn.sweep import runner
from ctrnn.sweep.checkout import Checkout


def event(name: str, stage: str, **fields: Any) -> dict[str, Any]:
    return {"stage": stage, "event": name, **fields}


def test_a_failure_is_told_by_the_stage_that_failed() -> None:
    error = "train@mante: the loss of network 1 of mante is not finite at iteration 3; lower it"
    events = [
        event("started", "train@mante"),
        event("trained", "train@mante", network=0, seconds=0.7),
        event("failed", "train@mante", error=error),
    ]
    log = "train@mante: network 0 (seed 1): converged\nERROR: failed to reproduce 'train@mante'\n"
    assert runner.failed_stage(events, log) == ("train@mante", error)


@pytest.mark.parametrize(
    ("log", "failure"),
    [("one\nERROR: failed to push\n\n", "ERROR: failed to push"), ("", "no message")],
)
def test_where_no_stage_tells_of_a_failure_the_last_line_of_the_log_does(
    log: str, failure: str
) -> None:
    events = [event("started", "train@mante")]  # and killed
    assert runner.failed_stage(events, log) == (None, failure)


def test_a_line_of_events_that_was_torn_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "point.jsonl"
    assert runner.read_events(path) == []
    path.write_text('{"stage": "train", "event": "started"}\n{"stage": "tr')
    assert runner.read_events(path) == [event("started", "train")]


def test_a_lock_is_had_once_and_given_back(tmp_path: Path) -> None:
    with ExitStack() as first, ExitStack() as second:
        assert runner.try_lock(first, tmp_path / "0.lock")
        assert not runner.try_lock(second, tmp_path / "0.lock")
        first.close()
        assert runner.try_lock(second, tmp_path / "0.lock")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process")
def test_points_side_by_side_have_cores_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    before = os.sched_getaffinity(0)
    had = []
    with ExitStack() as held:
        for _ in before:
            held.enter_context(runner.pin_cores(1))
            had.append(os.sched_getaffinity(0))
            os.sched_setaffinity(0, before)
    assert sorted(map(sorted, had)) == [[core] for core in sorted(before)]
    with runner.pin_cores(len(before) + 1):  # so many are not there: it runs on what there is
        assert os.sched_getaffinity(0) == before


@pytest.fixture(params=["", "a project/"], ids=["alone", "in a larger repository"])
def checkout(tmp_path: Path, request: pytest.FixtureRequest) -> Checkout:
    """A DVC project of one stage, which fails where `tau` is 0; in a folder of its repository, too."""
    root = tmp_path / "a repository" / request.param
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").touch()
    (root / ".gitignore").write_text(".checkpoints\n/artifacts/\n")
    (root / "params.yaml").write_text("tau: 1\n")
    ended = '{"stage": "train@task", "event": "ended", "seconds": 2.5}'
    command = f"echo '{ended}' >> \"$CTRNN_STAGE_EVENTS\"; "
    command += "test ${tau} != 0 && mkdir -p artifacts/train/task && echo ${tau} > artifacts/train/task/out"
    stage = {"cmd": command, "params": ["tau"], "outs": ["artifacts/train/task"]}
    (root / "dvc.yaml").write_text(json.dumps({"stages": {"train": stage}}))
    runner.git(root.parent if request.param else root, "init", "--quiet")
    commit(root)
    return Checkout(root)


def commit(root: Path) -> None:
    runner.git(root, "add", "--all", ":/")
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    runner.git(root, *who, "commit", "--quiet", "--allow-empty", "--message", "all")


def run(checkout: Checkout, tau: int, earlier: str | None = None) -> dict[str, Any]:
    job = {"root": str(checkout.root), "commit": checkout.commit, "name": "one", "threads": 1}
    sets = [f"tau={tau}"]
    return runner.run({**job, "overrides": sets, "targets": [], "earlier": earlier})


def kept(checkout: Checkout) -> list[str]:
    """What experiments of the checkout have made of their setting, by their settings."""
    texts = (checkout.git("show", f"{ref}:./params.yaml") for ref in runner.refs(checkout.root))
    return sorted(text.strip() for text in texts)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the engine starts a point: this environment first, and somebody who commits."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@localhost")


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize("checkout", ["a project/"], indirect=True)
def test_a_point_leaves_its_experiment_in_the_checkout_in_place_of_earlier_ones(
    checkout: Checkout,
) -> None:
    commit = checkout.commit
    earlier = f"refs/exps/00/{'0' * 38}/one"  # of another commit
    for ref in (earlier, f"refs/exps/{commit[:2]}/{commit[2:]}/one"):
        checkout.git("update-ref", ref, commit)
    assert run(checkout, 0, earlier)["failure"] is not None
    assert kept(checkout) == ["tau: 1", "tau: 1"]  # nothing replaces them yet
    done = run(checkout, 2, earlier)
    assert done["failure"] is None
    assert done["stages"] == {"train@task": 2.5}
    assert done["ref"] in runner.refs(checkout.root)
    assert kept(checkout) == ["tau: 2"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize("checkout", [""], indirect=True)
def test_dvc_ends_with_a_runner_that_is_killed(checkout: Checkout) -> None:
    """As by Ray, whose worker kills its own child at its exit: the clone is free then, and DVC would go on in it."""
    (checkout.root / "dvc.yaml").write_text("stages: {train: {cmd: exec sleep 60, params: [tau]}}")
    commit(checkout.root)
    job = {"root": str(checkout.root), "commit": checkout.commit, "name": "one", "threads": 1}
    killed = subprocess.Popen(
        [sys.executable, "-m", "ctrnn.sweep.runner"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True, text=True,
    )  # fmt: skip
    assert killed.stdin
    with killed:
        killed.stdin.write(json.dumps({**job, "overrides": ["tau=2"], "targets": []}) + "\n")
        killed.stdin.flush()
        started: dict[str, psutil.Process] = {}
        deadline = time.monotonic() + 60
        while "sleep" not in started and time.monotonic() < deadline:
            children = psutil.Process(killed.pid).children(recursive=True)
            started = {child.name(): child for child in children}
            time.sleep(0.1)
        stage, dvc = started["sleep"], psutil.Process(started["sleep"].ppid())
        killed.kill()
    try:
        dvc.wait(20)
    finally:
        stage.kill()  # no stage of ours, which would have ended with DVC


def test_a_clone_has_the_cache_and_the_checkpoints_of_the_checkout(checkout: Checkout) -> None:
    with runner.claimed_clone(checkout, checkout.commit) as clone:
        assert (clone / "dvc.yaml").read_text() == (checkout.root / "dvc.yaml").read_text()
        assert (clone / ".checkpoints").resolve() == checkout.root / ".checkpoints"
        with Repo(str(checkout.root)) as here, Repo(str(clone)) as there:
            assert there.cache.local.path == here.cache.local.path


def test_a_moved_checkout_has_clones_of_its_own(tmp_path: Path, checkout: Checkout) -> None:
    with runner.claimed_clone(checkout, checkout.commit) as clone:
        (clone / "left").touch()
    shutil.copytree(tmp_path / "a repository", tmp_path / "copy", symlinks=True)
    copy = Checkout(tmp_path / "copy" / checkout.prefix)
    with runner.claimed_clone(copy, copy.commit) as clone, Repo(str(clone)) as repo:
        assert (clone / ".checkpoints").resolve() == copy.root / ".checkpoints"
        assert Path(repo.cache.local.path).is_relative_to(copy.root)
