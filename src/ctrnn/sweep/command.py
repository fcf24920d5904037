"""The command `ctrnn`: `ctrnn sweep` runs a sweep, `ctrnn report-sweep` shows what came out of it."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from filelock import Timeout
from pandas import DataFrame

from ctrnn.errors import exit_on_user_error, nearest
from ctrnn.sweep import engine, page, table
from ctrnn.sweep.checkout import Checkout, Experiment, SweepError
from ctrnn.sweep.engine import Progress
from ctrnn.sweep.plan import Point, labels, plan, points
from ctrnn.tracking import config, publishing, reading

FOLDER = Path("reports") / "sweeps"


NAME = r"\w(?:[\w .,=+-]*\w)?"


def sweep(
    sets: Sequence[str], tasks: Sequence[str], name: str | None, address: str | None, dry: bool
) -> None:
    """Run what is missing of a sweep, then report on all of it.

    Raises ParamsError before anything runs where a key, a task or every value is wrong, and SweepError where the name
    is, or where a sweep of this name is running; SweepError at the end where points have failed.
    """
    check_name(name)
    checkout = Checkout(config.main_checkout())
    asked = points(sets, tasks, checkout.root)
    commit = checkout.commit
    settings = next(point.settings for point in asked if point.settings)
    publishing.init(settings, checkout.root)
    done = checkout.experiments({point.name for point in asked})
    runs = finished_runs(settings.publish.experiment, done, checkout)
    ahead = plan(asked, checkout, done, set(runs["key"].dropna()) if len(runs) else set())
    print(f"sweep: {ahead.text()}", *ahead.reasons(), sep="\nsweep: ", flush=True)
    if dry:
        return
    described = describe(sets, asked, name, commit)
    with alone(checkout, described["name"]):
        folder = checkout.root / FOLDER / described["name"]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sweep.json").write_text(json.dumps(described, indent=1) + "\n")
        earlier = {name: experiment.ref for name, experiment in done.items()}
        with Progress(ahead) as progress:
            if ahead.todo:
                coming = engine.run(ahead.todo, earlier, checkout, commit, ahead.threads, address)
                with closing(coming):
                    for running, ended in coming:
                        progress.update(running, ended)
        if progress.done or ahead.cached:
            report(described["name"], None if ahead.todo else runs)
    if progress.failed:
        first = progress.failed[0]
        raise SweepError(
            f"{len(progress.failed)} of {len(asked)} points failed, the first with {first['failure']!r}; "
            f"their logs are in {checkout.log('*').parent}; the same command runs them again"
        )


def check_name(name: str | None) -> None:
    """Raises SweepError where a sweep cannot have this name, which is that of a folder below FOLDER."""
    if name is not None and not (re.fullmatch(NAME, name) and len(name.encode()) <= 100):
        raise SweepError(
            f"--name {name[:100]!a} is not the name of a sweep; give letters, digits and _ . , = + - or spaces, "
            "100 bytes at most, with a letter or digit first and last"
        )


@contextmanager
def alone(checkout: Checkout, name: str) -> Iterator[None]:
    """Raises SweepError where a sweep of this name is running."""
    lock = checkout.lock(f"sweep {name}", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise SweepError(
            f"a sweep {name} is running; wait for its end, or give this one another name by --name"
        ) from None
    try:
        yield
    finally:
        lock.release()


def finished_runs(experiment: str, done: Mapping[str, Experiment], checkout: Checkout) -> DataFrame:
    """The finished runs in an experiment of MLflow, but for those that contradict what is done: these are told."""
    runs, contradictions = table.honest(reading.table(experiment, checkout.root), done.values())
    for contradiction in contradictions:
        print(f"sweep: {contradiction}", file=sys.stderr, flush=True)
    return runs


def describe(
    sets: Sequence[str], asked: Sequence[Point], name: str | None, commit: str
) -> dict[str, Any]:
    """What sweep.json holds."""
    axes: dict[str, list[Any]] = {}
    for point in asked:
        for key, value in point.chosen.items():
            if value not in axes.setdefault(key, []):
                axes[key].append(value)
    settings = next(point.settings for point in asked if point.settings)
    return {
        "name": name or named(axes, asked),
        "commit": commit,
        "tasks": list(settings.tasks),
        "axes": axes,
        "fixed": [override for override in sets if override.partition("=")[0] not in axes],
        "points": [{"name": point.name, "values": point.chosen} for point in asked],
    }


def named(axes: Iterable[str], asked: Sequence[Point]) -> str:
    """The name of a sweep that was given none: its axes, and the beginning of a hash of its points."""
    digest = hashlib.sha256(json.dumps([point.name for point in asked]).encode()).hexdigest()[:6]
    return "-".join(["-".join(labels(axes).values())[:80] or "point", digest])


def report(name: str | None, runs: DataFrame | None = None) -> None:
    """Write reports/sweeps/<name>/ from the tracked runs of a sweep (the latest, where none is named), and register it.

    runs: the finished runs, where they have just been read: thousands take minutes. Raises SweepError where there is no
    such sweep, or none of its points has results.
    """
    checkout = Checkout(config.main_checkout())
    sweeps = {path.parent.name: path for path in (checkout.root / FOLDER).glob("*/sweep.json")}
    if not sweeps:
        raise SweepError(f"{checkout.root / FOLDER} holds no sweep; run ctrnn sweep first")
    name = name or max(sweeps, key=lambda sweep_name: sweeps[sweep_name].stat().st_mtime)
    if name not in sweeps:
        raise SweepError(f"{name} is not a sweep; {nearest(name, sweeps)}")
    described = json.loads(sweeps[name].read_text())
    finished = checkout.experiments({point["name"] for point in described["points"]})
    if not finished:
        raise SweepError(f"no point of sweep {name} has results; run ctrnn sweep again")
    experiment = next(iter(finished.values())).settings.publish.experiment
    if runs is None:
        runs = finished_runs(experiment, finished, checkout)
    rows = table.rows(described["points"], finished, runs)
    if rows.empty:
        raise SweepError(f"no point of sweep {name} has results; run ctrnn sweep again")
    ui, number = publishing.address(experiment, checkout.root)
    shown = {**described, "ui": ui, "mlflow_experiment": number}
    with checkout.lock("reports"):
        path = page.write(sweeps[name].parent, shown, rows, without_results(described, rows))
        run_id = publishing.register(
            name,
            experiment,
            page.settings(described),
            page.metrics(described, rows),
            path.parent,
            checkout.root,
        )
    print(f"sweep: {path}; networks.csv and effects.csv beside it; run {run_id} in MLflow")


def without_results(described: dict[str, Any], rows: DataFrame) -> list[str]:
    """Names of the points that have no rows, and of those without rows of some tasks, with these."""
    has = set(zip(rows["experiment"], rows["task"], strict=True))
    missing = []
    for point in (entry["name"] for entry in described["points"]):
        lacks = [task for task in described["tasks"] if (point, task) not in has]
        if lacks:
            missing.append(
                point if lacks == described["tasks"] else f"{point} ({', '.join(lacks)})"
            )
    return missing


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. Exits with one sentence, and not with 0, where something is wrong."""
    parser = argparse.ArgumentParser(prog="ctrnn", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    of_sweep = commands.add_parser(
        "sweep", help="run every combination of some settings as a DVC experiment"
    )
    of_sweep.add_argument(
        "-S", "--set-param", action="append", default=[], metavar="KEY=VALUE[,VALUE...]",
        help="a setting and its values, as `dvc exp run -S` takes them; ranges too: 'key=range(1,4)'",
    )  # fmt: skip
    of_sweep.add_argument("--tasks", default="", help="tasks of params.yaml, by commas (all)")
    of_sweep.add_argument("--name", help="of the sweep; made from its axes where left out")
    of_sweep.add_argument("--address", help="of a Ray cluster (this machine)")
    of_sweep.add_argument("--dry", action="store_true", help="show the plan only")
    other = commands.add_parser("report-sweep", help="show what came out of a sweep")
    other.add_argument("name", nargs="?", help="of the sweep (the latest)")
    given = parser.parse_args(arguments)
    with exit_on_user_error(given.command):
        if given.command == "sweep":
            tasks = [task for task in given.tasks.split(",") if task]
            sweep(given.set_param, tasks, given.name, given.address, given.dry)
        else:
            report(given.name)


if __name__ == "__main__":
    main(sys.argv[1:])
