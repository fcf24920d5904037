"""The pipeline with the real DVC and MLflow: what a change reruns, what comes back from the cache, what is recorded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from ctrnn.core import artifacts
from tests import files_page
from tests.pipeline.checkout import TASKS, Checkout

CHAIN = ("generate", "train", "evaluate", "analyze", "publish")

pytestmark = pytest.mark.filterwarnings("ignore")  # of DVC's own imports


def stages(*names: str, tasks: tuple[str, ...] = TASKS) -> set[str]:
    return {name if name == "report" else f"{name}@{task}" for name in names for task in tasks}


@pytest.fixture
def params(checkout: Checkout) -> Iterator[Checkout]:
    """The checkout; its params.yaml is put back after the test."""
    path = checkout.folder / "params.yaml"
    before = path.read_text()
    yield checkout
    path.write_text(before)


@pytest.fixture
def restored(params: Checkout) -> Iterator[Checkout]:
    """The checkout; its results are put back after the test too."""
    yield params
    params.run("git", "checkout", "--quiet", "--", ".")
    params.run("dvc", "checkout", "--quiet")


def finished_runs(checkout: Checkout) -> list[str]:
    """Names of the finished MLflow runs that are not deleted."""
    with sqlite3.connect(checkout.folder / "mlflow.db") as store:
        rows = store.execute(
            "select name from runs where status = 'FINISHED' and lifecycle_stage = 'active'"
        ).fetchall()
    return sorted(name for (name,) in rows)


def test_a_second_repro_runs_nothing_and_git_is_clean(checkout: Checkout) -> None:
    assert checkout.repro() == set()
    assert checkout.run("dvc", "status", "-q") == ""
    assert checkout.run("git", "status", "--porcelain") == ""


def test_a_store_that_lacks_the_runs_gets_them_once(restored: Checkout) -> None:
    """As in a clone whose dvc.lock came with git: DVC finds publish unchanged."""
    runs = finished_runs(restored)
    store = restored.folder / "mlflow.db"
    kept = store.read_bytes()
    store.unlink()
    assert restored.repro() == set()
    publish = ("env", "PYTHONPATH=src", "python", "-m", "ctrnn.tracking", "publish")
    assert restored.run(*publish).count(" created") == len(TASKS)
    assert restored.run(*publish).count(" unchanged") == len(TASKS)
    assert finished_runs(restored) == runs
    store.write_bytes(kept)


@dataclass(frozen=True)
class Moment:
    """What a repro ran, and what there is then: the weights of a network of mante, and the finished runs."""

    ran: set[str]
    weights: bytes
    runs: list[str]


@pytest.fixture(scope="module")
def there_and_back(checkout: Checkout) -> list[Moment]:
    """Before a setting of mante is changed, after it, and after the setting has its first value again."""

    def look(ran: set[str]) -> Moment:
        weights = checkout.folder / "artifacts" / "train" / "mante" / "network-0.safetensors"
        return Moment(ran, weights.read_bytes(), finished_runs(checkout))

    moments = [look(set())]
    try:
        for value in (0.55, 1.0):
            checkout.change("tasks.mante.evidence_sd", value)
            moments.append(look(checkout.repro()))
    finally:
        checkout.run("git", "checkout", "--quiet", "--", ".")
        checkout.run("dvc", "checkout", "--quiet")
    return moments


def test_changing_a_task_runs_nothing_of_another(there_and_back: list[Moment]) -> None:
    before, there, _ = there_and_back
    assert there.ran == stages(*CHAIN, "report", tasks=("mante",))
    assert there.weights != before.weights


def test_going_back_restores_from_the_cache_and_leaves_one_run_per_key(
    there_and_back: list[Moment],
) -> None:
    before, there, back = there_and_back
    assert not {name for name in back.ran if name.startswith(("generate", "train", "evaluate"))}
    assert back.weights == before.weights
    assert there.runs == sorted([*before.runs, "mante p_inh=0.2 tau=20"])
    assert back.runs == there.runs


def test_what_the_stages_leave(checkout: Checkout) -> None:
    folder = checkout.folder
    for task, channels in (("go_nogo", 1), ("mante", 4)):
        test = artifacts.read_arrays(artifacts.folder("generate", task, folder) / "test.npz")
        assert test["inputs"].shape[1:] == (32, channels)
        assert test["inputs"].shape[:2] == test["targets"].shape[:2] == test["mask"].shape[:2]
        trained = artifacts.folder("train", task, folder)
        arrays, settings = artifacts.read_weights(trained / "network-1.safetensors")
        assert {name: array.shape for name, array in arrays.items()} == {
            "W_in": (32, channels),
            "W_rec": (32, 32),
            "W_eff": (32, 32),
            "b_rec": (32,),
            "W_out": (1, 32),
            "b_out": (1,),
            "sign": (32,),
            "mask": (32, 32),
            "tau": (32,),
        }
        assert settings["network"]["p_inh"] == 0.2
        relu = np.maximum(arrays["W_rec"], 0) * arrays["sign"] * arrays["mask"]
        np.testing.assert_array_equal(arrays["W_eff"], relu)
        history = artifacts.read_table(trained / "history.csv")
        assert list(history.columns[:3]) == ["iteration", "network", "loss"]
        metrics = artifacts.read_json(artifacts.metrics_path("evaluate", task, folder))
        assert len(metrics["accuracy"]["per_network"]) == len(metrics["converged"]) == 2
        outcomes = artifacts.read_table(artifacts.folder("evaluate", task, folder) / "outcomes.csv")
        shares = outcomes.groupby("network")["correct"].mean().tolist()
        assert shares == metrics["accuracy"]["per_network"]
        analysis = artifacts.read_json(artifacts.metrics_path("analyze", task, folder))
        assert analysis["dale"]["holds"] is True


def test_the_page_needs_no_network(checkout: Checkout) -> None:
    page = (checkout.folder / "reports" / "index.html").read_text()
    assert "http" not in page
    assert 'src="' not in page.replace('src="data:', "")
    drawn = list((checkout.folder / "reports" / "figures").glob("*/*.png"))
    assert page.count("<figure>") == len(drawn) >= 2 * 14


def test_a_bad_setting_stops_the_stage_with_a_sentence_before_it_computes(params: Checkout) -> None:
    params.change("network.p_inh", 1.5)
    weights = params.folder / "artifacts" / "train" / "mante" / "network-0.safetensors"
    with pytest.raises(AssertionError, match=r"network\.p_inh = 1\.5 is not allowed"):
        params.run("env", "PYTHONPATH=src", "python", "stages/train.py", "mante")
    assert weights.exists()


def files_of(checkout: Checkout) -> list[str]:
    """Every file below artifacts/ and reports/, but for the sums."""
    folder = checkout.folder
    paths = [path for part in ("artifacts", "reports") for path in (folder / part).rglob("*")]
    return sorted(
        path.relative_to(folder).as_posix()
        for path in paths
        if path.is_file() and path.name not in (artifacts.SUMS, ".gitignore")
    )


def test_the_page_of_files_has_every_file_array_column_and_key(checkout: Checkout) -> None:
    wrong: list[str] = []
    for task in TASKS:
        lengths: dict[str, int] = {}
        for path in (path for path in files_of(checkout) if task in path):
            contents = files_page.read(checkout.folder / path)
            wrong += files_page.wrong_in(path, contents, lengths)
            wrong += files_page.missing_in(path, contents)
    assert wrong == []


def test_the_page_of_files_names_no_file_that_is_not_there_and_all_that_are(
    checkout: Checkout,
) -> None:
    files = files_of(checkout)
    assert [path for path in files if files_page.file_of(path) is None] == []
    assert [
        pattern
        for pattern in files_page.page()
        if not any(files_page.matches(pattern, path) for path in files)
    ] == []


def test_the_page_of_files_says_which_stages_read_a_file(
    checkout: Checkout, reads: dict[str, set[str]]
) -> None:
    readers: dict[str, set[str]] = {pattern: set() for pattern in files_page.page()}
    for stage, files in reads.items():
        for pattern in readers:
            if any(files_page.matches(pattern, path) for path in files):
                readers[pattern].add(stage.partition("@")[0])
    written_by = {"figures": "report", "index.html": "report"}
    said = {pattern: file.readers for pattern, file in files_page.page().items()}
    seen = {  # a stage reads what it has written, for the sums, and publish all
        pattern: stages - {"publish", written_by.get(part := pattern.split("/")[1], part)}
        for pattern, stages in readers.items()
    }
    assert said == seen
