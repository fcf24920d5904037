"""Points of a sweep an hour: `ctrnn sweep` beside a plain loop of `dvc repro`, interleaved, and what a point costs.

`PYTHONPATH=src:. python benchmarks/sweep.py` runs, in each round, new points (other seeds) on the small configuration
with three networks: in a loop in one checkout, then as a sweep in another. Writes reports/benchmarks/sweep.{json,md}.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import record
from tests.pipeline.checkout import Checkout

TASKS = ("mante", "dmts")
# The README's sweep.
VALUES = [(p_inh, tau) for p_inh in (0.05, 0.1, 0.2, 0.3) for tau in (10, 20, 50)]
WORK = ("generate", "train", "evaluate", "analyze")  # the rest of a point is overhead


def loop(checkout: Checkout, seed: int) -> float:
    """Seconds of all points, one after the other in one checkout, as a lab would script it."""
    began = time.perf_counter()
    for p_inh, tau in VALUES:
        for key, value in {"seed": seed, "network.p_inh": p_inh, "network.tau": tau}.items():
            checkout.change(key, value)
        checkout.run("dvc", "repro")
    return time.perf_counter() - began


def sweep(checkout: Checkout, seed: int) -> float:
    """Seconds of `ctrnn sweep` over the same points, from its start to its report."""
    axes = {
        "network.p_inh": sorted({p_inh for p_inh, _ in VALUES}),
        "network.tau": sorted({tau for _, tau in VALUES}),
    }
    sets = [f"-S={key}={','.join(map(str, values))}" for key, values in axes.items()]
    began = time.perf_counter()
    checkout.run("ctrnn", "sweep", *sets, f"-S=seed={seed}")
    return time.perf_counter() - began


def records(checkout: Checkout) -> list[dict[str, Any]]:
    """What every point of the sweeps took."""
    folder = checkout.folder / ".dvc" / "tmp" / "exps" / "sweep" / "records"
    return [json.loads(path.read_text()) for path in folder.glob("*.json")]


def spent(record: dict[str, Any], stages: tuple[str, ...]) -> float:
    """Seconds of these stages of a point."""
    return sum(s for name, s in record["stages"].items() if name.partition("@")[0] in stages)


def words(numbers: dict[str, Any]) -> str:
    """The figures in a table and a sentence."""
    an_hour, seconds = numbers["points_per_hour"], numbers["seconds_per_point"]
    return (
        f"{numbers['points']} points of {' and '.join(TASKS)} (small configuration, three networks each), "
        f"{numbers['cores']} cores, {numbers['rounds']} interleaved rounds, medians. The loop draws figures, as "
        "params.yaml has it; a sweep's points draw none.\n\n"
        "| | points an hour |\n|---|---|\n"
        f"| `dvc repro` in a loop | {an_hour['loop']:.0f} |\n"
        f"| `ctrnn sweep`, its start and report included | {an_hour['sweep']:.0f} |\n\n"
        f"The sweep makes {numbers['ratio']:.2f} times the points. A point of it takes {seconds['all']:.1f} s beside "
        f"another: {seconds['work']:.1f} s from generate to analyze, and {seconds['overhead']:.1f} s more, of which "
        f"the report takes {seconds['report']:.1f} s and publication {seconds['publish']:.1f} s.\n"
    )


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch:
        plain, swept = (Checkout(Path(scratch) / name, TASKS) for name in ("plain", "swept"))
        for checkout in (plain, swept):
            checkout.change("train.n_networks", 3)
            checkout.commit("three networks")
            checkout.run("dvc", "repro")
            checkout.commit("results")
        times = [(loop(plain, 10 + i), sweep(swept, 10 + i)) for i in range(rounds)]
        points = records(swept)
    n = len(VALUES)
    both = {
        "loop": n * 3600 / statistics.median(a for a, _ in times),
        "sweep": n * 3600 / statistics.median(b for _, b in times),
    }
    seconds = {
        "all": statistics.median(point["seconds"] for point in points),
        "work": statistics.median(spent(point, WORK) for point in points),
        "report": statistics.median(spent(point, ("report",)) for point in points),
        "publish": statistics.median(spent(point, ("publish",)) for point in points),
    }
    overhead = seconds["all"] - seconds["work"]
    ratio = statistics.median(a / b for a, b in times)
    numbers = {
        "points": n,
        "rounds": rounds,
        "cores": os.cpu_count(),
        "points_per_hour": both,
        "ratio": ratio,
        "seconds_per_point": seconds | {"overhead": overhead},
        "mb_per_point": statistics.median(point["bytes"] for point in points) / 1e6,
    }
    text = words(numbers)
    record.write("sweep", numbers, text)
    print(text)


if __name__ == "__main__":
    main()
