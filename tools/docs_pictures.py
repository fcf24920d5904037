"""Make every picture of docs/ anew: `make docs-pictures`; `--results` leaves out those of MLflow.

Two pictures come from the results of the checkout, which `make repro` makes; maps in docs/explanation/results from
a committed table. Those of MLflow are taken by Chromium in a clone that goes through the README's first ten minutes:
the shipped settings, then p_inh = 0.3. made_from.json beside the pictures says what each was made from; a test compares
that with the checkout as it is.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ctrnn import params
from ctrnn.core import artifacts
from ctrnn.event_log import EventLogWriter
from ctrnn.figures import figures
from experiments import page, run
from tests.browser import Browser
from tests.pages import MlflowPages
from tests.server import Server
from tests.tracked import all_runs, client_of, start_follower, status_of

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
MADE_FROM = PICTURES / "made_from.json"
NOTEBOOK = ROOT / "docs" / "tutorials" / "notebook.md"
FIGURES = ROOT / "src" / "ctrnn" / "figures"
OF_MLFLOW = ("runs", "compare", "charts", "figure", "curve")
P_INH = re.compile(r"(?m)^( +p_inh: *)0\.2\b")


def sources(root: Path = ROOT) -> dict[str, Any]:
    """What every picture is made from: digests of results as in dvc.lock, of code, and names of figures."""
    stages = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    results = {
        out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", ())
    }
    drawn = {name: _digest(_code(FIGURES / name)) for name in ("state_space.py", "style.py")}
    return {
        "mante-state-space.png": {"artifacts/analyze/mante": results["artifacts/analyze/mante"], **drawn},
        "psychometric.png": {
            "artifacts/train/mante": results["artifacts/train/mante"],
            NOTEBOOK.name: _digest(psychometric_block().encode()),
        },
        **{f"mlflow-{name}.png": {} for name in OF_MLFLOW},
        "mlflow-figure.png": {"figures": list(figures())},
    }  # fmt: skip


def psychometric_block() -> str:
    """The block of the notebook's page that saves psychometric.png."""
    blocks = re.findall(r"```python\n(.*?)```", NOTEBOOK.read_text(encoding="utf-8"), re.DOTALL)
    return str(next(block for block in blocks if "psychometric.png" in block))


def from_results() -> None:
    """The pictures that come from the results of the checkout."""
    shutil.copy(
        artifacts.figures_folder("mante", ROOT) / "state_space.png",
        PICTURES / "mante-state-space.png",
    )
    _run(ROOT, sys.executable, "-c", psychometric_block())
    shutil.move(ROOT / "psychometric.png", PICTURES / "psychometric.png")
    page.write(run.TABLE, ROOT / "docs" / "explanation")


def from_mlflow(folder: Path) -> None:
    """The pictures of MLflow, from a clone in this folder of the last commit; it shares the checkout's DVC cache."""
    clone = folder / "ctrnn"
    _run(ROOT, "git", "clone", "--quiet", str(ROOT), str(clone))
    _run(clone, "dvc", "cache", "dir", "--local", str(ROOT / ".dvc" / "cache"))
    settings = clone / "params.yaml"
    for p_inh in ("0.2", "0.3"):
        settings.write_text(P_INH.sub(rf"\g<1>{p_inh}", settings.read_text()))
        _run(clone, "dvc", "repro")
        _run(clone, sys.executable, "-m", "ctrnn.tracking", "publish")
    runs = all_runs(clone)
    mante = next(run for run in runs if run.data.tags["mlflow.runName"].startswith("mante"))
    (folder / "browser").mkdir()
    with (
        Server(folder, f"sqlite:///{clone}/mlflow.db") as server,
        Browser(folder / "browser") as browser,
    ):
        pages = MlflowPages(browser, server.uri, client_of(clone)[1], PICTURES)
        pages.runs(len(runs))
        pages.comparison([run.info.run_id for run in runs])
        pages.charts(len(runs))
        pages.figure(mante.info.run_id, "state_space")
        curve(clone, pages)


def curve(clone: Path, pages: MlflowPages) -> None:
    """The picture of a training that runs: the rows of mante's history, written once more."""
    history = artifacts.read_table(artifacts.folder("train", "mante", clone) / "history.csv")
    as_now = params.read(clone / "params.yaml")
    again = as_now.model_copy(update={"seed": as_now.seed + 1})
    with EventLogWriter("mante", again, root=clone) as training:
        training.write("a", [])
        for _, rows in history.groupby("iteration"):
            training.write("a", json.loads(rows.to_json(orient="records", double_precision=15)))
        follows = start_follower(training)
        while not (live := [run for run in all_runs(clone) if run.info.status == "RUNNING"]):
            time.sleep(0.1)
        pages.open_curves(live[0].info.run_id)
        pages.points(at_least=int(history["iteration"].max()))
    status_of(follows)


def write_sources(pictures: tuple[str, ...]) -> None:
    """Note what these pictures were made from, and their digests; what is noted of the others stays."""
    noted = json.loads(MADE_FROM.read_text()) if MADE_FROM.exists() else {}
    for name in pictures:
        digest = _digest((PICTURES / name).read_bytes())
        noted[name] = {"sha256": digest, "made_from": sources()[name]}
    artifacts.write_json(MADE_FROM, dict(sorted(noted.items())))


def _code(file: Path) -> bytes:
    """What a module does, without imports, comments and docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            kept = [part for part in body if not isinstance(part, ast.Import | ast.ImportFrom)]
            node.body = [part for part in kept if not _is_text(part)]  # type: ignore[attr-defined]
    return ast.dump(tree).encode()


def _is_text(statement: ast.AST) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _run(folder: Path, *command: str) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    more = {"PATH": path, "PYTHONPATH": "src", "MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run(command, cwd=folder, env={**kept, **more}, check=True)


def main(results_only: bool) -> None:
    """Make the pictures and note what they were made from."""
    from_results()
    names: tuple[str, ...] = ("mante-state-space.png", "psychometric.png")
    if not results_only:
        with TemporaryDirectory() as folder:
            from_mlflow(Path(folder))
        names = tuple(sources())
    write_sources(names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", action="store_true", help="leave out the pictures of MLflow")
    main(parser.parse_args().results)
