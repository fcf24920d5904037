"""What a sweep is asked for: every combination, by a name that its settings decide; wrong keys before anything runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ctrnn.errors import ParamsError
from ctrnn.sweep.checkout import SweepError
from ctrnn.sweep.plan import labels, points
from tests.settings import FILE


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(FILE, tmp_path / "params.yaml")
    return tmp_path


def test_every_combination_is_a_point_with_its_values_and_settings(root: Path) -> None:
    made = points(["network.p_inh=0.1,0.2", "network.tau=10,20,50", "seed=7"], ["mante"], root)
    assert [tuple(point.chosen.values()) for point in made] == [
        (p_inh, tau) for p_inh in (0.1, 0.2) for tau in (10, 20, 50)
    ]
    for point in made:
        assert point.settings is not None
        assert point.settings.network.p_inh == point.chosen["network.p_inh"]
        assert point.settings.network.tau == point.chosen["network.tau"]
        assert point.settings.seed == 7
        assert list(point.settings.tasks) == ["mante"]


def test_a_range_is_as_good_as_a_list(root: Path) -> None:
    assert [p.chosen["seed"] for p in points(["seed=range(1,4)"], [], root)] == [1, 2, 3]


def test_a_name_is_decided_by_what_decides_results(root: Path) -> None:
    (first,) = points(["network.p_inh=0.1"], ["mante"], root)
    (again,) = points(["network.p_inh=0.10", "train.threads=2"], ["mante"], root)
    others = [
        points(["network.p_inh=0.2"], ["mante"], root)[0],
        points(["network.p_inh=0.1"], ["mante", "dmts"], root)[0],
        points(["network.p_inh=0.1", "seed=2"], ["mante"], root)[0],
    ]
    assert first.name == again.name
    assert len({first.name, *(other.name for other in others)}) == 4


def test_a_setting_that_only_one_task_has_is_in_the_name(root: Path) -> None:
    names = {
        points([f"tasks.mante.evidence={evidence}"], ["mante"], root)[0].name
        for evidence in ([0.5], [0.25])
    }
    assert len(names) == 2


def test_params_as_dvc_writes_them_are_read(root: Path) -> None:
    path = root / "params.yaml"
    path.write_text(path.read_text().replace("learning_rate: 0.003", "learning_rate: 1e-05"))
    (point,) = points([], ["mante"], root)
    assert point.settings is not None
    assert point.settings.train.learning_rate == 1e-5


def test_a_name_is_legal_for_git(root: Path) -> None:
    made = points(["network.p_rec=0.1,{ee: 0.1, ei: 0.4, ie: 0.4, ii: 0.4}"], [], root)
    assert len(made) == 2
    for point in made:
        assert re.fullmatch(r"p_rec[A-Za-z0-9_.]*[A-Za-z0-9_]-[0-9a-f]{8}", point.name)


def test_axes_that_end_alike_are_told_by_their_whole_keys(root: Path) -> None:
    made = points(["tasks.mante.T=500,600", "tasks.dmts.T=300,400"], [], root)
    assert labels({"tasks.mante.T": 1, "tasks.dmts.T": 2, "network.tau": 3}) == {
        "tasks.mante.T": "tasks.mante.T",
        "tasks.dmts.T": "tasks.dmts.T",
        "network.tau": "tau",
    }
    assert len({point.name for point in made}) == 4


def test_figures_are_drawn_where_they_are_asked_for(root: Path) -> None:
    for sets, wanted in (([], False), (["report.figures=true"], True)):
        (point,) = points(sets, ["mante"], root)
        assert point.settings is not None
        assert point.settings.report.figures is wanted


def test_a_wrong_key_or_task_is_named_with_the_nearest(root: Path) -> None:
    with pytest.raises(ParamsError, match=r"network\.p_ihn is not .* mean network\.p_inh\?"):
        points(["network.p_ihn=0.1,0.2"], [], root)
    with pytest.raises(ParamsError, match=r"tasks\.mantee is not .* mean mante\?"):
        points([], ["mantee"], root)
    with pytest.raises(ParamsError, match=r"seed\.x is not a setting"):
        points(["seed.x=1"], [], root)


def test_a_setting_of_a_task_that_is_left_out_is_unknown(root: Path) -> None:
    with pytest.raises(ParamsError, match=r"tasks\.dmts\.T is not a setting"):
        points(["tasks.dmts.T=300"], ["mante"], root)


def test_what_cannot_be_read_is_said_with_an_example(root: Path) -> None:
    with pytest.raises(SweepError, match=r"-S network\.p_inh=0\.1,, cannot be read .*key=1,2,3"):
        points(["network.p_inh=0.1,,"], [], root)


def test_a_value_that_is_not_allowed_is_the_complaint_of_its_point_alone(root: Path) -> None:
    good, bad = points(["network.tau=20,0.5"], [], root)
    assert good.settings is not None
    assert bad.settings is None
    assert bad.refusal is not None
    assert "network.tau = 0.5 is shorter than" in bad.refusal


def test_values_none_of_which_is_allowed_are_an_error(root: Path) -> None:
    with pytest.raises(ParamsError, match=r"network\.tau = 0\.25 is shorter"):
        points(["network.tau=0.25,0.5"], [], root)


@pytest.mark.parametrize(
    "sets",
    [
        ["network.p_inh=0.1,0.10,1e-1"],
        ["network.tau=10,10.0"],
        ["train.threads=1,2"],  # which change no result
    ],
)
def test_combinations_whose_results_are_the_same_are_one_point(root: Path, sets: list[str]) -> None:
    assert len(points(sets, ["mante"], root)) == 1


@pytest.mark.parametrize(
    ("sets", "number"),
    [
        (["seed=range(1,1000000000)"], "more than 10000"),
        (["seed=shuffle(range(1,1000000000))"], "more than 10000"),
        (["network.tau=range(1,inf,0.5)"], "more than 10000"),
        (["seed=range(1,102)", "network.tau=range(10,110)"], "10100"),
    ],
)
def test_more_points_than_a_sweep_may_have_are_counted_not_made(
    root: Path, sets: list[str], number: str
) -> None:
    with pytest.raises(SweepError, match=f"makes {number} points, and a sweep may have 10000"):
        points(sets, ["mante"], root)


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (["network.tau=range(1,5,0)"], "must not be zero"),
        (["network.tau=range(1,nan)"], "InvalidOperation"),
        (["network.tau=interval(1,2)"], "INTERVAL"),
        (["+network.tau=3"], "changed, not added or removed"),
        (["~network.tau"], "changed, not added or removed"),
        (["network.tau=range(5,5)"], "has no value"),
        (["network.tau=10", "network.tau=20"], "network.tau is given twice"),
        (["publish.experiment=a,b"], "publish.experiment has several values"),
        (["network.tau={\n\n"], "cannot be read"),
    ],
)
def test_what_makes_no_points_is_one_sentence(root: Path, sets: list[str], said: str) -> None:
    with pytest.raises(SweepError) as refused:
        points(sets, ["mante"], root)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_name_is_short_and_legal_whatever_the_axes(root: Path) -> None:
    axes = [
        f"tasks.{task}.{key}=20,30" for task in ("dmts", "xor") for key in ("stim_dur", "delay")
    ]
    keys = ("dt", "tau", "gamma_shape", "lognormal_sigma", "w_gain", "W_in_sd", "readout_sd")
    made = points([*axes, *(f"network.{key}=1,1.5" for key in keys[:5])], ["dmts", "xor"], root)
    assert max(len(point.name) for point in made) <= 159
    assert len({point.name for point in made}) == len(made) == 2**9
    (dots,) = points(["publish.experiment=a..b,a..b"], ["mante"], root)
    assert ".." not in dots.name
