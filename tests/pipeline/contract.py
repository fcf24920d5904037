"""The rerun contract: what is wrong with a dvc.yaml, held against reruns.yaml, the imports and what stages read.

Each function gives a sentence for every fault. They look at nothing but their arguments and the code's imports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ctrnn.core.config import flatten
from ctrnn.lock import STAGES as LOCKED
from tests.pipeline.graph import Graph, Stage, covers
from tests.pipeline.imports import closure

TABLE = Path(__file__).with_name("reruns.yaml")
DATA = ("artifacts/", "reports/")
# A folder that is a dep may hold what the stage does not import: modules for other commands, and in core, which is one
# dep, what another stage needs.
BESIDE = ("__main__.py", "tracking/live.py", "tracking/reading.py")
SHARED = "src/ctrnn/core/"
Table = Mapping[str, str | None]  # key -> "train (evaluate report)"


def setting_faults(graph: Graph, settings: Mapping[str, Any], table: Table) -> list[str]:
    """Settings that rerun other stages than the table says, or that it does not know."""

    def rerun(leaf: str) -> tuple[set[Stage], set[Stage], str | None]:
        told, task = graph.told_of_setting(leaf), task_of(leaf)
        return told, graph.reruns(told, task), task

    return _against(table, "settings", ".", flatten(settings), graph, rerun)


def file_faults(graph: Graph, files: Iterable[str], table: Table) -> list[str]:
    """Files of the code that rerun other stages than the table says, or that it does not know."""

    def rerun(path: str) -> tuple[set[Stage], set[Stage], None]:
        told = graph.told_of_file(path)
        return told, graph.reruns(told), None

    return _against(table, "files", "/", files, graph, rerun)


def import_faults(graph: Graph, files: Iterable[str]) -> list[str]:
    """Code that a stage imports and does not name, or names and does not import."""
    faults = []
    modules = [path for path in files if path.endswith(".py") and not path.endswith(BESIDE)]
    for stage in graph.stages:
        imported = {path.as_posix() for path in closure(stage.group)}
        for path in modules:
            named = stage.names_file(path)
            if named != (path in imported) and not (named and path.startswith(SHARED)):
                verb = "imports" if path in imported else "does not import"
                faults.append(f"{stage.name} {verb} {path}; correct its deps in dvc.yaml")
    return faults


def read_faults(graph: Graph, reads: Mapping[str, set[str]]) -> list[str]:
    """Files that a stage was seen to read and does not name, and results that it names and did not read."""
    faults = []
    for stage in graph.stages:
        read = set(reads[stage.name])
        if "dvc.lock" in read:  # which holds the hash of each of these
            of_task = (s for s in graph.stages if s.group in LOCKED and s.task == stage.task)
            read |= {out for one in of_task for out in one.outs}
        faults += [
            f"{stage.name} reads {path}; name it in its deps in dvc.yaml"
            for path in sorted(read)
            if path.startswith((*DATA, "src/"))
            and not path.endswith(".py")  # see import_faults
            and not stage.names_file(path)
            and not covers(stage.outs, path)  # for its digest
        ]
        faults += [
            f"{stage.name} does not read {dep}; take it from its deps in dvc.yaml"
            for dep in sorted(stage.deps)
            if dep.startswith(DATA) and not any(covers({dep}, path) for path in read)
        ]
    return faults


def task_of(leaf: str) -> str | None:
    """The task whose setting it is."""
    return leaf.split(".")[1] if leaf.startswith("tasks.") else None


def _against(
    table: Table,
    part: str,
    separator: str,
    names: Iterable[str],
    graph: Graph,
    rerun: Callable[[str], tuple[set[Stage], set[Stage], str | None]],
) -> list[str]:
    faults, used = [], set()
    for name in names:
        key = _line(table, name, separator)
        if key is None:
            faults.append(
                f"{name} has no line in {TABLE.name}; add `{name}: ` to its `{part}`, with the stages that dvc.yaml "
                "names it in, and in parentheses those that follow"
            )
            continue
        used.add(key)
        told, all_of_them, task = rerun(name)
        words = table[key] or ""
        for verb, got, groups in (
            ("changes", told, re.sub(r"\(.*?\)", "", words).split()),
            ("reruns", all_of_them, re.findall(r"\w+", words)),
        ):
            of_task = [s for s in graph.stages if task is None or s.task in (None, task)]
            wanted = {s for s in of_task if s.group in groups}
            if got != wanted:
                faults.append(
                    f"{name} {verb} {_names(got)}; {key} in {TABLE.name} says {_names(wanted)}"
                )
    return faults + [f"{key} in {TABLE.name} is nowhere else" for key in table if key not in used]


def _line(table: Table, name: str, separator: str) -> str | None:
    """The key of the table's line for this name: its own, or that of the nearest section or folder above."""
    while name not in table:
        name, above, _ = name.rpartition(separator)
        if not above:
            return None
    return name


def _names(stages: Iterable[Stage]) -> str:
    return ", ".join(sorted(stage.name for stage in stages)) or "nothing"
