"""The whole of `analyze` on small untrained networks: what it leaves, and what may not change it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from ctrnn import tasks
from ctrnn.analysis import analyses, sweep_measures
from ctrnn.analysis import analyze as analyze_module
from ctrnn.analysis.analyze import Analysis, analyze
from ctrnn.analysis.recording import Recording
from ctrnn.figures import figures, source
from ctrnn.network import get_backend, initialise
from ctrnn.params import Params
from ctrnn.tasks import Batch, trial_table
from ctrnn.tracking.payload import final
from tests import files_page
from tests.settings import FILE, settings

SMALL = FILE.parent / "tests" / "pipeline" / "small.yaml"


MORE = {"perceptual_decision": 40, "working_memory": 40, "flip_flop": 32, "mante_graded": 144}


@pytest.fixture(scope="module")
def params() -> Params:
    """The small configuration, with a few test trials for the tasks that are not shipped."""
    small = yaml.safe_load(SMALL.read_text())
    small |= {f"tasks.{name}.test_trials": trials for name, trials in MORE.items()}
    return settings(**{key.replace(".", "__"): value for key, value in small.items()})


def opened(params: Params, name: str) -> Analysis:
    """Analysis of two networks before and "after" training."""
    task = tasks.get_task(name, params.tasks, 1.0)
    table = trial_table(task, "test", params.seed)
    before, after = (
        [initialise(params.network, len(task.channels), len(task.outputs), seed) for seed in seeds]
        for seeds in ((1, 2), (3, 4))
    )
    backend = get_backend(params.train)
    return analyze(
        Recording(task, task.render(table), before, after, params.seed, params.analyze, backend)
    )


@pytest.fixture(scope="module")
def mante(params: Params) -> Analysis:
    return opened(params, "mante")


def numbers(content: Any) -> list[float]:
    if isinstance(content, dict):
        return [n for value in content.values() for n in numbers(value)]
    if isinstance(content, list):
        return [n for value in content for n in numbers(value)]
    return [content] if isinstance(content, float) else []


@pytest.mark.parametrize("name", [name for name in tasks.TASKS if name != "mante"])
def test_every_task_leaves_finite_arrays_and_metrics(params: Params, name: str) -> None:
    analysis = opened(params, name)
    json.dumps(analysis.metrics, allow_nan=False)
    for arrays in analysis.arrays.values():
        for array in arrays.values():
            assert array.dtype.kind in "USbi" or np.isfinite(array).all()
    task = tasks.get_task(name, params.tasks, 1.0)
    assert list(analysis.metrics["fixed_points"]) == [
        epoch.name for epoch in task.constant_inputs()
    ]
    assert ("psychometric_slope" in analysis.metrics) == bool(analysis.arrays["psychometric"])
    assert bool(analysis.arrays["psychometric"]) == task.is_graded
    assert analysis.metrics.get("left_out", "") == task.left_out
    lengths: dict[str, int] = {}
    files = {f"artifacts/analyze/{name}/{stem}.npz": of for stem, of in analysis.arrays.items()}
    files[f"reports/analyze/{name}.json"] = dict(files_page.names_in(analysis.metrics))
    wrong = [x for path, of in files.items() for x in files_page.wrong_in(path, of, lengths)]
    assert wrong == []


@pytest.mark.parametrize(
    "changes",
    [{"n_units": 1}, {"n_units": 2}, {"n_units": 3}, {"p_rec": 0}, {"p_inh": 1}, {"W_in_sd": 0},
     {"w_gain": 0}, {"w_gain": 1e30}],
    ids=str,
)  # fmt: skip
def test_networks_that_cannot_learn_are_analysed_without_a_warning(
    params: Params, changes: dict[str, Any]
) -> None:
    odd = params.network.model_copy(update=changes)
    analysis = opened(params.model_copy(update={"network": odd}), "mante")
    json.dumps(analysis.metrics, allow_nan=False)
    names = analysis.arrays["targeted"]["variables"]
    assert analysis.arrays["targeted"]["projections"].shape[:2] == (2, len(names))
    assert "lacks" in analysis.metrics


def test_a_population_that_some_networks_lack_is_silenced_in_those_that_have_it(
    params: Params,
) -> None:
    odd = params.network.model_copy(update={"n_units": 5, "inhibitory_count": "random"})
    lesions = opened(params.model_copy(update={"network": odd}), "go_nogo").arrays["lesions"]
    assert lesions["groups"].tolist()[:2] == ["excitatory", "inhibitory"]
    assert lesions["n_units"][:, 1, -1].tolist() == [2, 0]  # half of three, and of none
    assert (lesions["accuracy"][1, 1, :, 0] == lesions["intact"][1]).all()


def test_the_metrics_of_mante_have_a_value_per_network(mante: Analysis) -> None:
    report = mante.metrics
    for context in ("motion", "colour"):
        assert all(isinstance(n, int) for n in report["fixed_points"][context]["stable"])
        assert len(report["fixed_points"][context]["saddle"]) == 2
        assert len(report["selection_ratio"][context]) == 2
        assert len(report["late_selection"][context]["own_axis"]) == 2
    assert len(report["psychometric_slope"]["relevant"]) == 2
    assert len(report["psychometric_slope"]["irrelevant"]) == 2


def test_numbers_in_the_metrics_have_six_digits(mante: Analysis) -> None:
    assert all(number == float(f"{number:.6g}") for number in numbers(mante.metrics))


def test_a_second_analysis_is_the_same(params: Params, mante: Analysis) -> None:
    again = opened(params, "mante")
    assert again.metrics == mante.metrics
    for stem, arrays in mante.arrays.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, again.arrays[stem][name], err_msg=f"{stem}/{name}")


def test_rows_of_points_are_those_of_the_metrics(mante: Analysis) -> None:
    stored = mante.arrays["fixed_points"]
    for e, context in enumerate(stored["epochs"]):
        for kind in ("stable", "saddle", "slow", "outside"):
            place = stored["kinds"].tolist().index(kind)
            some = (stored["epoch"] == e) & (stored["kind"] == place)
            counts = [int((stored["network"][some] == i).sum()) for i in range(2)]
            assert counts == mante.metrics["fixed_points"][str(context)][kind]
    assert stored["overlap"].shape == (2, 2, 4)


def test_networks_without_any_point_leave_empty_rows_that_the_report_can_read(
    params: Params,
) -> None:
    strict = params.analyze.fixed_points.model_copy(update={"tolerances": [1e-40]})
    analysis = opened(params.model_copy(update={
        "analyze": params.analyze.model_copy(update={"fixed_points": strict})
    }), "go_nogo")  # fmt: skip
    stored = analysis.arrays["fixed_points"]
    assert stored["projection"].shape == (0, 3)
    assert (stored["linearised"] == -1).all()
    report = analysis.metrics["fixed_points"]["no_input"]
    assert report["verdict"] == ["no stable point nearby"] * 2
    assert report["rate"] == report["linear_error"] == [None, None]


def test_batches_are_not_changed(params: Params) -> None:
    task = tasks.get_task("go_nogo", params.tasks, 1.0)
    batch: Batch = task.render(trial_table(task, "test", params.seed))
    before = batch.inputs.copy()
    networks = [initialise(params.network, 1, 1, seed) for seed in (1, 2)]
    backend = get_backend(params.train)
    analyze(Recording(task, batch, networks, networks, params.seed, params.analyze, backend))
    np.testing.assert_array_equal(batch.inputs, before)


def test_metrics_of_mante_are_means_of_its_arrays(mante: Analysis) -> None:
    """Of two networks one pair is alike; half of a task's conditions is no axis of the mean rate."""
    report, alike = mante.metrics, mante.arrays["similarity"]
    for when in ("before", "after"):
        assert report["similarity"][when]["per_network"] == pytest.approx([alike[when][0, 1]])
        np.testing.assert_allclose(np.diag(alike[when]), 1)
    assert len(report["mean_rate"]["per_network"]) == 2
    assert "left_out" not in report
    spectrum = np.abs(mante.arrays["spectrum"]["after"])
    radius = report["spectral_radius"]["after"]["per_network"]
    np.testing.assert_allclose(radius, spectrum.max(axis=1), rtol=1e-5)
    shape = mante.arrays["fixed_points"]["overlap"].shape
    assert mante.arrays["fixed_points"]["error"].shape == shape
    assert mante.arrays["state_space"]["conditions"].tolist() == sorted(
        mante.arrays["state_space"]["conditions"].tolist()
    )


