"""Every setting and every module reruns the stages that the table names: dvc.yaml says so, and so does DVC.

A dep or param that is missing from dvc.yaml, or stands there for nothing, is a fault.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.dependency.base import Dependency
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo

from ctrnn import params
from ctrnn.core import artifacts
from ctrnn.core.config import flatten
from tests.pipeline.checkout import TASKS, Checkout
from tests.pipeline.contract import (
    TABLE,
    file_faults,
    import_faults,
    read_faults,
    setting_faults,
)
from tests.pipeline.graph import Graph
from tests.pipeline.imports import ROOT, closure, code_files

PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())
SETTINGS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
RERUNS: dict[str, Any] = yaml.safe_load(TABLE.read_text())
MUTATIONS = [
    (group, kind, one)
    for group, entry in PIPELINE["stages"].items()
    for kind in ("deps", "params")
    for one in entry.get("do", entry)[kind]
]

pytestmark = pytest.mark.filterwarnings("ignore")  # of DVC's own imports


def without(group: str, kind: str, one: str) -> dict[str, Any]:
    """dvc.yaml without this dep or param of a stage."""
    changed = copy.deepcopy(PIPELINE)
    entry = changed["stages"][group]
    entry.get("do", entry)[kind].remove(one)
    return changed


def faults(pipeline: Mapping[str, Any], reads: Mapping[str, set[str]]) -> list[str]:
    graph = Graph(pipeline, TASKS)
    settings = {**SETTINGS, "tasks": {task: SETTINGS["tasks"][task] for task in TASKS}}
    return [
        *setting_faults(graph, settings, RERUNS["settings"]),
        *file_faults(graph, code_files(), RERUNS["files"]),
        *import_faults(graph, code_files()),
        *read_faults(graph, reads),
    ]


def test_every_setting_of_every_task_reruns_what_the_table_says() -> None:
    graph = Graph(PIPELINE, SETTINGS["tasks"])
    assert setting_faults(graph, SETTINGS, RERUNS["settings"]) == []


def test_every_file_reruns_what_the_table_says() -> None:
    assert file_faults(Graph(PIPELINE, TASKS), code_files(), RERUNS["files"]) == []


def test_deps_on_code_are_exactly_what_a_stage_imports() -> None:
    assert import_faults(Graph(PIPELINE, TASKS), code_files()) == []


def test_deps_on_results_are_exactly_what_a_stage_reads(reads: dict[str, set[str]]) -> None:
    assert read_faults(Graph(PIPELINE, TASKS), reads) == []


@pytest.fixture(scope="module")
def sound_reads(reads: dict[str, set[str]]) -> dict[str, set[str]]:
    """What stages read, by which dvc.yaml as it is has no fault: a mutation's faults are its own."""
    assert faults(PIPELINE, reads) == []
    return reads


@pytest.mark.parametrize(("group", "kind", "one"), MUTATIONS)
def test_a_dep_or_param_that_is_missing_is_a_fault(
    group: str, kind: str, one: str, sound_reads: dict[str, set[str]]
) -> None:
    assert faults(without(group, kind, one), sound_reads)


def test_a_setting_or_file_without_a_line_in_the_table_says_where_to_add_it() -> None:
    graph = Graph(PIPELINE, SETTINGS["tasks"])
    more = {**SETTINGS, "train": {**SETTINGS["train"], "momentum": 3}}
    (fault,) = setting_faults(graph, more, RERUNS["settings"])
    assert fault.startswith("train.momentum has no line in reruns.yaml; add `train.momentum: `")
    (fault,) = file_faults(graph, [*code_files(), "src/ctrnn/new.py"], RERUNS["files"])
    assert fault.startswith("src/ctrnn/new.py has no line in reruns.yaml")


def test_settings_stand_in_what_was_made_with_them(checkout: Checkout) -> None:
    """So that a stage which reads that, and does not name them, runs where they change."""
    told = yaml.safe_load((checkout.folder / "params.yaml").read_text())
    seeds = params.read(checkout.folder / "params.yaml").network_seeds
    train = params.read(checkout.folder / "params.yaml").train.decisive()
    for task in TASKS:
        for stage in ("evaluate", "analyze"):
            folder = artifacts.folder(stage, task, checkout.folder)
            assert_within(told[stage], artifacts.read_json(folder / "settings.json"))
        for i in range(train["n_networks"]):
            trained = artifacts.folder("train", task, checkout.folder)
            for stem in ("network", "initial"):
                _, kept = artifacts.read_weights(trained / f"{stem}-{i}.safetensors")
                assert_within(told["tasks"][task], kept["task"])
                assert_within(told["network"], kept["network"])
                assert_within(train, kept["train"])
                assert kept["training"]["seed"] == seeds[i]


