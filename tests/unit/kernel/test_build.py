"""Finding a compiler, building once, loading nothing that is damaged or foreign, and saying what is missing."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ctrnn.kernel import build
from ctrnn.kernel.library import library


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CTRNN_CACHE, with no other cache within reach."""
    monkeypatch.setenv("CTRNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "cache"


@pytest.fixture
def quick_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that takes a library as it is: the path of what it made, and notes in `builds` how often."""
    built, builds = tmp_path / "built.so", tmp_path / "builds"
    built.write_bytes(b"a library " * 500)
    compiler = tmp_path / "compiler"
    take = (
        f'[ "$1" = --version ] && exit\necho >> {shlex.quote(str(builds))}\n'
        f'for last in "$@"; do [ "$before" = -o ] && cp {shlex.quote(str(built))} "$last"; before=$last; done\n'
        "exit 0\n"
    )
    compiler.write_text(f"#!/bin/sh\n{take}")
    compiler.chmod(0o755)
    monkeypatch.setenv("CTRNN_CC", shlex.quote(str(compiler)))
    return built


def times_built(built: Path) -> int:
    return len(built.with_name("builds").read_text().splitlines())


def test_many_processes_build_one_library_and_leave_nothing_else(own_cache: Path) -> None:
    program = [sys.executable, "-c", "from ctrnn.kernel import build; print(build.library())"]
    root = Path(build.__file__).parents[2]

    def run(_: int) -> str:
        return subprocess.run(
            program, capture_output=True, text=True, check=True,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root), "CTRNN_CACHE": str(own_cache),
                 "CTRNN_CFLAGS": "-O0"},
        ).stdout.strip()  # fmt: skip

    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(run, range(4)))
    assert len(paths) == 1
    assert [str(path) for path in own_cache.iterdir()] == list(paths)


def test_a_whole_library_is_built_once(quick_compiler: Path) -> None:
    assert build.library() == build.library()
    assert times_built(quick_compiler) == 1


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: content[:2000], lambda content: b"!" + content[1:]],
)
def test_a_damaged_library_is_built_anew(
    quick_compiler: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = build.library()
    path.write_bytes(damage(path.read_bytes()))
    assert build.library() == path
    assert path.read_bytes() == quick_compiler.read_bytes()
    assert times_built(quick_compiler) == 2


def test_a_library_that_others_can_write_is_built_anew(quick_compiler: Path) -> None:
    path = build.library()
    path.chmod(0o777)
    assert build.library() == path
    assert path.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_library_of_another_user_is_built_anew(quick_compiler: Path) -> None:
    path = build.library()
    os.chown(path, 65534, 65534)
    build.library()
    assert path.stat().st_uid == 0


def test_a_link_under_the_name_of_a_library_is_not_followed(
    quick_compiler: Path, tmp_path: Path
) -> None:
    path = build.library()
    path.rename(tmp_path / "elsewhere.so")
    path.symlink_to(tmp_path / "elsewhere.so")
    assert not build.library().is_symlink()


def test_a_folder_in_which_others_can_replace_files_is_passed_over(
    quick_compiler: Path, own_cache: Path, tmp_path: Path
) -> None:
    planted = build.library()
    own_cache.chmod(0o777)
    path = build.library()
    assert path.parent == tmp_path / "home" / "ctrnn"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    own_cache.chmod(0o1777)  # as /tmp: only the owner of a file replaces it
    assert build.library() == planted


def test_what_cannot_be_loaded_is_one_sentence(quick_compiler: Path) -> None:
    library.cache_clear()
    with pytest.raises(RuntimeError, match=r"cannot be loaded .*CTRNN_CACHE, or set train.backend"):
        library()


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
