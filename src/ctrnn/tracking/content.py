"""Everything that a run holds, gathered from files before MLflow or the store is touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from ctrnn import diary, lock
from ctrnn.artifacts import NO_FIGURES, SPLITS, read_json, read_table
from ctrnn.params import Params
from ctrnn.tracking import metrics, note, provenance
from ctrnn.tracking.metrics import Point
from ctrnn.tracking.place import TrackingError

SECTIONS = ("network", "train", "evaluate", "analyze")


@dataclass(frozen=True)
class Table:
    """A trial table as MLflow describes a dataset.

    source: its path in the checkout; digest: of its bytes; columns: name and kind.
    """

    name: str
    split: str
    digest: str
    source: str
    rows: int
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Content:
    """A run.

    key: hash of what it was computed from, without figures; figures_digest: hash of these.
    diary: where its training kept, or would keep, its diary.
    start: of training, in milliseconds since 1970, where known.
    files: path in the run -> file; texts: path in the run -> what it holds.
    """

    name: str
    key: str
    params: dict[str, str]
    tags: dict[str, str]
    description: str
    final: list[Point]
    curves: list[Point]
    files: dict[str, Path]
    texts: dict[str, str]
    figures: dict[str, Path]
    figures_digest: str
    tables: list[Table]
    diary: Path
    start: int | None


def gather(task: str, params: Params, root: Path) -> Content:
    """The run of a task, from dvc.lock, params.yaml, artifacts/ and reports/ below `root`.

    Raises TrackingError where a file is missing, LockError where dvc.lock lacks an entry.
    """
    entries = lock.chain(task, root)
    trained = root / "artifacts" / "train" / task
    files = {
        "params.yaml": root / "params.yaml",
        "history.csv": trained / "history.csv",
        "training.json": trained / "summary.json",
        "outcomes.csv": root / "artifacts" / "evaluate" / task / "outcomes.csv",
        "metrics/evaluate.json": root / "reports" / "evaluate" / f"{task}.json",
        "metrics/analyze.json": root / "reports" / "analyze" / f"{task}.json",
    }
    for i in range(params.train.n_networks):
        for stem in ("network", "initial"):
            files[f"weights/{stem}-{i}.safetensors"] = trained / f"{stem}-{i}.safetensors"
    # Made anew by every report, so that no figure in it is stale.
    drawn = root / "reports" / "figures" / task
    figures = {f"figures/{path.name}": path for path in sorted(drawn.glob("*.png"))}
    if not figures and not (drawn / NO_FIGURES).exists():
        raise TrackingError(f"{drawn} holds no figures; run dvc repro, or dvc checkout, first")
    tables = {split: root / "artifacts" / "generate" / task / f"{split}.csv" for split in SPLITS}
    for path in (*files.values(), *figures.values(), *tables.values()):
        if not path.is_file():
            raise TrackingError(f"{path} does not exist; run dvc repro, or dvc checkout, first")

    evaluated = read_json(files["metrics/evaluate.json"])
    analyzed = read_json(files["metrics/analyze.json"])
    training = read_json(files["training.json"])
    trained_for = [one["iterations"] for one in training["networks"]]
    iterations = {"mean": fmean(trained_for), "per_network": trained_for}
    key = lock.content_key(entries)
    history = _with_times(read_table(files["history.csv"]), diary.path(task, params, root))
    tags = provenance.tags(root, f"{params.train.backend} on {params.train.device}")
    return Content(
        name=run_name(task, params),
        key=key,
        params=flat_params(task, params),
        tags={
            **sorting_tags(task, params),
            **tags,
            **{f"dvc.out/{path}": digest for path, digest in lock.out_hashes(entries).items()},
        },
        description=note.write(task, params, training, evaluated, analyzed, tags, key),
        final=metrics.final(evaluated, analyzed, {"iterations": iterations}),
        curves=metrics.curves(history, params.train.n_networks),
        files=files,
        texts={"dvc.lock": lock.as_text(entries)},
        figures=figures,
        figures_digest=_digest(*figures.values()),
        tables=[_table(task, split, path, root) for split, path in tables.items()],
        diary=diary.path(task, params, root),
        start=min((row["time"] for row in history if row["time"]), default=None),
    )


def run_name(task: str, params: Params) -> str:
    """What a list of runs shows: the task and the settings that are mostly compared."""
    network = params.network
    name = f"{task} p_inh={network.p_inh:g} tau={network.tau:g}"
    return name if network.tau_inh is None else f"{name} tau_inh={network.tau_inh:g}"


def sorting_tags(task: str, params: Params) -> dict[str, str]:
    """What a list of runs is mostly grouped and sorted by."""
    network = params.network
    return {"task": task, "p_inh": f"{network.p_inh:g}", "tau": f"{network.tau:g}"}


def flat_params(task: str, params: Params) -> dict[str, str]:
    """Settings that the task depends on, by the keys of `dvc exp run -S`; values as in JSON."""
    settings: dict[str, Any] = {
        "seed": params.seed,
        "tasks": {task: params.task(task).model_dump()},
        **{section: getattr(params, section).model_dump() for section in SECTIONS},
    }
    return flatten(settings)


def flatten(settings: Mapping[str, Any]) -> dict[str, str]:
    """Nested settings by dotted keys; values as in JSON."""
    return dict(_flatten(settings, ""))


def _with_times(history: pd.DataFrame, diary_of_training: Path) -> list[diary.Row]:
    """Rows of history.csv, with the time of each where the diary tells it."""
    pages = diary.read(diary_of_training)
    known = pages.rows if pages else {}
    rows = [
        {str(column): value for column, value in row.items()} for row in history.to_dict("records")
    ]
    for row in rows:
        row["time"] = known.get((row["iteration"], row["network"]), {}).get("time")
    return rows


def _flatten(settings: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat += _flatten(value, f"{prefix}{key}.")
        else:
            flat.append((prefix + key, value if isinstance(value, str) else json.dumps(value)))
    return flat


def _table(task: str, split: str, path: Path, root: Path) -> Table:
    frame: pd.DataFrame = read_table(path)
    kinds = {"i": "long", "u": "long", "f": "double", "b": "boolean"}
    columns = tuple((str(c), kinds.get(frame[c].dtype.kind, "string")) for c in frame.columns)
    source = path.relative_to(root).as_posix()
    return Table(f"{task} trials", split, _digest(path), source, len(frame), columns)


def _digest(*paths: Path) -> str:
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in paths]
    return hashlib.sha256(b"".join(digests)).hexdigest()[:32]
