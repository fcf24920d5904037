"""What the pipeline costs around its own work: every stage of the small configuration, and two whole repros.

`PYTHONPATH=src:. python benchmarks/pipeline_overhead.py` times, one after the other in each round, the imports of a
stage, the stage, and DVC running that stage alone: the medians tell work, imports and DVC's share apart. Then a repro
with nothing to do, and one after a change of `report.dpi`, which draws and publishes every task's figures anew. Writes
reports/benchmarks/pipeline.{json,md}.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks import record
from tests.pipeline.checkout import ROOT, Checkout

TASK = "mante"  # the task with the longest trials
STAGES = ("generate", "train", "evaluate", "analyze", "report", "publish")
IMPORTS = (
    "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='imports')"
)
Cost = tuple[float, float]  # wall and CPU, seconds


def cost(checkout: Checkout, *command: str) -> Cost:
    """Time of a command, with all that it starts."""
    before, begun = os.times(), time.perf_counter()
    subprocess.run(
        command,
        cwd=checkout.folder,
        env={**checkout.environment, "PYTHONPATH": "src"},
        check=True,
        capture_output=True,
    )
    wall, after = time.perf_counter() - begun, os.times()
    spent = (
        after.children_user - before.children_user,
        after.children_system - before.children_system,
    )
    return wall, sum(spent)


def measure(checkout: Checkout, rounds: int) -> dict[str, dict[str, Cost]]:
    """Medians by stage: of its imports, of the stage, and of DVC running it; the last two are whole repros."""
    seen: dict[str, dict[str, list[Cost]]] = {}
    for read_new in range(rounds):
        for stage in STAGES:
            of_all = stage == "report"
            arguments = [f"stages/{stage}.py", *([] if of_all else [TASK])]
            name = stage if of_all else f"{stage}@{TASK}"
            times = {
                "imports": cost(checkout, "python", "-c", IMPORTS, *arguments),
                "stage": cost(checkout, "python", *fresh(checkout, arguments)),
                "dvc": cost(
                    checkout, "dvc", "repro", "--force", "--single-item", *fresh(checkout, [name])
                ),
            }
            for kind, seconds in times.items():
                seen.setdefault(stage, {}).setdefault(kind, []).append(seconds)
        nothing = cost(checkout, "dvc", "repro")
        seen.setdefault("nothing to do", {}).setdefault("dvc", []).append(nothing)
        checkout.change("report.dpi", 161 + read_new)
        redrawn = cost(checkout, "dvc", "repro")
        seen.setdefault("report.dpi changed", {}).setdefault("dvc", []).append(redrawn)
    return {
        stage: {
            kind: (statistics.median(w for w, _ in costs), statistics.median(c for _, c in costs))
            for kind, costs in kinds.items()
        }
        for stage, kinds in seen.items()
    }


def fresh(checkout: Checkout, arguments: list[str]) -> list[str]:
    """The arguments, once there is no checkpoint to go on from."""
    checkout.run("rm", "-rf", ".checkpoints")
    return arguments


def table(medians: dict[str, dict[str, Cost]], rounds: int) -> str:
    """The medians as a Markdown table."""
    lines = [
        f"Seconds of wall time (CPU time), medians of {rounds} rounds on {os.cpu_count()} cores; small configuration, "
        f"task `{TASK}`, lock of all tasks. A stage's work is what follows its imports; MLflow is imported in it.",
        "",
        "| stage | imports | own work | DVC | in all |",
        "|---|---|---|---|---|",
    ]
    for stage, kinds in medians.items():
        whole = kinds["dvc"]
        if stage in STAGES:
            imports, alone = kinds["imports"], kinds["stage"]
            parts = [imports, less(alone, imports), less(whole, alone), whole]
        else:
            parts = [whole, whole]
        cells = [""] * (4 - len(parts)) + [f"{wall:.1f} ({cpu:.1f})" for wall, cpu in parts]
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def less(whole: Cost, part: Cost) -> Cost:
    """What is left of a time without a part of it, both measured: 0 where that says less than nothing."""
    return max(0.0, whole[0] - part[0]), max(0.0, whole[1] - part[1])


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    tasks = tuple(yaml.safe_load((ROOT / "params.yaml").read_text())["tasks"])
    with tempfile.TemporaryDirectory() as scratch:
        checkout = Checkout(Path(scratch) / "checkout", tasks)
        checkout.repro()
        medians = measure(checkout, rounds)
    text = table(medians, rounds)
    record.write("pipeline", medians, text)
    print(text)


if __name__ == "__main__":
    main()
