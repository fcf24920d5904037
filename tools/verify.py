"""Shows that the results come out again: `make verify`, or python -m tools.verify [--small] [task ...].

Clones the checkout and runs the pipeline there from nothing; then again, on one thread, on two, with every instruction
set and compiler that this machine has, and with other settings of torch, each in a clone of its own. Every output is
compared with the hash in the committed dvc.lock, bit for bit. analyze is compared so on x86-64 with AVX2 and OpenBLAS,
and within a tolerance elsewhere, since LAPACK differs there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from ctrnn import lock, params
from ctrnn.analysis.analyze import CHOICE, same_everywhere
from ctrnn.errors import UserError, exit_on_user_error
from ctrnn.kernel.build import NEEDS, best_isa
from ctrnn.params import dialect
from tools.compare import distance, first_difference

TOLERANCE = 1e-6  # of analyze where it is not exact, relative to the largest element
FIRST = "from nothing"  # the way that runs all stages; the others run those that are exact
SMALL = Path("tests/pipeline/small")  # lock and metrics of the small configuration


class VerifyError(UserError):
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


@dataclass(frozen=True)
class Variant:
    """How the pipeline is run: what is set of `train.threads`, and one variable of the environment with its value."""

    name: str
    threads: int | None = None
    variable: tuple[str, str] | None = None


def ways(small: bool = False) -> list[Variant]:
    """Every way that has to give the same bits. small: also a CPU's without fused multiply-adds, which is slow."""
    return [
        Variant(FIRST),
        Variant("once more"),
        Variant("one thread", threads=1),
        Variant("two threads", threads=2),
        *(Variant("=".join(pair), variable=pair) for pair in variables(small)),
    ]


def exact_stages() -> tuple[str, ...]:
    """The stages whose results have the same bits here as on the machine that wrote dvc.lock."""
    return ("generate", "train", "evaluate", *["analyze"] * same_everywhere())


def variables(portable: bool) -> Iterator[tuple[str, str]]:
    """Variables of the environment that change how results are computed, and must not change them."""
    best = best_isa()
    names = list(NEEDS) if best in NEEDS else [best]
    for name in [*names[names.index(best) + 1 :], *(["baseline"] * portable)]:
        yield "CTRNN_ISA", name
    for compiler in ("gcc", "clang"):
        if shutil.which(compiler):
            yield "CTRNN_CC", compiler
    for capability in ("default", "avx2"):
        yield "ATEN_CPU_CAPABILITY", capability
    extensions = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    beyond_avx2 = [name for name in extensions if name.startswith(("AVX512", "X86_V4"))]
    if beyond_avx2:
        yield "NPY_DISABLE_CPU_FEATURES", " ".join(beyond_avx2)
    if best in NEEDS:
        yield CHOICE, "Sandybridge"
        if sys.platform == "linux":
            yield "GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-FMA"


def verify(root: Path, tasks: list[str], small: bool = False) -> list[Row]:
    """Run these tasks in every way, each in a clone of `root`, and compare with its dvc.lock.

    small: on the small configuration, with its own lock. Raises VerifyError where git fails.
    """
    wanted = root / SMALL if small else root
    rows = [] if small else [status("dvc status", root)]
    for way in ways(small):
        with tempfile.TemporaryDirectory() as scratch:
            clone = Path(scratch) / "clone"
            run(root, "git", "clone", "--quiet", str(root), str(clone))
            if small:
                run(clone, sys.executable, "tests/pipeline/small.py", ".")
            try:
                rows += compare(way, wanted, clone, tasks)
            except VerifyError as error:  # what the other ways show is told all the same
                rows.append(Row(way.name, "dvc repro", "exit 0", "failed", f"DIFFERENT: {error}"))
    return rows


