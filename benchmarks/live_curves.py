"""What it costs a training to be watched: the same training with `publish.live` on and off, in turn.

`PYTHONPATH=src:. python benchmarks/live_curves.py` trains the networks of `mante` at the shipped settings for as many
iterations as 50,000 points in MLflow need, on all cores. The CPU time is that of training and of whatever it has
started, which is waited for: the process that logs the points outlives training. Linux alone gives such orphans to
the process that asks for them. Writes reports/benchmarks/live_curves.{json,md}.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import shutil
import sqlite3
import statistics
import tempfile
from contextlib import closing, suppress
from pathlib import Path

from benchmarks import record
from benchmarks.pipeline_overhead import cost
from tests.pipeline.checkout import ROOT, Checkout

PR_SET_CHILD_SUBREAPER = 36
Row = dict[str, float]


def trained(checkout: Checkout, live: bool) -> Row:
    """Seconds of one training from nothing, and the points that MLflow has of it."""
    checkout.change("publish.live", live)
    shutil.rmtree(checkout.folder / ".checkpoints", ignore_errors=True)
    (checkout.folder / "mlflow.db").unlink(missing_ok=True)
    wall, cpu = cost(checkout, "python", "stages/train.py", "mante")
    before = os.times()
    with suppress(ChildProcessError):  # there is none left
        while True:
            os.wait()
    cpu += sum(os.times()[2:4]) - sum(before[2:4])  # of children
    return {"wall_s": wall, "cpu_s": cpu, "points": points(checkout)}


def points(checkout: Checkout) -> int:
    """Points of curves in the store of the checkout."""
    store = checkout.folder / "mlflow.db"
    if not store.exists():
        return 0
    with closing(sqlite3.connect(store)) as database:
        (count,) = database.execute("SELECT count(*) FROM metrics").fetchone()
        return int(count)


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--networks", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=1520)
    asked = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory() as scratch:
        checkout = Checkout(Path(scratch) / "checkout", ("mante",))
        shutil.copy(ROOT / "params.yaml", checkout.folder / "params.yaml")
        checkout.keep_tasks(("mante",))
        for key, value in (
            ("n_networks", asked.networks),
            ("max_iterations", asked.iterations),
            ("loss_criterion", 1e-20),  # which no network undercuts: all of them train to the end
            ("stop_criterion", "loss"),
        ):
            checkout.change(f"train.{key}", value)
        cost(checkout, "python", "stages/generate.py", "mante")
        rounds = [
            {
                name: trained(checkout, name == "on")
                for name in (("off", "on"), ("on", "off"))[i % 2]
            }
            for i in range(asked.rounds)
        ]
    text = table(rounds)
    record.write("live_curves", rounds, text)
    print(text)


def table(rounds: list[dict[str, Row]]) -> str:
    """The rounds as a Markdown table, and what watching adds, as a part of the training that is not watched."""
    lines = [
        f"The same training watched and not, in turn, on {os.cpu_count()} cores; seconds.",
        "",
        "| round | live curves | points | wall | CPU, with the process that logs |",
        "|---|---|---|---|---|",
        *(
            f"| {i + 1} | {name} | {row['points']:.0f} | {row['wall_s']:.1f} | {row['cpu_s']:.1f} |"
            for i, rows in enumerate(rounds)
            for name, row in rows.items()
        ),
        "",
    ]
    for kind, words in (("wall_s", "Wall time"), ("cpu_s", "CPU time")):
        added = statistics.median(
            seconds["on"][kind] / seconds["off"][kind] - 1 for seconds in rounds
        )
        lines.append(f"{words}: {100 * added:+.1f}% (median of the rounds).")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
