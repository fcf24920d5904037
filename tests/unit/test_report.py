from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ctrnn import tasks
from ctrnn.core import artifacts
from ctrnn.core.artifacts import mean_sd
from ctrnn.figures import Results, figures, generalisation, span, tally
from ctrnn.figures.generalisation import held
from ctrnn.params import Params
from ctrnn.report.page import build
from tests.settings import settings

SOURCES = {**os.environ, "PYTHONPATH": str(Path(tasks.__file__).parents[2])}
FIGURES = sorted(set(figures()) - {"psychometric"})  # of tasks without graded evidence


@pytest.fixture(scope="module")
def params() -> Params:
    """Two tasks, two networks each, eight test trials."""
    small = settings(
        tasks__go_nogo__test_trials=8,
        tasks__xor__test_trials=8,
        train__n_networks=2,
        report__dpi=40,
    )
    return small.model_copy(update={"tasks": {t: small.tasks[t] for t in ("go_nogo", "xor")}})


def fabricate(root: Path, params: Params, failed: tuple[tuple[str, int], ...] = ()) -> None:
    """The files of every stage before the report; `failed` names networks by task and number."""
    for name in params.tasks:
        task = tasks.get_task(name, params.tasks, 1.0)
        test = tasks.save(artifacts.folder("generate", name, root), task, params.seed)
        labels = sorted(set(test.conditions["condition"]))
        converged = [(name, network) not in failed for network in (0, 1)]
        train(artifacts.folder("train", name, root), converged)
        evaluate(name, root, converged, labels, test)
        analyze(name, root, labels)
        for stage in artifacts.WITH_SUMS:
            artifacts.write_sums(artifacts.folder(stage, name, root))


def train(folder: Path, converged: list[bool]) -> None:
    runs = [
        {
            "network": network,
            "seed": 1 + network,
            "converged": done,
            "iterations": 100 + 25 * network,
            "validation_accuracy": 0.99 if done else 0.61,
            "validation_loss": 0.005,
        }
        for network, done in enumerate(converged)
    ]
    artifacts.write_json(folder / "summary.json", {"networks": runs})
    history = {
        "iteration": [1, 1, 2, 2],
        "network": [0, 1, 0, 1],
        "loss": [0.5, 0.4, 0.02, 0.01],
        "accuracy": [None, None, 0.9, 0.99],
        "gradient_norm": [1.0, 1.0, 0.5, 0.5],
        "vanished_synapses": [0.0, 0.0, 0.125, 0.25],
        "dt": [5.0, 5.0, 1.0, 5.0],
    }
    artifacts.write_table(folder / "history.csv", pd.DataFrame(history))


def evaluate(name: str, root: Path, converged: list[bool], labels: list[str], test) -> None:
    targets = test.targets[:, :2]
    arrays = {"trials": np.arange(2), "outputs": np.stack(2 * [targets]), "targets": targets}
    artifacts.write_arrays(artifacts.folder("evaluate", name, root) / "outputs.npz", arrays)
    metrics = {
        "accuracy": mean_sd([0.99 if done else 0.6 for done in converged]),
        "iterations_to_criterion": mean_sd([100 if done else None for done in converged]),
        "converged": converged,
        "accuracy_by_condition": dict.fromkeys(labels, 1.0) | {labels[0]: 0.875},
    }
    artifacts.write_json(artifacts.metrics_path("evaluate", name, root), metrics)