def compare(way: Variant, wanted: Path, clone: Path, tasks: list[str]) -> list[Row]:
    """Run the tasks in this way in a clone that has no results, and compare them with those in `wanted`."""
    settings = dialect.read(clone / "params.yaml")
    settings["tasks"] = {name: settings["tasks"][name] for name in tasks}
    settings["train"]["threads"] = way.threads
    settings["publish"]["live"] = False  # what is only compared is not shown in MLflow
    (clone / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    whole = way.name == FIRST
    stages = dict.fromkeys((*exact_stages(), *["analyze"] * whole))
    targets = [f"{stage}@{task}" for task in tasks for stage in stages] + ["report"] * whole
    print(f"verify: {way.name}: dvc repro {' '.join(targets)}", flush=True)
    command = ("dvc", "repro", "--force", "--single-item", *targets)
    run(clone, *command, more=dict([way.variable]) if way.variable else {})
    rows: list[Row] = []
    for task in tasks:
        rows += exact(way.name, wanted, clone, task)
        if whole:
            rows += [] if "analyze" in exact_stages() else near(wanted, clone, task)
            rows.append(figures(wanted, clone, task))
    return [*rows, status(way.name, clone, *targets)]


def status(way: str, folder: Path, *targets: str) -> Row:
    """Whether dvc status finds nothing changed."""
    done = subprocess.run(["dvc", "status", "-q", *targets], cwd=folder, check=False)
    verdict = "same" if done.returncode == 0 else "DIFFERENT"
    return Row(way, "dvc status", "no change", f"exit {done.returncode}", verdict)


def exact(way: str, wanted: Path, clone: Path, task: str) -> Iterator[Row]:
    """A row per output of the exact stages, by their hashes."""
    expected, got = (lock.out_hashes(lock.chain(task, place)) for place in (wanted, clone))
    for output, digest in expected.items():
        if any(f"/{stage}/" in output for stage in exact_stages()):
            verdict = "same bits"
            if got[output] != digest:
                verdict = f"DIFFERENT: {first_difference(wanted / output, clone / output)}"
            yield Row(way, output, digest[:12], got[output][:12], verdict)


def near(wanted: Path, clone: Path, task: str) -> Iterator[Row]:
    """A row per file of analyze that is there to compare with: the metrics at least."""
    left = wanted / "artifacts" / "analyze" / task
    for path in [*sorted(left.glob("*.*")), wanted / "reports" / "analyze" / f"{task}.json"]:
        output = path.relative_to(wanted).as_posix()
        far = distance(path, clone / output)
        verdict = f"same within {TOLERANCE:g}" if far <= TOLERANCE else "DIFFERENT"
        yield Row(FIRST, output, "numbers", f"{far:.1e} off", verdict)


def figures(wanted: Path, clone: Path, task: str) -> Row:
    """How many figures were drawn."""
    output = f"reports/figures/{task}"
    files = list((clone / output).glob("*.png"))
    drawn, number = sum(file.stat().st_size > 0 for file in files), lock.n_figures(task, wanted)
    verdict = "same number" if drawn == number else "DIFFERENT"
    return Row(FIRST, output, f"{number} figures", f"{drawn} figures", verdict)


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


def main(arguments: list[str]) -> None:
    """Verify the tasks that are named, or all of params.yaml. Raises VerifyError where an output differs."""
    parser = argparse.ArgumentParser(prog="python -m tools.verify", description=main.__doc__)
    parser.add_argument("task", nargs="*")
    parser.add_argument("--small", action="store_true", help="on the small configuration")
    given = parser.parse_args(arguments)
    root = Path.cwd()
    settings = params.read(root / "params.yaml")
    tasks = given.task or list(settings.tasks)
    for name in tasks:
        settings.task(name)
    rows = verify(root, tasks, given.small)
    print(show(rows))
    bad = sum(not row.good for row in rows)
    if bad:
        raise VerifyError(f"{bad} of {len(rows)} comparisons differ; see the table above")
    print(f"verify: {len(rows)} of {len(rows)} comparisons hold")


if __name__ == "__main__":
    with exit_on_user_error("verify"):
        main(sys.argv[1:])
