"""One point in a process of its own: what it says of a failure, and that cores and clones are one point's alone."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from dvc.repo import Repo

from ctrnn.sweep import runner
from ctrnn.sweep.checkout import Checkout


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "train@mante: network 0 (seed 1): converged after 75 iterations, 0.7 s\n"
            "train@mante: the loss of network 1 of mante is not finite at iteration 3; lower it\n"
            "ERROR: failed to reproduce 'train@mante': failed to run\n",
            "train@mante: the loss of network 1 of mante is not finite at iteration 3; lower it",
        ),
        (
            "Traceback (most recent call last):\nOSError: [Errno 28] No space left on device\n"
            "ERROR: failed to reproduce 'generate@mante'\n",
            "OSError: [Errno 28] No space left on device",
        ),
        (
            "report: 100%|██████████| 1/1 [00:06<00:00,  6.58s/task]\n"
            "ERROR: failed to reproduce 'report': [Errno 28] No space left on device\n",
            "ERROR: failed to reproduce 'report': [Errno 28] No space left on device",
        ),
        ("publish@mante: run 12ab (mante) created\nERROR: it broke\n", "ERROR: it broke"),
        ("", "no message"),
    ],
)
def test_a_failure_is_told_by_the_sentence_of_its_stage(said: str, told: str) -> None:
    assert runner.sentence(said) == told


def test_the_seconds_of_a_stage_end_where_the_next_begins() -> None:
    assert runner.by_stage([("a", 1.0), ("b", 3.5)], 4.0) == {"a": 2.5, "b": 0.5}


def test_a_lock_is_had_once_and_given_back(tmp_path: Path) -> None:
    with ExitStack() as first, ExitStack() as second:
        assert runner.taken(first, tmp_path / "0.lock")
        assert not runner.taken(second, tmp_path / "0.lock")
        first.close()
        assert runner.taken(second, tmp_path / "0.lock")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process")
def test_points_side_by_side_have_cores_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    before = os.sched_getaffinity(0)
    had = []
    with ExitStack() as held:
        for _ in before:
            held.enter_context(runner.claimed_cores(1))
            had.append(os.sched_getaffinity(0))
            os.sched_setaffinity(0, before)
    assert sorted(map(sorted, had)) == [[core] for core in sorted(before)]
    with runner.claimed_cores(len(before) + 1):  # so many are not there: it runs on what there is
        assert os.sched_getaffinity(0) == before


def test_a_clone_has_the_cache_of_the_checkout(tmp_path: Path) -> None:
    root, clone = tmp_path / "checkout", tmp_path / "clone"
    root.mkdir()
    runner.git(root, "init", "--quiet")
    Repo.init(str(root)).close()
    runner.make_clone(Checkout(root), clone)
    runner.git(root, "add", ".dvc")
    who = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    runner.git(root, *who, "commit", "--quiet", "--message", "all")
    runner.git(clone, "pull", "--quiet", str(root), "HEAD")
    with Repo(str(root)) as here, Repo(str(clone)) as there:
        assert there.cache.local.path == here.cache.local.path
