"""From the start of Python to a trained network on one thread, beside the tutorial's settings in its loop.

Each task is trained in a process of its own: imports, trial tables, training, checks. The tutorial's side is the
number of its iterations to criterion (learned once, counted; none where it was still at chance after 4900) times the
median cost of a step of its loop, measured here at the task's own length. Writes
reports/benchmarks/time_to_criterion.{json,md}.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import record

TASKS = ("go_nogo", "dmts", "mante", "xor")
TUTORIAL = {"go_nogo": 725, "mante": 1925}  # iterations to criterion of the tutorial's settings
SEEDS = (1, 2, 3)


def train_one(name: str, seed: int) -> dict[str, Any]:
    """Train one network of the shipped settings on one thread; what took how long, in seconds."""
    begun = time.perf_counter()
    from ctrnn import network, params, tasks
    from ctrnn.training import loop

    imported = time.perf_counter()
    shipped = params.read("params.yaml")
    changed = {"n_networks": 1, "threads": 1}
    settings = shipped.model_copy(
        update={"seed": seed, "train": shipped.train.model_copy(update=changed)}
    )
    task = tasks.get_task(name, settings.tasks, settings.network.dt)
    train, validation = (tasks.trial_table(task, split, seed) for split in ("train", "validation"))
    drawn = time.perf_counter()
    with tempfile.TemporaryDirectory() as store:
        backend = network.get_backend(settings.train)
        (state,) = loop.train(
            task,
            train,
            validation,
            settings.seed,
            settings.network,
            settings.train,
            backend,
            Path(store),
        )
    return {
        "task": name,
        "seed": seed,
        "iterations": state.iteration,
        "converged": state.converged,
        "imports_s": imported - begun,
        "trials_s": drawn - imported,
        "training_s": time.perf_counter() - drawn,
    }


def measure(name: str, seed: int) -> dict[str, Any]:
    """The same in a process of its own, with the wall time of all of it."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--one", name, str(seed)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # training speaks before
    return {**row, "total_s": time.perf_counter() - begun}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "Seconds from the start of Python to a trained network, one thread. The tutorial's: iterations times a step.",
        "",
        "| task | seed | iterations | imports | trials | training | all | tutorial's loop | times less |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        seconds = " | ".join(
            f"{row[key]:.2f}" for key in ("imports_s", "trials_s", "training_s", "total_s")
        )
        loop = (
            f"{row['tutorial_s']:.0f} | {row['ratio']:.0f}"
            if row["tutorial_s"]
            else "not learned | "
        )
        lines.append(
            f"| {row['task']} | {row['seed']} | {row['iterations']} | {seconds} | {loop} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, write, print."""
    from benchmarks.contenders import Size
    from benchmarks.training_step import measure as measure_step
    from ctrnn import params

    settings = params.read("params.yaml")
    rows = []
    for name in TASKS:
        size = Size(T=settings.task(name).T)
        (loop,) = measure_step(["loop"], size, 5)
        tutorial = TUTORIAL[name] * loop["wall_ms"] / 1e3 if name in TUTORIAL else None
        for seed in SEEDS:
            row = measure(name, seed)
            ratio = tutorial / row["total_s"] if tutorial else None
            rows.append(
                {**row, "loop_step_ms": loop["wall_ms"], "tutorial_s": tutorial, "ratio": ratio}
            )
    record.write("time_to_criterion", rows, table(rows))
    print(table(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, metavar=("TASK", "SEED"), help="only train one network")
    if one := parser.parse_args().one:
        print(json.dumps(train_one(one[0], int(one[1]))))
    else:
        main()