def assert_within(told: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    """Every setting stands in `kept` as it was told."""
    found = flatten(kept)
    assert {name: found.get(name, "nothing") for name in flatten(told)} == flatten(told)


def test_the_import_closure_sees_what_it_should() -> None:
    assert Path("src/ctrnn/kernel/run.py") in closure("train")
    assert Path("src/ctrnn/tasks/mante.py") in closure("generate")
    assert not any("params" in file.parts for file in closure("train"))
    assert not any("analysis" in file.parts for file in closure("train"))


def test_what_stages_read_is_seen(reads: dict[str, set[str]]) -> None:
    assert "artifacts/train/mante/network-0.safetensors" in reads["evaluate@mante"]
    assert "artifacts/generate/mante/train.csv" in reads["train@mante"]
    assert "src/ctrnn/report/page.html.j2" in reads["report"]


@pytest.fixture(scope="module")
def repo(checkout: Checkout) -> Iterator[Repo]:
    with Repo(checkout.folder) as opened:
        yield opened


def with_changed_settings(repo: Repo) -> set[str]:
    """Stages with a param that `dvc status` would find changed."""
    return with_changed(repo, lambda dep: isinstance(dep, ParamsDependency))


def with_changed_files(repo: Repo, *folders: str) -> set[str]:
    """Stages with a dep in one of these folders that `dvc status` would find changed."""
    return with_changed(
        repo,
        lambda dep: not isinstance(dep, ParamsDependency) and dep.def_path.startswith(folders),
    )


def with_changed(repo: Repo, counts: Callable[[Dependency], bool]) -> set[str]:
    """Stages with such a dep that DVC finds changed. It is asked once for what several stages have alike."""
    stages: dict[str, set[str]] = {}
    deps = {}
    for stage in repo.index.stages:
        for dep in filter(counts, stage.deps):
            same = str((dep.def_path, getattr(dep, "params", None), dep.hash_info))
            deps[same] = dep
            stages.setdefault(same, set()).add(stage.name)
    return {name for same, dep in deps.items() if dep.status() for name in stages[same]}


def test_dvc_sees_the_same_graph(repo: Repo) -> None:
    graph = Graph(PIPELINE, TASKS)
    seen = {(before.name, after.name) for after, before in repo.index.graph.edges}
    assert seen == {(a.name, b.name) for a, some in graph.readers.items() for b in some}


def test_dvc_finds_the_stages_of_every_setting_changed(repo: Repo, checkout: Checkout) -> None:
    path = checkout.folder / "params.yaml"
    before = path.read_text()
    graph = Graph(PIPELINE, TASKS)
    assert with_changed_settings(repo) == set()
    settings = yaml.safe_load(before)
    for leaf, value in flatten(settings).items():
        new = copy.deepcopy(settings)
        *sections, key = leaf.split(".")
        section = new
        for name in sections:
            section = section[name]
        section[key] = other(value)
        path.write_text(json.dumps(new))  # which is YAML that DVC reads in half the time
        told = {stage.name for stage in graph.told_of_setting(leaf)}
        assert with_changed_settings(repo) == told, leaf
    path.write_text(before)


def other(value: Any) -> Any:
    """Another value of a setting."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        return [*value, 1]
    if isinstance(value, dict):
        return {"other": 1}
    return f"{value}x" if isinstance(value, str) else (value or 0) + 1


def test_dvc_finds_the_stages_of_every_file_changed(repo: Repo, checkout: Checkout) -> None:
    graph = Graph(PIPELINE, TASKS)
    assert with_changed_files(repo, "") == set()
    for name in code_files():
        file = checkout.folder / name
        before = file.read_bytes()
        file.write_bytes(before + b"\n")
        told = {stage.name for stage in graph.told_of_file(name)}
        assert with_changed_files(repo, "src/", "stages/") == told, name
        file.write_bytes(before)


def test_what_is_for_notebooks_is_in_no_stage() -> None:
    """ctrnn/__init__.py, which every stage imports, reaches it by a name that `imported` does not see."""
    stages = sorted((ROOT / "stages").glob("*.py"))
    command = (
        f"import sys; sys.path[:0] = ['src', 'stages']; import {', '.join(s.stem for s in stages)}; "
        "assert 'ctrnn.notebook' not in sys.modules; assert 'mlflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", command], cwd=ROOT, check=True)
    assert not any(re.search(r"ctrnn\.(load|runs)\b", stage.read_text()) for stage in stages)