def analyze(name: str, root: Path, labels: list[str]) -> None:
    random = np.random.default_rng(0)
    folder = artifacts.folder("analyze", name, root)
    space = {
        "projections": random.normal(size=(2, len(labels), 9, 3)).astype(np.float32),
        "explained_variance": np.array([[0.5, 0.2, 0.1], [0.6, 0.2, 0.1]]),
        "single_trial_variance": np.array([[0.4, 0.2, 0.1], [0.5, 0.2, 0.1]]),
        "conditions": np.array(labels),
    }
    artifacts.write_arrays(folder / "state_space.npz", space)
    open_up(folder, labels, random)
    memory = {
        "sources": np.array(["rates"]),
        "times": np.array([5.0, 15.0]),
        "delay": np.array([10.0, 20.0]),
        **dict.fromkeys(("decoded", "low", "high"), np.full((2, 1, 2), 0.75)),
    }
    artifacts.write_arrays(folder / "memory.npz", memory)
    before = np.array([[5.0, 1.0j], [3.0, -1.0j]])
    artifacts.write_arrays(
        folder / "spectrum.npz", {"before": before, "after": 2 * before, "edge": np.array(4.0)}
    )
    counts = {
        f"{when}_{kind}": np.array([[4, 1], [3, 2]])
        for when in ("before", "after")
        for kind in ("excitatory", "inhibitory")
    }
    artifacts.write_arrays(folder / "weights.npz", {"bins": np.array([0.0, 1.0, 2.0]), **counts})
    statistics = {
        when: 2 * [{"units": 4, "synapses": 5, "density": density, "mean": 1.0, "sd": 0.1}]
        for when, density in (("before", 0.2), ("after", 0.15))
    }
    metrics = {
        "explained_variance": space["explained_variance"].tolist(),
        "participation_ratio": mean_sd([2.0, 3.0]),
        "spectral_radius": {"before": mean_sd([5.0, 3.0]), "after": mean_sd([10.0, 6.0])},
        "weights": {"excitatory": statistics, "inhibitory": statistics},
        "dale": {"applies": True, "holds": True, "sign_changes": 0, "off_pattern": 0},
        **MECHANISM,
    }
    artifacts.write_json(artifacts.metrics_path("analyze", name, root), metrics)


MECHANISM = {
    "fixed_points": {
        "no_input": {
            "stable": [2, 1],
            "saddle": [1, 0],
            "slow": [0, 0],
            "verdict": ["bistable", "one stable point"],
            "linearised_at": ["saddle", "stable"],
            "rate": [0.25, -0.1],
            "time_constant": [-80.0, 200.0],
            "doubling_time": [55.5, None],
            "decay_time": [None, 200.0],
            "linear_error": [0.01, 0.002],
        }
    },
    "selective_units": {
        "choice": {"excitatory": mean_sd([0.5, 0.7]), "inhibitory": mean_sd([None, None])}
    },
    "selective_units_by_effect": {
        "choice": {
            "excitatory": {"5": mean_sd([0.1, 0.2])},
            "inhibitory": {"5": mean_sd([None, None])},
        }
    },
    "inhibition_over_excitation": mean_sd([0.9, 1.1]),
    "current_tracking": mean_sd([0.4, 0.6]),
    "generalisation": {"noise": {}},
    "memory": {"rates": mean_sd([0.75, 0.75])},
    "memory_p": {"rates": [0.01, 0.2]},
    "memory_chance": 0.5,
    "similarity": {"before": mean_sd([0.9]), "after": mean_sd([0.7])},
}


