"""How many seeded faults do a room's own unit tests catch? `python tools/mutants.py --sample 200 --seed 1`

A mutant is the code with one operator, number or condition changed. A sample of them is drawn from the last commit,
in proportion to each room's number of mutants, and every one is tested in a clone by the tests of its room that run its
line. Printed are a line per survivor and the share killed per room. Interrupted, the same
command goes on. Needs the extra `mutants`, and a system with fork: torch and the like are imported once, and a mutant
takes 2 to 30 s of a core.

Left out are operators whose mutants any test kills, because the result is of another type (shifts and bit operations
for arithmetic, `~` or `+` for `-`, `is` for `==`); of the comparisons, all but the boundary (`<=` for `<`) and the
negation (`>=` for `<`). Left out as well is what does nothing at run time: `|` in an annotation, a bare `*` in a
signature, `if TYPE_CHECKING`; and `frozen=True` of a dataclass and `strict=True` of zip, which guard against mistakes
in the code and do nothing without one.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import math
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path
from threading import RLock
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest
from cosmic_ray.commands.init import init
from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult
from coverage import CoverageData
from scipy.stats import binomtest
from tqdm import tqdm

OPERATORS = re.compile(
    r"core/("
    r"ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|FloorDiv_Mul|Mod_FloorDiv|Pow_Mul|BitAnd_BitOr|BitOr_BitAnd)"
    r"|ReplaceComparisonOperator_(Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Lt_GtE|LtE_Gt|Gt_LtE|GtE_Lt|Eq_NotEq|NotEq_Eq)"
    r"|ReplaceComparisonOperator_(Is_IsNot|IsNot_Is)"
    r"|ReplaceUnaryOperator_Delete_(USub|Not|Invert)"
    r"|Replace(TrueWithFalse|FalseWithTrue|AndWithOr|OrWithAnd|BreakWithContinue|ContinueWithBreak)"
    r"|AddNot|NumberReplacer|ExceptionReplacer|ZeroIterationForLoop|RemoveDecorator)"
)


class Room(NamedTuple):
    """Files that belong together, below src/ctrnn; their own unit tests; options for pytest."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    options: tuple[str, ...] = ()


PACKAGES = ("training", "analysis", "tasks", "sweep", "figures")
SOURCES = Path("src/ctrnn")
ROOMS = {
    **{name: Room((name,), (f"tests/unit/{name}",)) for name in PACKAGES},
    "evaluation": Room(("evaluation.py",), ("tests/unit/test_evaluation.py",)),
    "network": Room(("network", "dynamics"), ("tests/unit/network",)),
    # Without tests that measure time, or start many processes.
    "publication": Room(
        ("tracking", "lock.py", "event_log.py"),
        ("tests/unit/tracking", "tests/unit/test_lock.py", "tests/unit/test_event_log.py"),
        ("-k", "not server and not eight and not killed"),
    ),
    "settings": Room(
        ("params", "errors.py", "core"),
        tuple(
            f"tests/unit/test_{name}.py"
            for name in (
                "params",
                "dialect",
                "broken_params",
                "memory",
                "errors",
                "core",
                "artifacts",
            )
        ),
    ),
    "report": Room(("report",), ("tests/unit/test_report.py",)),
    "kernel": Room(("kernel",), ("tests/unit/kernel",), ("-k", "not compiler and not processes")),
}
DEFAULT = (*PACKAGES[:3], "network", "evaluation", "publication", "settings")
PYTEST = ("-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", "--assert=plain")
HEAVY = ("torch", "pandas", "scipy.optimize", "pydantic", "hypothesis", "jaxtyping", "beartype")


def _modules(name: str) -> list[Path]:
    """A room's modules, relative to the checkout."""
    paths = [SOURCES / source for source in ROOMS[name].sources]
    return [file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])]


def _room_of(mutation: MutationSpec) -> str:
    source = mutation.module_path.relative_to(SOURCES).parts[0]
    return next(name for name, room in ROOMS.items() if source in room.sources)


