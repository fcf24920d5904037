"""What derived equations cost: the kernel of `rate` beside the one written by hand, other models beside `rate`.

A training step of T 500, 200 units and 64 trials on one thread, interleaved, with each instruction set. The kernel
written by hand is that of the last commit that had it, from git. Writes reports/benchmarks/derived_kernel.{json,md}.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.training_step import ROOT, Contender
from ctrnn.kernel import build

BY_HAND = "0482b5d"  # the commit before the equations were derived
LIMITS = {"rate": 1.03, "adaptation": 1.25, "short_term_plasticity": 1.5}
Row = dict[str, Any]


def checkout_of(commit: str, folder: Path) -> Path:
    """The code of a commit, in an empty folder."""
    parts = ("src", "benchmarks", "params.yaml")
    archive = subprocess.run(
        ["git", "archive", commit, *parts], cwd=ROOT, check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive, check=True)
    return folder


def measure(isa: str, by_hand: Path, rounds: int) -> list[Row]:
    """Medians of `rounds` interleaved steps; ratios are medians, and quartiles, of those of a round."""
    environment = {"CTRNN_ISA": isa}
    contenders = {"rate by hand": Contender("native", {}, by_hand, environment)} | {
        model: Contender("native", {"model": model}, environment=environment) for model in LIMITS
    }
    for _ in range(rounds):
        for contender in contenders.values():
            contender.step()
    costs = {name: [c["cpu_ms"] for c in contenders[name].costs] for name in contenders}
    rows: list[Row] = []
    for name, own in costs.items():
        row = {"model": name, "isa": isa, "cpu_ms": statistics.median(own), "fastest_ms": min(own)}
        if name in LIMITS:
            beside = "rate by hand" if name == "rate" else "rate"
            ratios = [mine / other for mine, other in zip(own, costs[beside], strict=True)]
            low, ratio, high = statistics.quantiles(ratios, n=4)
            row |= {"beside": beside, "ratio": ratio, "quartiles": [low, high]}
            row |= {"ratio_of_fastest": min(own) / min(costs[beside]), "limit": LIMITS[name]}
        rows.append(row)
    for contender in contenders.values():
        contender.close()
    return rows


def table(rows: list[Row], rounds: int) -> str:
    """The rows as a Markdown table."""
    compiler = subprocess.check_output([*build.compiler(), "--version"], text=True).splitlines()[0]
    lines = [
        f"CPU time of a training step (T 500, 200 units, 64 trials, one thread), {rounds} interleaved steps of each,",
        f"compiled by {compiler}. A ratio is the median of the ratios of a round; in brackets their quartiles, and the",
        f"ratio of the fastest steps. `rate by hand` is the kernel of commit {BY_HAND}.",
        "",
        "| instruction set | model | median, ms | fastest, ms | beside | ratio | limit |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        start = f"| {row['isa']} | {row['model']} | {row['cpu_ms']:.1f} | {row['fastest_ms']:.1f} |"
        rest = " | | |"
        if "ratio" in row:
            low, high = row["quartiles"]
            spread = f"({low:.2f} to {high:.2f}; {row['ratio_of_fastest']:.2f})"
            rest = f" {row['beside']} | {row['ratio']:.3f} {spread} | {row['limit']} |"
        lines.append(start + rest)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument(
        "--isa",
        nargs="+",
        choices=build.FLAGS,
        help="default: avx512 and avx2 where the CPU has them",
    )
    given = parser.parse_args()
    wider = ["avx512", "avx2"]
    best = build.best_isa()
    sets = given.isa or (wider[wider.index(best) :] if best in wider else [best])
    with tempfile.TemporaryDirectory() as folder:
        by_hand = checkout_of(BY_HAND, Path(folder))
        rows = [row for isa in sets for row in measure(isa, by_hand, given.rounds)]
    text = table(rows, given.rounds)
    record.write("derived_kernel", rows, text)
    print(text)


if __name__ == "__main__":
    main()
