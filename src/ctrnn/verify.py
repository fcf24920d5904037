"""Shows that the results come out again: `make verify`, or python -m ctrnn.verify [task ...].

Clones the checkout, runs the pipeline there from nothing, in other ways too (forced again, on one thread, with every
instruction set that this CPU has), and compares every output with the hashes in the committed dvc.lock: bit for bit for
generate, train and evaluate; analyze within a tolerance, since LAPACK differs by machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ctrnn import artifacts, lock, params
from ctrnn.complaints import Complaint, one_sentence
from ctrnn.kernel.build import NEEDS, best_isa

EXACT = ("generate", "train", "evaluate")
TOLERANCE = 1e-6  # relative to the largest element, of analyze


class VerifyError(Complaint):
    """The results did not come out again."""


@dataclass(frozen=True)
class Row:
    """One output, compared."""

    way: str
    output: str
    expected: str
    got: str
    verdict: str

    @property
    def good(self) -> bool:
        """Whether the output came out again."""
        return self.verdict.startswith("same")


def verify(root: Path, tasks: list[str]) -> list[Row]:
    """Compare results of these tasks, run again in several ways, with dvc.lock below `root`."""
    rows = [status(root)]
    with tempfile.TemporaryDirectory() as scratch:
        clone = Path(scratch) / "clone"
        run(root, "git", "clone", "--quiet", str(root), str(clone))
        for way, settings, environment in ways():
            run(clone, "git", "checkout", "--quiet", "--", ".")
            set_threads(clone / "params.yaml", settings.get("threads"))
            run(
                clone, "rm", "-rf", ".checkpoints"
            )  # or finished networks would not be trained again
            stages = [f"{stage}@{task}" for task in tasks for stage in (*EXACT, "analyze")]
            targets = stages if way == "from nothing" else [s for s in stages if "analyze" not in s]
            print(f"verify: {way}: dvc repro {' '.join(targets)}", flush=True)
            run(clone, "dvc", "repro", "--force", "--single-item", *targets, more=environment)
            for task in tasks:
                rows += compare(root, clone, task, way)
    return rows


def ways() -> list[tuple[str, dict[str, Any], dict[str, str]]]:
    """How the pipeline is run: a name, settings that change no result, and the environment."""
    found: list[tuple[str, dict[str, Any], dict[str, str]]] = [
        ("from nothing", {}, {}),
        ("forced again", {}, {}),
        ("one thread", {"threads": 1}, {}),
    ]
    best = best_isa()
    names = [*NEEDS, "baseline"] if best in NEEDS else [best, "baseline"]
    slower = names[names.index(best) + 1 :]
    return found + [(f"CTRNN_ISA={name}", {}, {"CTRNN_ISA": name}) for name in slower]


def status(root: Path) -> Row:
    """Whether dvc status finds nothing changed."""
    done = subprocess.run(["dvc", "status", "-q"], cwd=root, check=False)
    verdict = "same" if done.returncode == 0 else "DIFFERENT"
    return Row("dvc status", "dvc.lock", "no change", f"exit {done.returncode}", verdict)


def compare(root: Path, clone: Path, task: str, way: str) -> list[Row]:
    """A row per output of a task: hashes of the exact stages, and arrays of analyze where it was run."""
    expected, got = (lock.out_hashes(lock.chain(task, place)) for place in (root, clone))
    rows = []
    for output, digest in expected.items():
        if not any(f"/{stage}/" in output for stage in EXACT):
            continue
        verdict = "same bits" if got[output] == digest else first_difference(root, clone, output)
        rows.append(Row(way, output, digest[:12], got[output][:12], verdict))
    if way == "from nothing":
        folder = artifacts.folder("analyze", task, root)
        for path in sorted(folder.glob("*.npz")):
            output = str(path.relative_to(root))
            far = distance(path, clone / output)
            verdict = f"same within {TOLERANCE:g}" if far <= TOLERANCE else "DIFFERENT"
            rows.append(Row(way, output, "arrays", f"{far:.1e} off", verdict))
    return rows


def distance(one: Path, other: Path) -> float:
    """Largest difference between the arrays of two npz files, relative to the largest element of its array."""
    far = 0.0
    mine, theirs = artifacts.read_arrays(one), artifacts.read_arrays(other)
    for name, array in mine.items():
        if array.dtype.kind in "fci":
            scale = float(np.abs(array).max()) or 1.0
            far = max(far, float(np.abs(array - theirs[name]).max()) / scale)
        elif not np.array_equal(array, theirs[name]):
            return float("inf")
    return far


def first_difference(root: Path, clone: Path, output: str) -> str:
    """The first array and element that differ between two versions of an output."""
    folder = root / output
    files = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    for file in filter(Path.is_file, files):
        other = clone / file.relative_to(root)
        if not other.exists():
            return f"DIFFERENT: {file.name} is missing"
        if file.read_bytes() != other.read_bytes():
            for name, array in arrays_of(file).items():
                theirs = arrays_of(other)[name]
                if not np.array_equal(array, theirs):
                    where = tuple(int(i) for i in np.argwhere(array != theirs)[0])
                    return f"DIFFERENT: {file.name}, {name}{list(where)}"
            return f"DIFFERENT: {file.name}"
    return "DIFFERENT: the expected files are not here; run dvc checkout to see which element"


def arrays_of(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a file by name; columns of a table; none of another file."""
    if file.suffix == ".npz":
        return artifacts.read_arrays(file)
    if file.suffix == ".safetensors":
        return artifacts.read_weights(file)[0]
    if file.suffix == ".csv":
        table = artifacts.read_table(file)
        return {str(column): table[column].to_numpy() for column in table}
    return {}


def set_threads(path: Path, threads: int | None) -> None:
    """Set train.threads, which decides no result, in a params.yaml."""
    settings = yaml.safe_load(path.read_text())
    settings["train"]["threads"] = threads
    path.write_text(yaml.safe_dump(settings))


def run(folder: Path, *command: str, more: dict[str, str] | None = None) -> None:
    """Run a command quietly. Raises VerifyError, with the end of what it said, where it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(more or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = " ".join((done.stdout + done.stderr).split())[-300:]
        raise VerifyError(f"{' '.join(command)} failed: {tail}")


def show(rows: list[Row]) -> str:
    """The rows as a table."""
    cells = [("run", "output", "expected", "got", "verdict")]
    cells += [(row.way, row.output, row.expected, row.got, row.verdict) for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(5)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def main(names: list[str]) -> None:
    """Verify these tasks, or all of params.yaml. Exits with 1 where an output differs."""
    root = Path.cwd()
    settings = params.load(root / "params.yaml")
    tasks = names or list(settings.tasks)
    for name in tasks:
        settings.task(name)
    rows = verify(root, tasks)
    print(show(rows))
    bad = sum(not row.good for row in rows)
    if bad:
        raise VerifyError(f"{bad} of {len(rows)} comparisons differ; see the table above")
    print(f"verify: {len(rows)} of {len(rows)} comparisons hold")


if __name__ == "__main__":
    with one_sentence("verify"):
        main(sys.argv[1:])
