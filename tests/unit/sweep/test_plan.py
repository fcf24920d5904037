"""What is left of a sweep, and what it will take."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ctrnn.kernel import usable_cores
from ctrnn.sweep import plan as plans
from ctrnn.sweep.checkout import CODE, Checkout, Experiment
from ctrnn.sweep.plan import Point, points
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
    made = plans.plan(asked(checkout, "network.tau=10,20,0.5"), checkout, {}, set())
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
    made = plans.plan(asked(checkout, "network.tau=10,20"), checkout, {}, set())
    assert (made.seconds, made.bytes) == (200, 5e6)
    assert "10 MB of disk (as earlier points took)" in made.text()


def test_why_points_are_not_allowed_is_told_once_for_those_that_share_it(
    checkout: Checkout,
) -> None:
    some = asked(checkout, "network.p_inh=0.1,0.2,1.5", "network.tau=0.5,10")
    reasons = plans.plan(some, checkout, {}, set()).reasons()
    assert len(reasons) == 2
    assert reasons[0].startswith(
        "2 points not allowed: network.tau = 0.5 is shorter than network.dt"
    )
    assert reasons[1] == (
        "2 points not allowed: network.p_inh = 1.5 is not allowed; give a number at least 0 and at most 1"
    )


def test_of_many_reasons_the_first_are_told(checkout: Checkout) -> None:
    some = asked(checkout, "network.p_inh=0.2,2,3,4,5,6,7,8")
    reasons = plans.plan(some, checkout, {}, set()).reasons()
    assert len(reasons) == plans.SHOWN + 1
    assert reasons[-1] == "2 points not allowed for other values"


def test_a_point_is_done_when_all_its_tasks_are_published(checkout: Checkout) -> None:
    (point,) = asked(checkout, "network.tau=10")
    assert point.settings is not None
    done = Experiment(point.name, "ref", point.settings, {"go_nogo": "key"})
    assert plans.complete(point, done, {"key", "another"})
    assert not plans.complete(point, done, {"another"})
    assert not plans.complete(point, replace(done, keys={}), {"key"})


def test_an_experiment_of_other_settings_is_not_the_point_of_its_name(checkout: Checkout) -> None:
    point, other = asked(checkout, "network.tau=10,20")
    assert other.settings is not None
    done = Experiment(point.name, "ref", other.settings, {"go_nogo": "key"})
    assert not plans.complete(point, done, {"key"})


@pytest.mark.parametrize(("seconds", "words"), [(59.6, "60 s"), (150, "2.5 min"), (9000, "2.5 h")])
def test_a_duration_is_told_in_the_unit_that_suits(seconds: float, words: str) -> None:
    assert plans.duration(seconds) == words
