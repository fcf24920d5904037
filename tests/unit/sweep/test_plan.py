"""What is left of a sweep, and what it will take."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ctrnn.kernel import usable_cores
from ctrnn.sweep import plan as plans
from ctrnn.sweep.checkout import CODE, Checkout, Experiment
from ctrnn.sweep.points import Point, points
from tests.settings import FILE

SMALL = ["network.n_units=16", "train.n_networks=1", "train.max_iterations=50"]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A git checkout with nothing in it that runs."""
    (tmp_path / "params.yaml").write_text(FILE.read_text())
    for part in CODE:
        (tmp_path / part).mkdir()
        (tmp_path / part / "file").touch()
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    for command in (("init", "--quiet"), ("add", "--all"), (*who, "commit", "--quiet", "-m", "x")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return Checkout(tmp_path)


def asked(checkout: Checkout, *sets: str) -> list[Point]:
    return points([*SMALL, *sets], ["go_nogo"], checkout.root)


def test_without_experiments_everything_is_to_run_but_what_is_not_allowed(
    checkout: Checkout,
) -> None:
    made = plans.plan(asked(checkout, "network.tau=10,20,0.5"), checkout, set())
    assert ([len(made.todo), len(made.cached), len(made.refused)]) == [2, 0, 1]
    assert made.threads * made.at_once <= usable_cores()
    assert made.longest > 0
    assert made.text().startswith("3 points: 0 cached, 2 to run, 1 not allowed")
    assert "at most" in made.text()


def test_what_points_took_tells_what_the_next_ones_will(checkout: Checkout) -> None:
    path = checkout.record("some")
    path.parent.mkdir(parents=True)
    for name, seconds in (("a", 100), ("b", 300), ("c", 200)):
        record = {"seconds": seconds, "bytes": 5e6, "tasks": ["go_nogo"]}
        path.with_name(f"{name}.json").write_text(json.dumps(record))
    path.with_name("other.json").write_text(json.dumps(record | {"seconds": 9, "tasks": ["xor"]}))
    path.with_name("torn.json").write_text("{")
    made = plans.plan(asked(checkout, "network.tau=10,20"), checkout, set())
    assert (made.seconds, made.bytes) == (200, 5e6)
    assert "10 MB of disk (as earlier points took)" in made.text()


def test_a_point_is_done_when_all_its_tasks_are_published(checkout: Checkout) -> None:
    (point,) = asked(checkout, "network.tau=10")
    done = Experiment(point.name, "ref", {"go_nogo": "key"})
    assert plans.complete(point, done, {"key", "another"})
    assert not plans.complete(point, done, {"another"})
    assert not plans.complete(point, Experiment(point.name, "ref", {}), {"key"})


@pytest.mark.parametrize(("seconds", "words"), [(59.6, "60 s"), (150, "2.5 min"), (9000, "2.5 h")])
def test_a_duration_is_told_in_the_unit_that_suits(seconds: float, words: str) -> None:
    assert plans.duration(seconds) == words