def open_up(folder: Path, labels: list[str], random: np.random.Generator) -> None:
    """The files of the opened networks: two networks of ten units, one bistable, one not."""
    kinds = np.array(["stable", "saddle", "slow", "outside"])
    points = {
        "network": np.array([0, 0, 0, 1]),
        "epoch": np.zeros(4, int),
        "kind": np.array([0, 1, 0, 0]),
        "unstable": np.array([0, 1, 0, 0]),
        "projection": random.normal(size=(4, 3)),
        "rates_per_tau": np.array([[-0.2], [0.25], [-0.3], [-0.1]]),
        "epochs": np.array(["no_input"]),
        "kinds": kinds,
        "tolerances": np.array([0.1, 1e-20]),
        "survivors": np.array([[[40, 3]], [[30, 1]]]),
        "linearised": np.array([[1], [3]]),
        "overlap": np.array([[[0.3]], [[0.1]]]),
        "overlap_chance": np.tile([0.25, 0.6], (2, 1, 1)),
        "error": np.zeros((2, 1, 1)),
    }
    sign = np.array([[1.0] * 8 + [-1.0] * 2] * 2)
    units, time = random.random((2, 10)), random.random((2, 9))
    weights = np.tile(np.array([[0.2, 0.1, -0.1, -0.3], [0.1, 0.2, -0.3, -0.1]] * 2), (2, 1, 1, 1))
    files = {
        "fixed_points": points,
        "targeted": {
            "variables": np.array(["choice"]),
            "projections": random.normal(size=(2, 1, len(labels), 9)).astype(np.float32),
            "peak": np.array([[20], [30]]),
        },
        "roles": {
            "variables": np.array(["choice"]),
            "d_prime": random.normal(size=(2, 1, 10)),
            "smallest_d_prime": np.array(1.0),
            "sign": sign,
            "silent": sign < -2,
            "saturated": np.arange(20).reshape(2, 10) == 3,
            "group_weights": weights,
            "excitation": units,
            "inhibition": -units,
            "excitation_in_time": time,
            "inhibition_in_time": -time,
        },
        "lesions": {
            "groups": np.array(["excitatory", "inhibitory"]),
            "doses": np.array([0.05, 0.2]),
            "accuracy": np.tile(
                np.array([[[0.9, 0.8, 0.7], [0.6, 0.7, 0.5]]] * 2)[..., None], (2, 1, 1, 1, 2)
            ),
            "intact": np.ones((2, 2)),
            "n_units": np.full((2, 2, 2), 3),
            "weight": np.full((2, 2, 2, 3), 0.1),
            "counted": np.array("right_side"),
            "contrasts": np.array(
                ["group_minus_intact", "same_size_minus_intact", "group_minus_same_weight"]
            ),
            "differences": np.tile([-0.1, -0.1, 0.2], (2, 2, 2, 1)),
            "intervals": np.tile([[-0.15, -0.05], [-0.2, 0], [0.1, 0.3]], (2, 2, 1, 1)),
        },
        "generalisation": {
            "noise_values": np.array([0.0, 1.0, 10.0]),
            "noise_trained": np.array([1.0]),
            "noise_accuracy": np.tile(np.array([[1.0, 1.0], [0.95, 1.0], [0.5, 0.9]]), (2, 1, 1)),
        },
        "psychometric": {},
        "similarity": {"before": np.eye(2), "after": np.eye(2)},
    }
    for stem, arrays in files.items():
        artifacts.write_arrays(folder / f"{stem}.npz", arrays)


