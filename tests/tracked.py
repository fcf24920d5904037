"""A checkout of one task as the pipeline leaves it, and looks into its store of runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ctrnn import lock, params
from ctrnn.core import artifacts
from ctrnn.event_log import EventLogWriter
from ctrnn.tracking import checks, config, live, publishing, runs, store
from tests.settings import read

REPOSITORY = Path(__file__).resolve().parents[1]
TASK = "mante"
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # in C where PyYAML has it
UNRECORDED = ("threads", "checkpoint_every")  # settings of train that no entry of dvc.lock has
FIGURES = ("outputs", "state_space", "weights")
LABELS = ["context=motion motion=+0.5 colour=-0.5", "context=colour motion=-0.5 colour=+0.5"]


def fabricate(
    root: Path, p_inh: float = 0.2, figure: bytes = b"png", task: str = TASK
) -> params.Params:
    """The files of one task as the pipeline leaves them, with two networks and three iterations."""
    settings = deepcopy(read(REPOSITORY / "params.yaml"))
    settings["network"]["p_inh"] = p_inh
    settings["train"]["n_networks"] = 2
    trained, evaluated = root / "artifacts/train" / task, root / "artifacts/evaluate" / task
    generated, drawn = root / "artifacts/generate" / task, root / "reports/figures" / task
    reports = [root / "reports" / stage for stage in ("evaluate", "analyze")]
    for folder in (trained, evaluated, generated, drawn, *reports):
        folder.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(yaml.dump(settings, Dumper=DUMPER))
    made = params.read(root / "params.yaml")

    table = pd.DataFrame({"trial": [0, 1], "motion": [0.5, -0.5], "condition": LABELS})
    for split in ("train", "validation", "test"):
        table.assign(split=split).to_csv(generated / f"{split}.csv", index=False)
    table.assign(network=0, correct=True).to_csv(evaluated / "outcomes.csv", index=False)
    (trained / "history.csv").write_text(
        "iteration,network,loss,accuracy,gradient_norm,vanished_synapses\n"
        "1,0,1.0,,2.0,0.0\n1,1,2.0,,2.0,0.0\n"
        "2,0,0.5,0.99,1.0,0.1\n2,1,1.5,0.5,1.0,0.1\n3,1,0.1,0.99,1.0,0.1\n"
    )
    kept = {"task": {"name": task, **made.task(task).model_dump()}}
    kept |= {name: getattr(made, name).model_dump() for name in ("network", "train")}
    for i in range(2):
        for stem in ("network", "initial"):
            artifacts.write_weights(
                trained / f"{stem}-{i}.safetensors", {"b_out": np.zeros(1, dtype=np.float32)}, kept
            )
    networks = [
        {
            "network": i,
            "seed": made.network_seeds[i],
            "converged": True,
            "iterations": 2 + i,
            "validation_accuracy": 0.99,
            "validation_loss": 0.1,
        }
        for i in range(2)
    ]
    _dump(trained / "summary.json", {"networks": networks})
    spread = {"mean": 0.985, "sd": 0.005, "per_network": [0.98, 0.99]}
    by_condition = dict(zip(LABELS, [0.97, 1.0], strict=True))
    outcome = {"accuracy": spread, "converged": [True, True], "accuracy_by_condition": by_condition}
    _dump(reports[0] / f"{task}.json", outcome)
    radius = {"before": spread, "after": spread}
    dale = {"holds": True, "sign_changes": 0, "off_pattern": 0}
    weights = {"inhibitory": {"after": [{"units": 40}, {"units": 43}]}}
    analyzed = {"spectral_radius": radius, "dale": dale, "weights": weights}
    _dump(reports[1] / f"{task}.json", analyzed)
    for name in FIGURES:
        (drawn / f"{name}.png").write_bytes(figure)
    for stage in ("evaluate", "analyze"):
        folder = artifacts.folder(stage, task, root)
        artifacts.write_json(folder / "settings.json", getattr(made, stage).model_dump())
    artifacts.write_arrays(folder / "fixed_points.npz", {"x": np.zeros((1, 3)), "q": np.zeros(1)})
    record(root, made, task)
    return made


def record(root: Path, made: params.Params, task: str = TASK) -> None:
    """Write dvc.lock as DVC does after it has run all stages with these settings: hashes of what lies on disk.

    And the digests that the stages write beside their files.
    """
    for stage in artifacts.WITH_SUMS:
        artifacts.write_sums(artifacts.folder(stage, task, root))

    def files(*paths: str) -> list[dict[str, str]]:
        return [{"path": p, "hash": "md5", "md5": checks.hash_of(root / p, root)} for p in paths]

    generated, trained = f"artifacts/generate/{task}", f"artifacts/train/{task}"
    told = made.model_dump() | {f"tasks.{task}": made.task(task).model_dump()}
    train = {f"train.{k}": v for k, v in told["train"].items() if k not in UNRECORDED}
    entries: dict[str, Any] = {}
    for stage, deps, keys in (
        ("generate", (), ("seed", f"tasks.{task}")),
        ("train", (f"{generated}/train.csv",), ("seed", f"tasks.{task}", "network")),
        ("evaluate", (f"{generated}/test.csv", trained), ("evaluate",)),
        ("analyze", (f"{generated}/test.csv", trained), ("analyze",)),
    ):
        outs = [f"artifacts/{stage}/{task}"]
        outs += [f"reports/{stage}/{task}.json"] * (stage in ("evaluate", "analyze"))
        values = {key: told[key] for key in keys} | (train if stage == "train" else {})
        entries[f"{stage}@{task}"] = {
            "cmd": f"python stages/{stage}.py {task}",
            "deps": files(*deps),
            "params": {"params.yaml": values},
            "outs": files(*outs),
        }
    results = [f"artifacts/{stage}" for stage in lock.STAGES]
    report = {"cmd": "report", "deps": files(*results), "outs": files("reports/figures")}
    (root / "dvc.lock").write_text(lock.as_text(entries | {"report": report}))


def _dump(path: Path, what: Any) -> None:
    path.write_text(json.dumps(what))


def publish(root: Path) -> runs.Published:
    return publishing.publish(TASK, params.read(root / "params.yaml"), root)


def client_of(root: Path) -> tuple[Any, str]:
    where = config.resolve(root)
    client = store.open_store(where)
    return client, store.experiment_id(client, where, "ctrnn")


def all_runs(root: Path) -> list[Any]:
    client, experiment = client_of(root)
    return list(client.search_runs([experiment]))


def holdings(root: Path, run_id: str) -> dict[str, Any]:
    """What a run holds, less its id and the clock: points are listed, so a double shows."""
    client, _ = client_of(root)
    run = client.get_run(run_id)
    folder = Path(client.download_artifacts(run_id, ""))
    points = {
        name: sorted((m.step, m.value) for m in client.get_metric_history(run_id, name))
        for name in run.data.metrics
    }
    return {
        "status": run.info.status,
        "params": run.data.params,
        "tags": run.data.tags,
        "points": points,
        "datasets": sorted(i.dataset.name for i in run.inputs.dataset_inputs),
        "files": sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()),
    }


def start_in_a_fork(work: Callable[[], Any]) -> int:
    """Begin the work in a process of its own (status 1 if it raises); returns its id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def status_of(child: int) -> int:
    """Wait for a child; its exit status (negative: the signal that ended it)."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def start_follower(training: EventLogWriter, every: int = 0) -> int:
    """A process without patience that follows a event log which this process writes, or has written; its id.

    every: milliseconds between points of a curve.
    """

    def work() -> None:
        if training._file is not None:
            training._file.close()  # a fork holds the lock too
        live.PATIENCE, live.INTERVAL, live.EVERY = 0.0, 0.05, every
        live.follow(training.path, training.path.parents[1])

    return start_in_a_fork(work)
