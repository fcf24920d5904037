"""The command `ctrnn`: `ctrnn sweep` runs a sweep, `ctrnn report-sweep` shows what came out of it."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pandas import DataFrame

from ctrnn import params, tracking
from ctrnn.complaints import nearest, one_sentence
from ctrnn.sweep import engine, page, table
from ctrnn.sweep.checkout import Checkout
from ctrnn.sweep.plan import plan
from ctrnn.sweep.points import Point, SweepError, labels, points
from ctrnn.sweep.progress import Progress
from ctrnn.tracking import place, reading, sweeps

FOLDER = Path("reports") / "sweeps"


def sweep(
    sets: Sequence[str], tasks: Sequence[str], name: str | None, address: str | None, dry: bool
) -> None:
    """Run what is missing of a sweep, then report on all of it.

    Raises ParamsError before anything runs where a key, a task or every value is wrong; SweepError at the end where
    points have failed.
    """
    checkout = Checkout(place.main_checkout())
    asked = points(sets, tasks, checkout.root)
    commit = checkout.commit
    settings = params.load(checkout.root / "params.yaml")
    tracking.init(settings, checkout.root)
    runs = reading.table(settings.publish.experiment, checkout.root)
    ahead = plan(asked, checkout, set(runs["key"].dropna()) if len(runs) else set())
    print(f"sweep: {ahead.text()}", flush=True)
    if dry:
        return
    told = describe(sets, asked, name, commit)
    folder = checkout.root / FOLDER / told["name"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sweep.json").write_text(json.dumps(told, indent=1) + "\n")
    done = checkout.experiments({point.name for point in ahead.todo})
    for point in ahead.todo:
        if point.name in done:  # its runs are not in this store: the point takes the rest from DVC
            checkout.git("update-ref", "-d", done[point.name].ref)
    with Progress(ahead) as progress:
        if ahead.todo:
            for running, ended in engine.run(
                ahead.todo, checkout.root, commit, ahead.threads, address
            ):
                progress.update(running, ended)
    if progress.done or ahead.cached:
        report(told["name"], None if ahead.todo else runs)
    if progress.failed:
        first = progress.failed[0]
        raise SweepError(
            f"{len(progress.failed)} of {len(asked)} points failed, the first with {first['failure']!r}; "
            f"their logs are in {checkout.log('*').parent}; the same command runs them again"
        )


def describe(
    sets: Sequence[str], asked: Sequence[Point], name: str | None, commit: str
) -> dict[str, Any]:
    """What sweep.json holds."""
    axes: dict[str, list[Any]] = {}
    for point in asked:
        for key, value in point.chosen.items():
            if value not in axes.setdefault(key, []):
                axes[key].append(value)
    known = next(point.settings for point in asked if point.settings)
    digest = hashlib.sha256(json.dumps([point.name for point in asked]).encode()).hexdigest()[:6]
    words = list(labels(axes).values()) or ["point"]
    return {
        "name": name or "-".join([*words, digest]),
        "commit": commit,
        "tasks": list(known.tasks),
        "axes": axes,
        "fixed": [one for one in sets if one.partition("=")[0] not in axes],
        "points": [{"name": point.name, "values": point.chosen} for point in asked],
    }


def report(name: str | None, runs: DataFrame | None = None) -> None:
    """Write reports/sweeps/<name>/ from the tracked runs of a sweep (the latest, where none is named), and register it.

    runs: the finished runs, where they have just been read: thousands take minutes. Raises SweepError where there is no
    such sweep, or none of its points has results.
    """
    checkout = Checkout(place.main_checkout())
    known = {path.parent.name: path for path in (checkout.root / FOLDER).glob("*/sweep.json")}
    if not known:
        raise SweepError(f"{checkout.root / FOLDER} holds no sweep; run ctrnn sweep first")
    name = name or max(known, key=lambda one: known[one].stat().st_mtime)
    if name not in known:
        raise SweepError(f"{name} is not a sweep; {nearest(name, known)}")
    told = json.loads(known[name].read_text())
    experiment = params.load(checkout.root / "params.yaml").publish.experiment
    if runs is None:
        runs = reading.table(experiment, checkout.root)
    finished = checkout.experiments({one["name"] for one in told["points"]})
    rows = table.rows(told["points"], finished, runs)
    if rows.empty:
        raise SweepError(f"no point of sweep {name} has results; run ctrnn sweep again")
    missing = [one["name"] for one in told["points"] if one["name"] not in set(rows["experiment"])]
    ui, number = sweeps.address(experiment, checkout.root)
    shown = {**told, "ui": ui, "mlflow_experiment": number}
    path = page.write(known[name].parent, shown, rows, missing)
    run_id = sweeps.register(
        name, experiment, page.settings(told), page.metrics(rows), path.parent, checkout.root
    )
    print(f"sweep: {path}; networks.csv and effects.csv beside it; run {run_id} in MLflow")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. Exits with one sentence, and not with 0, where something is wrong."""
    parser = argparse.ArgumentParser(prog="ctrnn", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser(
        "sweep", help="run every combination of some settings as a DVC experiment"
    )
    one.add_argument(
        "-S", "--set-param", action="append", default=[], metavar="KEY=VALUE[,VALUE...]",
        help="a setting and its values, as `dvc exp run -S` takes them; ranges too: 'key=range(1,4)'",
    )  # fmt: skip
    one.add_argument("--tasks", default="", help="tasks of params.yaml, by commas (all)")
    one.add_argument("--name", help="of the sweep; made from its axes where left out")
    one.add_argument("--address", help="of a Ray cluster (this machine)")
    one.add_argument("--dry", action="store_true", help="show the plan only")
    other = commands.add_parser("report-sweep", help="show what came out of a sweep")
    other.add_argument("name", nargs="?", help="of the sweep (the latest)")
    given = parser.parse_args(arguments)
    with one_sentence(given.command):
        if given.command == "sweep":
            tasks = [task for task in given.tasks.split(",") if task]
            sweep(given.set_param, tasks, given.name, given.address, given.dry)
        else:
            report(given.name)


if __name__ == "__main__":
    main(sys.argv[1:])
