"""Networks with adaptation and plasticity: which learn, and where a memory is; fills a page of docs/.

    PYTHONPATH=src:. python -m experiments.memory [--only "dmts, plasticity" ...]

Numbers go to experiments/memory.json, tables into the places of docs/explanation/memory.md that are marked for them.
Settings are those of params.yaml but for what VARIANTS changes. Training goes on from its checkpoints where there are
some.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.record import measured_on
from ctrnn.analysis import memory
from ctrnn.analysis.analyze import same_blas
from ctrnn.analysis.recording import Recording
from ctrnn.core.artifacts import rounded
from ctrnn.network import get_backend
from experiments.mechanism import trained, with_changes
from experiments.portraits import span

PAGE, NUMBERS = Path("docs/explanation/memory.md"), Path("experiments/memory.json")
ADAPTATION = {"network.model": "adaptation", "train.n_networks": 10}
PLASTICITY = {"network.model": "short_term_plasticity", "train.n_networks": 10}


def waiting(delay: int) -> dict[str, int]:
    """dmts with another delay; the trial is as much longer."""
    return {"tasks.dmts.delay": delay, "tasks.dmts.T": 290 + delay}


VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "dmts, plasticity": ("dmts", PLASTICITY),
    "dmts, adaptation": ("dmts", ADAPTATION),
    "mante, plasticity": ("mante", PLASTICITY),
    "mante, adaptation": ("mante", ADAPTATION),
    "dmts, plasticity, delay 100": ("dmts", {**PLASTICITY, "train.n_networks": 5, **waiting(100)}),
    "dmts, plasticity, delay 400": ("dmts", {**PLASTICITY, "train.n_networks": 5, **waiting(400)}),
}


def main(only: list[str]) -> None:
    """Run the variants named, or all, and write both files; the numbers of other variants stay."""
    numbers: dict[str, Any] = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
    commit = measured_on()["commit"]
    for name in only or VARIANTS:
        numbers[name] = rounded(measured(*VARIANTS[name]), 4) | {"commit": commit}
        numbers = {variant: numbers[variant] for variant in VARIANTS if variant in numbers}
        NUMBERS.write_text(json.dumps(numbers, indent=1) + "\n")
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), numbers), encoding="utf-8")


def measured(name: str, changes: dict[str, Any]) -> dict[str, Any]:
    """How a population learns a task, and the metrics of where its memory is, for a task that has one."""
    params = with_changes(changes, name)
    task, test, networks, result = trained(params, name)
    backend = get_backend(params.train)
    recording = Recording(task, test, networks, networks, params.seed, params.analyze, backend)
    with same_blas():
        _, metrics = memory.compute(recording)
    most = params.train.max_iterations
    return result | {"converged": sum(n < most for n in result["iterations"])} | metrics


def filled(page: str, numbers: dict[str, Any]) -> str:
    """The page with its tables made anew."""
    for name, table in (("learning", learning_table), ("memory", memory_table)):
        marks = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = page.partition(marks[0])
        block = "\n".join([marks[0], *table(numbers), marks[1]])
        page = before + block + rest.partition(marks[1])[2]
    return page


def learning_table(numbers: dict[str, Any]) -> list[str]:
    """A row per variant: networks that converged, iterations, accuracy."""
    return [
        "| networks | converged | iterations | accuracy on test trials | commit |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {population['converged']} of {len(population['iterations'])} | "
            f"{span(population['iterations'], 'g')} | "
            f"{span(population['accuracy'], '.3f')} | {population['commit']} |"
            for name, population in numbers.items()
        ),
    ]


def memory_table(numbers: dict[str, Any]) -> list[str]:
    """A row per variant with a delay: what is decoded, and right answers with nothing and either part shuffled."""
    rows = [
        "| networks | decoded from rates | from slow states | right answers | rates shuffled | slow states shuffled |",
        "|---|---|---|---|---|---|",
    ]
    for name, population in numbers.items():
        if "memory_answers" in population:
            parts = [*population["memory"].values(), *population["memory_answers"].values()]
            cells = (span(part["per_network"]) for part in parts)
            rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=[], metavar="VARIANT")
    main(parser.parse_args().only)
