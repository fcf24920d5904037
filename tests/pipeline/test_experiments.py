"""Experiments that DVC runs in temporary folders: their runs are in the one store, and outlive these folders."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ctrnn.tracking import config, store
from tests.pipeline.checkout import Checkout

TASK = "go_nogo"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of DVC's own imports
]


@pytest.fixture(autouse=True)
def untouched_global_random_state() -> None:
    """Not held here: MLflow draws from Python's shared generator."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("a lab"), (TASK,))
    made.change("publish.live", True)
    made.commit("live")
    return made


def set_version(lab: Checkout, version: str) -> None:
    """Change code, so that a run can tell which revision it came from."""
    file = lab.folder / "src" / "ctrnn" / "__init__.py"
    lines = file.read_text().splitlines()
    lines = [f'__version__ = "{version}"' if "__version__" in line else line for line in lines]
    file.write_text("\n".join(lines) + "\n")
    code = lab.folder / "src" / "ctrnn" / "network" / "model.py"  # the version alone reruns nothing
    code.write_text(f"{code.read_text()}# {version}\n")


def runs(lab: Checkout) -> tuple[Any, dict[tuple[str, str], Any]]:
    """A client; and the runs of the store by p_inh and version, once it is sure that they are complete."""
    client = store.open_store(config.resolve(lab.folder))
    experiments = {e.name: e.experiment_id for e in client.search_experiments()}
    assert set(experiments) == {"Default", "ctrnn"}
    assert not client.search_runs([experiments["Default"]])
    found = client.search_runs([experiments["ctrnn"]])
    assert {run.info.status for run in found} == {"FINISHED"}
    by_origin = {(r.data.params["network.p_inh"], r.data.tags["version.ctrnn"]): r for r in found}
    assert len(by_origin) == len(found)
    return client, by_origin


def assert_artifacts_open(lab: Checkout, client: Any, run: Any) -> Path:
    """No temporary folder is left, and the files of the run are there; their folder."""
    folders = [
        f for f in (lab.folder / ".dvc" / "tmp" / "exps").glob("*/*") if (f / "src").exists()
    ]
    assert not folders
    folder = Path(client.download_artifacts(run.info.run_id, ""))
    assert (folder / "weights" / "network-1.safetensors").stat().st_size > 0
    return folder


def test_a_temporary_experiment_leaves_its_run_in_the_store_of_the_checkout(
    lab: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    set_version(lab, "0.1.temporary")
    lab.run("dvc", "exp", "run", "--temp", "--set-param", "network.p_inh=0.4")
    lab.run("git", "checkout", "--quiet", "--", "src")
    assert lab.run("git", "status", "--porcelain", "--", ":!.dvc") == ""
    client, found = runs(lab)
    files = assert_artifacts_open(lab, client, found["0.4", "0.1.temporary"])
    assert (files / "figures" / "weights.png").stat().st_size > 0


def finished(lab: Checkout) -> int:
    """How many experiments git has, of which DVC would take seconds to tell."""
    refs = lab.run("git", "for-each-ref", "--format=%(refname)", "refs/exps/").split()
    assert "refs/exps/celery/failed" not in refs, lab.run("dvc", "queue", "status")
    return sum(ref.count("/") == 4 for ref in refs)


def test_three_queued_experiments_two_at_a_time(
    lab: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    wanted = [("0.1", "0.1.a"), ("0.2", "0.1.a"), ("0.1", "0.1.b")]
    for p_inh, version in wanted:
        set_version(lab, version)
        sets = (f"--set-param=network.p_inh={p_inh}", "--set-param=report.figures=false")
        lab.run("dvc", "exp", "run", "--queue", *sets)
    lab.run("git", "checkout", "--quiet", "--", "src")
    n_wanted = finished(lab) + len(wanted)
    # Its workers keep the output open, and now and then one misses its word to stop: nobody may wait for them.
    lab.run("sh", "-c", "dvc queue start --jobs 2 > /dev/null 2>&1")
    try:
        end = time.monotonic() + 500
        while finished(lab) < n_wanted and time.monotonic() < end:
            time.sleep(0.5)
        while {"Queued", "Running"} & set((status := lab.run("dvc", "queue", "status")).split()):
            assert time.monotonic() < end, status
            time.sleep(2)
        assert "Failed" not in status, status
    finally:
        lab.run("dvc", "queue", "stop", "--kill")
        for file in (lab.folder / ".dvc" / "tmp" / "exps" / "celery").glob("dvc-exp-worker-*.json"):
            worker = json.loads(file.read_text())
            if worker["returncode"] is None:
                with suppress(ProcessLookupError):
                    os.kill(worker["pid"], signal.SIGTERM)
    client, found = runs(lab)
    assert set(found) >= set(wanted)
    for origin in wanted:
        assert_artifacts_open(lab, client, found[origin])
