"""Tasks that are not one sign in one window go through the stages: no number is given that says something else."""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from ctrnn import tasks
from ctrnn.core import artifacts
from ctrnn.figures import figures
from ctrnn.report import page
from ctrnn.tasks.settings import TaskSettings
from tests import produced_interval, three_choices
from tests.settings import FILE
from tests.unit.tracking.test_description import written

SMALL = FILE.parent / "tests" / "pipeline" / "small.yaml"
FOREIGN: dict[str, tuple[type, type, dict[str, Any], str]] = {
    "produced_interval": (
        produced_interval.ProducedInterval,
        produced_interval.ProducedIntervalSettings,
        produced_interval.SECTION,
        "Left out: the axis of the choice, since the answer of produced_interval is a time.",
    ),
    "three_choices": (
        three_choices.ThreeChoices,
        three_choices.ThreeChoicesSettings,
        three_choices.SECTION,
        "Left out: psychometric functions, the right side; lesions and generalisation count correct trials, since the "
        "largest of the 3 outputs of three_choices is its answer.",
    ),
}
DRAWN = {
    "sample_trials", "outputs", "generalisation", "psychometric", "targeted", "roles", "circuit", "lesions",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What the stages left, and what they said."""

    name: str
    sentence: str
    root: Path
    said: str

    def metrics(self, stage: str) -> dict[str, Any]:
        return dict(artifacts.read_json(artifacts.metrics_path(stage, self.name, self.root)))

    def arrays(self, stem: str) -> dict[str, np.ndarray]:
        return artifacts.read_arrays(
            artifacts.folder("analyze", self.name, self.root) / f"{stem}.npz"
        )

    @property
    def outcomes(self) -> pd.DataFrame:
        return artifacts.read_table(
            artifacts.folder("evaluate", self.name, self.root) / "outcomes.csv"
        )

    @property
    def page(self) -> str:
        text = (self.root / "reports" / "index.html").read_text(encoding="utf-8")
        return re.sub(r'"data:image[^"]*"', "", text)


@contextmanager
def stages(
    name: str,
    section: dict[str, Any],
    root: Path,
    task: tuple[type, type] | None = None,
    iterations: int = 4,
) -> Iterator[io.StringIO]:
    """Run all stages but publish in a folder, on two networks of 12 units.

    task: its class and that of its settings, where it is none of `tasks`. Inside the task is known, and the folder the
    current one. Gives what the stages said.
    """
    raw = yaml.safe_load(FILE.read_text()) | {"tasks": {name: section}}
    small = yaml.safe_load(SMALL.read_text()) | {
        "network.n_units": 12, "train.max_iterations": iterations, "train.check_every": iterations // 2,
        "report.dpi": 40,
    }  # fmt: skip
    for key, value in small.items():
        *path, last = key.split(".")
        if path[0] != "tasks":
            at = raw
            for part in path:
                at = at[part]
            at[last] = value
    said = io.StringIO()
    (root / "params.yaml").write_text(yaml.safe_dump(raw))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said):
        if task:
            patch.setitem(tasks.TASKS, name, task[0])
            patch.setitem(TaskSettings.registry, name, task[1])
        patch.chdir(root)
        drawn = {stem: module for stem, module in figures().items() if stem in DRAWN}
        patch.setattr(page, "figures", lambda: drawn)
        for stage in ("generate", "train", "evaluate", "analyze"):
            importlib.import_module(f"stages.{stage}").main(name)
        importlib.import_module("stages.report").main()
        yield said


@pytest.fixture(scope="module", params=FOREIGN)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """All stages on a task of another kind."""
    name, root = request.param, tmp_path_factory.mktemp(request.param)
    task, settings, section, sentence = FOREIGN[name]
    # Four iterations, and enough for a network that chooses now one side and now another.
    iterations = 60 if name == "three_choices" else 4
    with stages(name, section, root, (task, settings), iterations) as said:
        yield Run(name, sentence, root, said.getvalue())


def test_outcomes_are_those_that_follow_from_the_outputs_by_hand(run: Run) -> None:
    folder = artifacts.folder("evaluate", run.name, run.root)
    stored, outcomes = artifacts.read_arrays(folder / "outputs.npz"), run.outcomes
    for network, outputs in enumerate(stored["outputs"]):
        own = outcomes[outcomes["network"] == network]
        for place, trial in enumerate(stored["trials"]):
            z, row = outputs[:, place], own.iloc[int(trial)]
            if run.name == "produced_interval":  # whose window begins with the second pulse
                at = 2 + row["interval"]
                crossing = next((t for t in range(30) if z[at + t, 0] > 0.5), None)
                assert (
                    np.isnan(row["response"]) if crossing is None else row["response"] == crossing
                )
                off = np.inf if crossing is None else abs(crossing - row["interval"])
                assert row["correct"] == (off <= 0.25 * row["interval"])
                other = 30 - row["interval"]
                assert row["right_side"] == (crossing is not None and off < abs(crossing - other))
            else:  # from 12 to 32 ms
                means = z[12:32].mean(axis=0, dtype=np.float64)
                largest = three_choices.SIDES[int(means.argmax())]
                assert row[f"choice_{largest}"] == 1
                assert row["correct"] == (largest == row["side"])
    report = run.metrics("evaluate")
    assert report["accuracy"]["mean"] == pytest.approx(outcomes["correct"].mean())


def test_the_right_side_is_told_where_a_response_can_be_nearer_to_one_answer(run: Run) -> None:
    has_sides = run.name == "produced_interval"
    report, lesions = run.metrics("analyze"), run.arrays("lesions")
    assert ("right_side" in run.metrics("evaluate")) == has_sides
    assert ("right_side" in run.outcomes) == has_sides
    assert ("left_out" in run.metrics("evaluate")) == (not has_sides)
    assert ("lesions" in report) == has_sides
    assert ("lesions_correct" in report) == (not has_sides)
    assert lesions["accuracy"].shape[-1] == lesions["intact"].shape[-1] == 1 + has_sides
    counted = {"values", "correct"} | ({"right_side"} if has_sides else set())
    assert all(set(curve) == counted for curve in report["generalisation"].values())
    assert report["left_out"] == run.sentence


def test_a_choice_among_several_has_axes_by_its_words_and_a_time_has_none(
    run: Run,
) -> None:
    report = run.metrics("analyze")
    for stem in ("targeted", "roles"):
        names = [name for name in run.arrays(stem)["variables"] if name.startswith("choice")]
        assert set(names) <= {f"choice={side}" for side in three_choices.SIDES}
        assert bool(names) == (run.name == "three_choices")
    assert any("choice" in name for name in report["selective_units"]) == bool(names)
    assert not run.arrays("psychometric")
    assert "psychometric_slope" not in report


def test_the_sentence_stands_on_the_page_where_something_is_left_out(run: Run) -> None:
    captions = dict(re.findall(r"<figcaption><strong>(.*?)\.</strong> (.*?) <code>", run.page))
    by_side = run.name == "produced_interval"
    for figure in ("Lesions", "Outside training", "Targeted axes"):
        assert captions[figure].endswith(run.sentence) == (by_side == (figure == "Targeted axes"))
    counted = "on the right side" if by_side else "correct"
    assert captions["Lesions"].startswith(f"Change of the share of trials {counted} from ")
    assert "Psychometric functions" not in captions
    assert run.sentence not in captions["Sample trials"]


def test_the_sentence_is_said_once_on_the_terminal_and_stands_in_the_note(run: Run) -> None:
    assert run.said.count(run.sentence) == 1
    assert f"\n\n{run.sentence}\n\n" in written(more={"left_out": run.sentence})


def test_outputs_go_by_their_names(run: Run) -> None:
    if run.name == "three_choices":
        names = [f"response_{side}" for side in three_choices.SIDES]
        assert set(names) <= set(run.outcomes.columns)
        points = run.metrics("analyze")["fixed_points"]["no_input"]["stable_outputs"]
        assert all(list(network) == list(three_choices.SIDES) for network in points)


RANDOM = {
    "T": 100, "stim_on": 10, "stim_dur": 10, "delay": {"uniform": [10, 30]}, "response_delay": 0, "response_dur": 20,
    "threshold": 0.8, "loss_over": "trial", "train_trials": 32, "validation_trials": 16, "test_trials": 16,
    "curriculum": [],
}  # fmt: skip
HELD = "Analyses hold times that are drawn for every trial at their medians: delay 20 ms."


@pytest.fixture(scope="module")
def random_delays(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """All stages on dmts with a delay that is drawn for every trial."""
    root = tmp_path_factory.mktemp("dmts")
    with stages("dmts", RANDOM, root) as said:
        yield Run("dmts", HELD, root, said.getvalue())


def test_the_delay_of_every_trial_stands_beside_its_outcome(random_delays: Run) -> None:
    generated = artifacts.folder("generate", "dmts", random_delays.root)
    table, outcomes = artifacts.read_table(generated / "test.csv"), random_delays.outcomes
    assert set(table["delay"]) <= set(range(10, 31)) and table["delay"].nunique() > 5
    assert outcomes["delay"].tolist() == 2 * table["delay"].tolist()


def test_analyses_hold_the_delay_at_its_median_and_say_so(random_delays: Run) -> None:
    assert len(random_delays.arrays("state_space")["projections"][0, 0]) == 100 - 30 + 20
    np.testing.assert_array_equal(random_delays.arrays("memory")["delay"], [20, 40])
    assert random_delays.metrics("analyze")["held_times"] == HELD
    assert random_delays.said.count(HELD) == random_delays.page.count(f"<p> {HELD}</p>") == 1
    assert "delay" not in random_delays.arrays("targeted")["variables"]
    assert f"\n\n{HELD}\n\n" in written(more={"held_times": HELD})


def test_generalisation_names_the_shortest_and_the_longest_delay_of_training(
    random_delays: Run,
) -> None:
    stored = random_delays.arrays("generalisation")
    assert stored["delay_trained"].tolist() == [10, 30]
    assert stored["delay_values"].tolist() == [0, 20]
    assert stored["response_delay_trained"].tolist() == [0]