def built(root: Path, params: Params, *failed: tuple[str, int]) -> str:
    fabricate(root, params, failed)
    build(params, root)
    return (root / "reports" / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def undrawn(params: Params) -> Params:
    """The same without figures, which take most of the time."""
    return params.model_copy(update={"report": params.report.model_copy(update={"figures": False})})


@pytest.fixture(scope="module")
def root(params: Params, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a run in which every network converged, with its report."""
    folder = tmp_path_factory.mktemp("run")
    built(folder, params)
    return folder


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    """The page of that run."""
    return (root / "reports" / "index.html").read_text(encoding="utf-8")


class References(HTMLParser):
    """Every address that the page points to or loads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = ("src", "href", "srcset", "action", "data", "poster")
        self.found += [value or "" for name, value in attrs if name in names]


def test_the_page_loads_nothing_from_outside(page: str) -> None:
    addresses = References(page).found
    assert sum(address.startswith("data:image/png;base64,") for address in addresses) == 2 * len(
        FIGURES
    )
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    style = page[page.index("<style>") : page.index("</style>")]
    assert not re.search(r"url\(|@import|<script|<link", style + page.split("</style>")[1][:2000])


def test_the_same_files_give_the_same_bytes_and_take_the_place_of_links_into_a_cache(
    tmp_path: Path, params: Params, page: str
) -> None:
    kept = tmp_path / "cached"
    kept.write_bytes(b"kept")
    for name in ("index.html", "figures/xor/lesions.png"):
        (tmp_path / "reports" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "reports" / name).hardlink_to(kept)
    assert built(tmp_path, params) == page
    assert kept.read_bytes() == b"kept"
    assert (tmp_path / "reports" / "figures" / "xor" / "lesions.png").read_bytes() != b"kept"


def test_every_figure_is_in_the_folder_of_its_task(root: Path) -> None:
    for name in ("go_nogo", "xor"):
        folder = root / "reports" / "figures" / name
        assert sorted(path.stem for path in folder.iterdir()) == FIGURES


WITHOUT = """
import pickle, sys
from ctrnn.report.page import build
build(pickle.load(sys.stdin.buffer))
assert "matplotlib" not in sys.modules
"""


def test_a_report_without_figures_says_so_and_imports_nothing_that_draws(
    tmp_path: Path, undrawn: Params
) -> None:
    fabricate(tmp_path, undrawn)
    pickled = pickle.dumps(undrawn)
    # In a process of its own, since this one draws.
    subprocess.run(
        [sys.executable, "-c", WITHOUT], input=pickled, cwd=tmp_path, env=SOURCES, check=True
    )
    files = sorted(p.name for p in (tmp_path / "reports" / "figures" / "xor").iterdir())
    assert files == ["none.txt"]
    text = (tmp_path / "reports" / "index.html").read_text()
    assert "<img" not in text
    assert text.count("Figures were not drawn") == 2


def test_networks_that_did_not_converge_are_red_and_named(tmp_path: Path, undrawn: Params) -> None:
    page = built(tmp_path, undrawn, ("xor", 1))
    xor = page[page.index('<section id="xor">') :]
    assert page.count('<tr class="missed">') == 2  # a line of the tasks' table, and the network's
    assert '<p class="missed">Not converged: network 1 (seed 2, 0.610 on' in xor
    assert "1 of 2 networks reached accuracy 0.98 after 100 iterations; accuracy on test" in xor


def test_what_a_network_that_did_not_converge_lacks_is_named(
    tmp_path: Path, undrawn: Params
) -> None:
    fabricate(tmp_path, undrawn, (("xor", 1),))
    path = artifacts.metrics_path("analyze", "xor", tmp_path)
    lacks = [["only 3 units"], ["no recurrent synapses", "no inhibitory units"]]
    artifacts.write_json(path, artifacts.read_json(path) | {"lacks": lacks})
    build(undrawn, tmp_path)
    page = (tmp_path / "reports" / "index.html").read_text(encoding="utf-8")
    said = "after 125 iterations; it has no recurrent synapses, no inhibitory units)."
    assert said in page
    assert "only 3 units" not in page  # network 0 converged


def test_a_training_too_short_for_its_checks_is_named(tmp_path: Path, undrawn: Params) -> None:
    def with_at_most(iterations: int) -> str:
        train = undrawn.train.model_copy(update={"max_iterations": iterations})
        return built(tmp_path, undrawn.model_copy(update={"train": train}), ("xor", 1))

    said = "patience = 2 checks, one every 25 iterations, take 50, and train.max_iterations = 49."
    assert f"None could converge: train.{said}" in with_at_most(49)
    assert "None could converge" not in with_at_most(50)


def test_where_all_converged_nothing_is_red(page: str) -> None:
    assert 'class="missed"' not in page
    assert "2 of 2 networks reached accuracy 0.98 after 100–125 iterations" in page


def test_where_none_converged_there_is_no_number_of_iterations(
    tmp_path: Path, undrawn: Params
) -> None:
    page = built(tmp_path, undrawn, ("xor", 0), ("xor", 1))
    assert "not reached" in page
    assert "0 of 2 networks reached accuracy 0.98; accuracy on test trials 0.600 ± 0.000." in page


def test_captions_say_the_numbers_and_name_the_artifact(page: str) -> None:
    for sentence in (
        "fell to 0.01–0.02; by then 12.5–25.0% of the synapses had vanished. Training began at steps of 5 ms, and went "
        "on at 1 ms (dots) after 1 iterations, and ended there for 1 of 2 networks.",
        "is 0.00 off its target on average. Least often right: stimulus=go, 87.5%.",
        "3 principal components hold 80–90% of the variance",
        "from 4.00 ± 1.41 to 8.00 ± 2.83, and the number of eigenvalues right of 4",
        "from 0–1 to 1 a network",
        "density 0.200 before and 0.150 after",
        "no input: bistable in 1 of 2, one stable point in 1. Unstable dimensions of the saddles (1): 1, which",
        "of 1 portrait doubles in 56 ms (median; 56). The leading mode of 1 portrait falls to 1/e in 200 ms (median",
        "Distinct states slower than q = 0.1: 30–40; below q = 1e-20 1–3 are left, and none is a line attractor",
        "(saddle in 1 of 2, stable in 1): stimulus overlaps most, 0.20. A random direction overlaps by 0.250, and",
        "95% of them by less than 0.600 (dashed). Linear predictions are within 1.0%",
        "each is strongest at, in ms: choice 20–30.",
        "of 1 (grey) or more: choice 60.0% and none (",
        "of 5 or more: 15.0% and none). Of 20 units, 0 are silent and 1 saturated.",
        "as a multiple of those onto units of the same: excitatory 0.50, inhibitory 3.00.",
        "excitatory -10.0 [-15.0, -5.0], which differs from others of the same weight by +20.0 [10.0, 30.0]; inhi",
        "At least 90% of trials are correct at: noise / trained 0, 1.",
        "CKA of 0.90 before and 0.70 after",
        "and 70–80% of that of single trials",
    ):
        assert sentence in page
    assert "<code>artifacts/analyze/xor/spectrum.npz</code>" in page


def test_the_mechanism_of_every_network_is_in_a_table(page: str) -> None:
    assert page.count("<td>one stable point</td><td>stable</td>") == 2
    assert '<td class="n">0.250</td><td class="n">56</td><td class="n">–</td></tr>' in page


def test_what_a_run_lacks_is_not_drawn(tmp_path: Path, params: Params) -> None:
    params = params.model_copy(update={"tasks": {"xor": params.tasks["xor"]}})
    fabricate(tmp_path, params)
    path = artifacts.folder("analyze", "xor", tmp_path) / "fixed_points.npz"
    nowhere = artifacts.read_arrays(path) | {"linearised": np.full((2, 1), -1)}
    artifacts.write_arrays(path, nowhere)
    artifacts.write_sums(path.parent)
    build(params, tmp_path)
    figures = artifacts.figures_folder("xor", tmp_path)
    assert not (figures / "selection.png").exists()
    assert not (figures / "psychometric.png").exists()


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a"], "a in 1 of 1"), (["a", "b", "b"], "b in 2 of 3, a in 1")],
)
def test_a_tally_names_the_most_frequent_first(names: list[str], text: str) -> None:
    assert tally(names) == text


@pytest.mark.parametrize(
    ("shares", "text"), [([1, 1], "all"), ([0.9, 0.89], "1"), ([0.1, 0.2], "none")]
)
def test_values_that_hold_are_named(shares: list[float], text: str) -> None:
    assert held([1, 2], np.array(shares)) == text


def test_settings_are_listed_but_not_those_that_change_no_result(page: str) -> None:
    assert "<tr><th>network.p_inh</th><td>0.2</td></tr>" in page
    assert "<tr><th>train.trainable.W_in</th><td>False</td></tr>" in page
    assert "<th>stim_on</th>" in page
    assert "train.threads" not in page


@pytest.mark.parametrize(("values", "text"), [([3, 1, 2], "1–3"), ([2.0, 2.0], "2"), ([], "none")])
def test_a_span_is_one_number_where_both_read_the_same(values: list[float], text: str) -> None:
    assert span(values) == text


def test_what_was_not_tested_outside_training_has_no_figure() -> None:
    nothing = object.__new__(Results)
    none: dict[str, dict[str, Any]] = {"generalisation": {}}
    nothing.__dict__.update(analysis_arrays=none, analysis=none)
    assert generalisation.draw(nothing) is None
