"""Finding a compiler, building once, and saying what is missing."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ctrnn.kernel import build


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CTRNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_many_processes_build_one_library_and_leave_nothing_else(own_cache: Path) -> None:
    program = [sys.executable, "-c", "from ctrnn.kernel import build; print(build.library())"]
    root = Path(build.__file__).parents[2]

    def run(_: int) -> str:
        return subprocess.run(
            program, capture_output=True, text=True, check=True,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root), "CTRNN_CACHE": str(own_cache)},
        ).stdout.strip()  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(run, range(4)))
    assert len(paths) == 1
    assert [str(path) for path in own_cache.iterdir()] == list(paths)


def test_without_a_compiler_the_sentence_names_every_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CTRNN_CC", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        RuntimeError, match=r"install one .*ctrnn\[compiler\].*train.backend: torch"
    ):
        build.compiler()


def test_a_compiler_that_does_not_exist_or_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTRNN_CC", "no-such-compiler")
    with pytest.raises(RuntimeError, match="CTRNN_CC=no-such-compiler is not a program"):
        build.library()
    monkeypatch.setenv("CTRNN_CC", "false")
    with pytest.raises(RuntimeError, match="false could not build"):
        build.library()


def test_an_unknown_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTRNN_ISA", "sse9")
    build.isa.cache_clear()
    with pytest.raises(
        RuntimeError, match="CTRNN_ISA=sse9 is not an instruction set; give one of avx512, avx2"
    ):
        build.isa()
    monkeypatch.undo()
    build.isa.cache_clear()