def _does_something(mutation: MutationSpec) -> bool:
    """False for an operator left out, and where the code does nothing at run time."""
    if not OPERATORS.fullmatch(mutation.operator_name):
        return False
    source = mutation.module_path.read_text(encoding="utf-8")
    row, column = mutation.start_pos
    line = source.splitlines()[row - 1]
    guard = re.search(r"(frozen|strict)=$", line[:column])
    if guard or "TYPE_CHECKING" in line or re.match(r"[*/]\s*[,)]", line[column:]):
        return False
    if "_BitOr_" not in mutation.operator_name:
        return True
    annotations = [
        annotation
        for node in ast.walk(ast.parse(source))
        for field in ("annotation", "returns")
        if (annotation := getattr(node, field, None)) is not None
    ]
    return not any(
        (note.lineno, note.col_offset) <= (row, column) < (note.end_lineno, note.end_col_offset)
        for note in annotations
    )


def draw(rooms: list[str], size: int, seed: int) -> list[WorkItem]:
    """A sample of the mutants of the checkout in the working directory; the same for the same code and seed."""
    with use_db(":memory:") as every:
        init([file for name in rooms for file in _modules(name)], every, {})
        items = [item for item in every.work_items if _does_something(item.mutations[0])]
    items.sort(key=lambda item: _place(item.mutations[0]))
    chosen = np.random.default_rng(seed).permutation(len(items))[:size]
    return [items[i] for i in chosen]


def _place(mutation: MutationSpec) -> tuple[str, tuple[int, int], str, int]:
    return (
        str(mutation.module_path),
        mutation.start_pos,
        mutation.operator_name,
        mutation.occurrence,
    )


class Covered(NamedTuple):
    """What a run of a room's tests on the code as it is tells: which tests run a line, and for how long each takes."""

    data: CoverageData
    seconds: dict[str, float]

    def tests(self, mutation: MutationSpec) -> list[str]:
        """The tests that run the mutant's line, or else the start of its statement; none where it runs at import.

        The quick ones come first. What a fixture runs is told of the first test that uses it: all tests of that file
        are taken.
        """
        lines = self.data.contexts_by_lineno(str(mutation.module_path.resolve()))
        row = next((i for i in range(mutation.start_pos[0], 0, -1) if lines.get(i)), 0)
        contexts = (context.rpartition("|") for context in lines.get(row, ()) if context)
        tests = {test if phase == "run" else test.partition("::")[0] for test, _, phase in contexts}
        return sorted(tests, key=lambda test: (self.seconds.get(test, math.inf), test))


def _pytest(arguments: Sequence[str], log: Path, mutated: bool) -> None:
    """Run pytest in a process group of its own, its words in a file."""
    os.setsid()
    sys.dont_write_bytecode = mutated  # of a file that is back within the same second
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os._exit(pytest.main([*PYTEST, *arguments]))


def _test(arguments: Sequence[str], log: Path, limit: float | None = None) -> int | None:
    """Pytest's exit code; None where it takes longer than so many seconds."""
    process = multiprocessing.get_context("fork").Process(
        target=_pytest, args=(arguments, log, limit is not None)
    )
    process.start()
    try:
        process.join(limit)
        return process.exitcode
    finally:
        if process.pid and process.is_alive():
            os.killpg(process.pid, signal.SIGKILL)
            process.join()


def _cover(name: str, folder: Path) -> Covered:
    """Run a room's tests with coverage, once a session. Exits with pytest's words where they fail."""
    log, file, took = (folder / f"{name}.{end}" for end in ("log", "coverage", "xml"))
    if not took.exists():
        os.environ["COVERAGE_FILE"] = str(file)
        flags = ["--cov=src/ctrnn", "--cov-context=test", "--cov-report=", f"--junitxml={took}"]
        if _test([*flags, *ROOMS[name].options, *ROOMS[name].tests], log):
            took.unlink(missing_ok=True)
            sys.exit(f"The tests of {name} fail without a mutant:\n{log.read_text()[-3000:]}")
    data = CoverageData(str(file))
    data.read()
    seconds = {
        f"{test.get('classname', '').replace('.', '/')}.py::{test.get('name')}": float(
            test.get("time", 0)
        )
        for test in ElementTree.parse(took).iter("testcase")
    }
    return Covered(data, seconds)