def test_every_analysis_leaves_a_file_and_every_figure_finds_its_own(mante: Analysis) -> None:
    assert list(mante.arrays) == list(analyses())
    stems = {f"artifacts/analyze/mante/{name}.npz" for name in mante.arrays}
    drawn_from = {source(name, "mante") for name in figures()}
    assert {path for path in drawn_from if "/analyze/" in path} == stems


def test_every_measure_of_a_sweep_is_a_metric_of_a_run(mante: Analysis) -> None:
    zeros = json.loads(
        json.dumps(mante.metrics).replace("null", "0")
    )  # what no network of this run has
    logged = [point.name for point in final(zeros)]
    for name, (pattern, _) in sweep_measures().items():
        assert any(re.fullmatch(pattern.format(1), metric) for metric in logged), name


def test_checking_params_imports_nothing_large() -> None:
    """Though it imports every analysis, for its settings."""
    large = ("matplotlib", "scipy", "threadpoolctl", "torch", "tqdm")
    program = f"import sys, ctrnn.params; print([name for name in {large} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_a_metric_of_two_analyses_is_refused(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = [
        SimpleNamespace(compute=lambda _, name=name: ({}, {"rate": name})) for name in ("a", "b")
    ]
    monkeypatch.setattr(analyze_module, "analyses", lambda: dict(zip("ab", twice, strict=True)))
    with pytest.raises(ValueError, match="b names a metric rate, as another analysis does"):
        opened(params, "go_nogo")
