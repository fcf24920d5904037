"""One training step, this project's backends beside others: interleaved, medians, ratios to the plain loop.

Every contender lives in a process of its own and makes a step when it is its turn, so that whatever else the machine
does falls on all alike. Writes reports/benchmarks/training_step.{json,md,png}; with --growth, also how the time grows
with each dimension (growth.{json,md}).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from benchmarks import record
from benchmarks.contenders import CONTENDERS, Size

ROOT = Path(__file__).parents[1]
NAMES = tuple(CONTENDERS)
GROWTH: dict[str, list[Any]] = {  # one dimension at a time, the others as in Size
    "T": [100, 200, 500, 1000, 2000],
    "n": [50, 100, 200, 400, 1000],
    "trials": [16, 32, 64, 128, 512],
    "density": [0.05, 0.1, 0.2, 0.4, 1.0],
    "networks": [1, 2, 4, 8],
}
Row = dict[str, Any]


class Contender:
    """A contender's process; `missing` says what it lacks.

    size: fields of `Size`. checkout: whose code it is. environment: what is set beside the present variables.
    """

    def __init__(
        self,
        name: str,
        size: Mapping[str, Any],
        checkout: Path = ROOT,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        script = checkout / "benchmarks" / "contenders.py"
        threads = size.get("threads", 1)
        pinned = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        if threads == 1:
            pinned["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        pinned["PYTHONPATH"] = os.pathsep.join([str(checkout / "src"), str(checkout)])
        self.process = subprocess.Popen(
            [sys.executable, str(script), name, json.dumps(size)],
            cwd=checkout,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **pinned, **(environment or {})},
        )
        self.costs: list[dict[str, float]] = []
        self.missing = self._answer().get("missing")

    def step(self) -> None:
        """Make a step and note its cost."""
        assert self.process.stdin
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        self.costs.append(self._answer())

    def close(self) -> None:
        """End the process."""
        self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


def measure(names: list[str], size: Size, rounds: int) -> list[Row]:
    """Medians of `rounds` interleaved steps of every contender that is installed, as rows."""
    contenders = {name: Contender(name, asdict(size)) for name in names}
    for name, contender in contenders.items():
        if contender.missing:
            print(f"{name} is left out: {contender.missing}")
    present = {name: c for name, c in contenders.items() if not c.missing}
    for _ in range(rounds):
        for contender in present.values():
            contender.step()
    rows = []
    for name, contender in present.items():
        median = {
            key: statistics.median(cost[key] for cost in contender.costs)
            for key in ("cpu_ms", "wall_ms", "peak_mb")
        }
        row = {"contender": name, **asdict(size), **median}
        if "loop" in present:
            row["ratio_to_loop"] = statistics.median(
                mine["cpu_ms"] / theirs["cpu_ms"]
                for mine, theirs in zip(present["loop"].costs, contender.costs, strict=True)
            )
        rows.append(row)
    for contender in contenders.values():
        contender.close()
    return rows


def fma_peak() -> float:
    """GFLOP/s of one core in fused multiply-adds, with the kernel's own vectors."""
    from ctrnn.kernel import build

    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "peak"
        strict = [flag for flag in build.STRICT if flag not in ("-fPIC", "-shared")]
        flags = [*strict, *build.FLAGS[build.isa()]]
        source = ROOT / "benchmarks" / "fma_peak.c"
        subprocess.run(
            [*build.compiler(), *flags, str(source), "-o", str(program), "-lm"], check=True
        )
        return float(subprocess.check_output([str(program)], text=True))


def table(rows: list[Row], peak: float) -> str:
    """The rows as a Markdown table."""
    lines = [
        f"One core makes {peak:.0f} GFLOP/s of fused multiply-adds in the same run. Medians of interleaved steps.",
        "",
        "| contender | T | units | trials | threads | CPU, ms | wall, ms | memory, MB | times the loop |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        sizes = " | ".join(str(row[key]) for key in ("contender", "T", "n", "trials", "threads"))
        costs = f"{row['cpu_ms']:.1f} | {row['wall_ms']:.1f} | {row['peak_mb']:.0f} | {row['ratio_to_loop']:.1f}"
        lines.append(f"| {sizes} | {costs} |")
    return "\n".join(lines) + "\n"


def growth_table(rows: list[Row]) -> str:
    """CPU time of a step by dimension: a column per value, a line per backend."""
    parts = [
        "CPU time of a training step, ms, one thread; one dimension grows, the others are "
        + (
            ", ".join(f"{key} {value}" for key, value in asdict(Size()).items() if key in GROWTH)
            + "."
        )
    ]
    for dimension, values in GROWTH.items():
        own = [row for row in rows if row["grows"] == dimension]
        lines = [
            f"| {dimension} | {' | '.join(map(str, values))} |",
            f"|---|{'---|' * len(values)}",
        ]
        for name in dict.fromkeys(row["contender"] for row in own):
            costs = [f"{row['cpu_ms']:.1f}" for row in own if row["contender"] == name]
            lines.append(f"| {name} | {' | '.join(costs)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def figure(rows: list[Row], path: Path) -> None:
    """Step time against T, a line for each contender, on one thread."""
    made, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
    for name in NAMES:
        points = [
            (row["T"], row["cpu_ms"])
            for row in rows
            if row["contender"] == name and row["threads"] == 1
        ]
        if points:
            axes.plot(*zip(*sorted(points), strict=True), marker="o", label=name)
    axes.set(
        xlabel="time steps of a trial", ylabel="CPU time of a training step (ms)", yscale="log"
    )
    axes.legend(frameon=False)
    made.savefig(path, dpi=150)


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--T", type=int, nargs="+", default=[100, 300, 500])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--growth", action="store_true", help="also grow one dimension at a time")
    given = parser.parse_args()
    names = ["loop", *(name for name in given.contenders if name != "loop")]
    rows = [
        row
        for threads in given.threads
        for T in given.T
        for row in measure(names, Size(T=T, threads=threads), given.rounds)
    ]
    text = table(rows, fma_peak())
    record.write("training_step", rows, text)
    figure(rows, record.FOLDER / "training_step.png")
    print(text)
    if given.growth:
        grown = [
            {"grows": dimension, **row}
            for dimension, values in GROWTH.items()
            for value in values
            for row in measure(["native", "torch"], replace(Size(), **{dimension: value}), 3)
        ]
        record.write("growth", grown, growth_table(grown))
        print(growth_table(grown))


if __name__ == "__main__":
    main()