def _run(session: WorkDB, folder: Path) -> None:
    """Test what has no result yet, in the clone in the working directory."""
    for name in HEAVY:
        importlib.import_module(name)
    covered: dict[str, Covered] = {}
    for item in tqdm(session.pending_work_items, desc="mutants", smoothing=0):
        (mutation,) = item.mutations
        name = _room_of(mutation)
        if name not in covered:
            covered[name] = _cover(name, folder)
        room = ROOMS[name]
        tests = [*room.options, *(covered[name].tests(mutation) or room.tests)]
        operator, log = get_operator(mutation.operator_name)(), folder / "mutant.log"
        with use_mutation(mutation.module_path, operator, mutation.occurrence) as (before, after):
            code = _test(tests, log, max(90, 4 * sum(covered[name].seconds.values())))
        passed = code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        outcome = TestOutcome.SURVIVED if passed else TestOutcome.KILLED
        result = WorkResult(
            worker_outcome=WorkerOutcome.NORMAL,
            test_outcome=outcome,
            output="timeout" if code is None else log.read_text(),
            diff="\n".join(unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)),
        )
        session.set_result(item.job_id, result)
        if outcome == TestOutcome.SURVIVED:
            tqdm.write(_told(mutation, result))


def _told(mutation: MutationSpec, result: WorkResult) -> str:
    """One line: where, by which operator, and what the line became."""
    added = [
        line[1:].strip()
        for line in (result.diff or "").splitlines()
        if re.match(r"\+(?!\+\+ )", line)
    ]
    where = f"{mutation.module_path}:{mutation.start_pos[0]}"
    return (
        f"{where}  {mutation.operator_name.removeprefix('core/')}  {' '.join(added) or '(removed)'}"
    )


def _report(session: WorkDB) -> None:
    """Print survivors, the share killed per room with its 95% interval of Wilson, and what ran into the time limit."""
    done = [
        (item.mutations[0], result)
        for item, result in session.completed_work_items
        if result.worker_outcome == WorkerOutcome.NORMAL
    ]
    done.sort(key=lambda each: _place(each[0]))
    for title, chosen in (
        ("survived", [each for each in done if each[1].test_outcome == TestOutcome.SURVIVED]),
        ("killed by the time limit", [each for each in done if each[1].output == "timeout"]),
    ):
        print(f"\n{title}: {len(chosen)}")
        for mutation, result in chosen:
            print(f"  {_told(mutation, result)}")
    print(f"\n{'room':12} killed  of  share  95% interval")
    rooms = [(_room_of(mutation), result) for mutation, result in done]
    for name in [*(name for name in ROOMS if name in dict(rooms)), "all"]:
        results = [result for room, result in rooms if name in (room, "all")]
        if results:
            killed = sum(result.is_killed for result in results)
            share = binomtest(killed, len(results)).proportion_ci(method="wilson")
            print(
                f"{name:12} {killed:6} {len(results):3} {killed / len(results):6.0%}"
                f"  {share.low:.0%} to {share.high:.0%}"
            )


def main() -> None:
    """Draw the sample or go on with it, test its mutants, print the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sample", type=int, default=200, help="number of mutants (200)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (1)")
    parser.add_argument("--commit", default="HEAD", help="that is mutated (HEAD)")
    parser.add_argument(
        "--rooms", nargs="+", choices=ROOMS, default=DEFAULT, help=f"({' '.join(DEFAULT)})"
    )
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    tqdm.set_lock(
        RLock()
    )  # of this process alone: a mutant that is killed in its own bar would keep a shared one
    root = Path(__file__).resolve().parents[1]
    commit = subprocess.check_output(
        ["git", "-C", root, "rev-parse", given.commit], text=True
    ).strip()
    key = "-".join([commit[:12], str(given.sample), str(given.seed), *given.rooms])
    folder = Path(tempfile.gettempdir(), "ctrnn-mutants", key)
    clone = folder / "checkout"
    if not clone.exists():
        subprocess.run(["git", "clone", "-q", root, clone], check=True)
    os.chdir(clone)
    subprocess.run(["git", "reset", "-q", "--hard", commit], check=True)  # a kill leaves a mutant
    os.environ["PYTHONPATH"] = str(clone / "src")
    sys.path[0] = ""  # as in `python -m pytest`
    with use_db(str(folder / "session.sqlite")) as session:
        if not session.num_work_items:
            session.add_work_items(draw(given.rooms, given.sample, given.seed))
        print(f"{session.num_work_items} mutants of commit {commit[:12]}; session in {folder}")
        try:
            _run(session, folder)
        except KeyboardInterrupt:
            print("\nInterrupted; the same command goes on.")
        _report(session)


if __name__ == "__main__":
    main()
