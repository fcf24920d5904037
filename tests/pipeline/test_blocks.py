"""Every code block of README.md and docs/: run in a clone on the small configuration, or named with the reason."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import copy, copytree

import pytest

from tests.pipeline.checkout import ROOT, Checkout

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Pages all of whose blocks another test runs.
ELSEWHERE = {
    "adding-a-task.md": "tests/unit/tasks/test_adding_a_task.py",
    "change-the-dynamics.md": "tests/unit/dynamics/test_changing_the_dynamics.py",
    "adding-an-analysis.md": "tests/unit/analysis/test_adding_an_analysis.py",
    "adding-a-metric.md": "tests/unit/analysis/test_adding_an_analysis.py",
    "notebook.md": "tests/unit/test_notebook.py",
    "fixed-points-of-other-networks.md": "tests/unit/notebook/test_foreign_networks.py",
    "model.md": "tests/unit/dynamics/test_text.py",
}
# Blocks that are no code, by page and beginning.
NO_CODE = {
    ("README.md", "params.yaml        every setting"): "the tree of folders",
    ("README.md", "params.yaml ─┬─ generate@task"): "a drawing",
    ("architecture.md", "params.yaml\n"): "a drawing",
    ("architecture.md", "floor  folder"): "a graph, which tests/unit/test_docs.py holds",
    ("cluster.md", "sweep: 12 points"): "what a command says",
    ("reproducibility.md", "run                          output"): "what a command says",
}
# Blocks that are not run, by page and beginning: their syntax, and the options of their commands, are checked.
NOT_RUN = {
    ("cluster.md", "#!/bin/bash\n#SBATCH"): "it needs Slurm",
    ("remote.md", "pip install dvc-s3"): "it installs a package, and needs a bucket",
    (
        "tracking.md",
        "sudo -u postgres createuser",
    ): "it needs a database as root, and serves for ever",
    ("tracking.md", "ssh -N"): "it needs a second machine",
    ("tracking.md", "mlflow server --host 0.0.0.0"): "it opens a port to the network",
    (
        "validation.md",
        "PYTHONPATH=src python benchmarks/fixed",
    ): "it needs a clone of another project",
}
# What the clone has otherwise than the reader, or what would take minutes; (line of a block, what is run for it).
INSTEAD = (
    (r"(dvc exp run -S network.p_inh=0.3) ", r"\1 evaluate@go_nogo "),  # test_experiments.py runs every stage
    (r"make test\b", "make --dry-run test"),
    (r"(ctrnn sweep .*)--tasks mante,dmts", r"\1--tasks mante,go_nogo --dry"),
    (r"dvc queue start -j 2", "dvc queue remove --all"),  # tests/pipeline/test_experiments.py starts it
    (r"/mnt/lab/ctrnn-store", "../store"),
    (r"git clone <this repository>", "cd .. && git clone lab ctrnn && ln -s ../lab/.venv ctrnn/.venv"),
)  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore")  # of DVC's, MLflow's and Ray's own imports


@dataclass(frozen=True)
class Block:
    """A code block: its page, language ("" for a shell's) and text."""

    page: str
    language: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """The words of every command, without comments and without what sets a variable before it."""
        lines = self.text.replace("\\\n", " ").replace(" && ", "\n").splitlines()
        split = [
            shlex.split(line, comments=True) for line in lines if not re.match(r"\w+=\$", line)
        ]
        return [words[bool(re.match(r"\w+=", words[0])) :] for words in split if words]

    def named_in(self, blocks: dict[tuple[str, str], str]) -> bool:
        return any(page == self.page and self.text.startswith(begin) for page, begin in blocks)


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        for language, text in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.M | re.S):
            found.append(Block(page.name, language, text))
    return found


RUN = [
    block
    for block in blocks()
    if block.page not in ELSEWHERE and not block.named_in({**NO_CODE, **NOT_RUN})
]


@pytest.fixture(scope="module")
def lab(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A clone of the small checkout with what a reader's clone has beside it."""
    made = checkout.clone(tmp_path_factory.mktemp("blocks") / "lab")
    for part in ("Makefile", "requirements.lock", "requirements-torch.lock", "pyproject.toml"):
        copy(ROOT / part, made.folder / part)
    copytree(ROOT / "tests", made.folder / "tests", ignore=lambda *_: ["__pycache__"])
    environment = made.folder / ".venv"
    environment.mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != ".set-up":
            (environment / path.name).symlink_to(path)
    (environment / ".set-up").touch()
    later = time.time() + 3600
    os.utime(environment / ".set-up", (later, later))  # newer than the locks of any clone
    made.run("dvc", "cache", "dir", "--local", str(checkout.folder / ".dvc" / "cache"))
    made.commit("what a reader has")
    return made


def test_every_block_is_run_or_named_once() -> None:
    known = {**NO_CODE, **NOT_RUN}
    for page, begin in known:
        begun = [block for block in blocks() if block.named_in({(page, begin): ""})]
        assert len(begun) == 1, begin
    assert {block.language for block in RUN} <= {"", "python"}
    for test in ELSEWHERE.values():
        assert (ROOT / test).exists()


@pytest.mark.parametrize("block", RUN, ids=lambda block: f"{block.page}: {block.text[:30]!r}")
def test_a_block_runs(lab: Checkout, block: Block) -> None:
    if block.language == "python":
        lab.run(sys.executable, "-c", block.text)
        return
    if "ctrnn sweep" in block.text and find_spec("ray") is None:
        pytest.skip("Ray is not installed: the extra `sweep` has it")
    text = block.text
    for line, instead in INSTEAD:
        text = re.sub(line, instead, text)
    lab.run("bash", "-eo", "pipefail", "-c", text)


def dvc_parses(words: list[str]) -> None:
    from dvc.cli import parse_args

    parse_args(words)


def mlflow_parses(words: list[str]) -> None:
    from mlflow.cli import cli

    cli.commands[words[0]].make_context(words[0], words[1:])


def ctrnn_parses(words: list[str]) -> None:
    from ctrnn.sweep import command

    with pytest.raises(SystemExit, match="is not the name of a sweep"):  # before anything is done
        command.main([*words, "--name", "../refused"])


def ray_parses(words: list[str]) -> None:
    scripts = pytest.importorskip("ray.scripts.scripts")
    scripts.cli.commands[words[0]].make_context(words[0], words[1:])


def script_exists(words: list[str]) -> None:
    assert (ROOT / words[0]).exists()


def target_exists(words: list[str]) -> None:
    assert re.search(rf"(?m)^{words[0]}:", (ROOT / "Makefile").read_text())


PARSERS: dict[str, Callable[[list[str]], None]] = {
    "dvc": dvc_parses,
    "mlflow": mlflow_parses,
    "ctrnn": ctrnn_parses,
    "ray": ray_parses,
    "python": script_exists,
    "make": target_exists,
}
# Programs in these blocks of whose options nothing is known here.
SYSTEM = {"pip", "sudo", "ssh", "cd", "export", "source"}


@pytest.mark.parametrize(
    "block", [b for b in blocks() if b.named_in(NOT_RUN)], ids=lambda block: block.text[:30]
)
def test_the_commands_of_a_block_that_is_not_run_have_the_options_that_it_gives(
    block: Block,
) -> None:
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    for words in block.commands:
        if words[0] == "srun":  # ray ... -- ctrnn ...
            at = words.index("--")
            ray_parses(words[2:at])
            ctrnn_parses(words[at + 2 :])
        elif words[0] not in SYSTEM:
            PARSERS[words[0]](words[1:])
