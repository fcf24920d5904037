"""What `ctrnn sweep` refuses before anything runs, and what it tells of points without results."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ctrnn.sweep import command
from ctrnn.sweep.checkout import Checkout, SweepError


@pytest.mark.parametrize(
    "name",
    [
        "../../x", "a/b", "", ".", "..", "...", ".hidden", "a.", "-v", "--", " ", "a ", "a\\b", "a\nb", "a\n",
        "a\0b", "\x1b[31m", "\udcff", "x" * 101, "é" * 51, "~", "$HOME", "a:b", "a*",
    ],
)  # fmt: skip
def test_a_name_that_is_no_folder_of_sweeps_is_refused(name: str) -> None:
    with pytest.raises(SweepError, match="is not the name of a sweep; give letters") as refused:
        command.check_name(name)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("name", [None, "first", "p_inh-tau-3ca78f", "größer 2", "a.b", "x" * 100])
def test_other_names_are_taken(name: str | None) -> None:
    command.check_name(name)


def test_a_wrong_name_is_refused_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # which is no checkout
    with pytest.raises(SystemExit, match=r"^sweep: --name '\.\./x' is not the name of a sweep"):
        command.main(["sweep", "-S", "seed=1,2", "--name=../x"])
    assert not list(tmp_path.iterdir())


def test_a_second_sweep_of_a_name_is_refused_while_the_first_runs(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    with command.alone(checkout, "first"):
        with pytest.raises(SweepError, match="a sweep first is running; wait"):
            command.alone(Checkout(tmp_path), "first").__enter__()
        with command.alone(checkout, "second"):
            pass
    with command.alone(checkout, "first"):
        pass


def test_a_made_name_has_room_for_many_axes(tmp_path: Path) -> None:
    axes = {"network.a" + "b" * i: [1] for i in range(30)}
    name = command.named(axes, [])
    command.check_name(name)


def test_tasks_without_results_are_told_with_their_point() -> None:
    points = [{"name": name} for name in ("whole", "half", "none")]
    rows = pd.DataFrame(
        {"experiment": ["whole", "whole", "half"], "task": ["mante", "dmts", "mante"]}
    )
    described = {"points": points, "tasks": ["mante", "dmts"]}
    assert command.without_results(described, rows) == ["half (dmts)", "none"]
