"""Results in another clone: computed anew they are the same, and through a remote they are not computed at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.checkout import TASKS, Checkout
from tools import verify

# What a shell or a machine may have otherwise; none of it decides a result.
ELSEWHERE = {
    "ATEN_CPU_CAPABILITY": "default",
    "CTRNN_ISA": "baseline",
    "LC_ALL": "C",
    "MKL_CBWR": "COMPATIBLE",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Sandybridge",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "7",
    "PYTHONOPTIMIZE": "1",
    "TZ": "Asia/Tokyo",
}


def test_another_folder_and_another_shell_give_the_same_lock(
    finished: Checkout, tmp_path: Path
) -> None:
    other = Checkout(tmp_path / "ünusual", TASKS)
    # Optimised bytecode of all libraries is compiled once, not in every process.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path / "compiled")}
    other.shell = {**ELSEWHERE, **compiled, "HOME": str(tmp_path / "home")}
    other.umask = 0o077
    other.run("dvc", "repro", "report")
    assert locked(other) == locked(finished)


def locked(checkout: Checkout) -> dict[str, Any]:
    """The entries of dvc.lock, but for those of publish, which has no outs."""
    stages = yaml.safe_load((checkout.folder / "dvc.lock").read_text())["stages"]
    return {name: entry for name, entry in stages.items() if not name.startswith("publish")}


def test_what_a_remote_holds_is_not_computed_again(checkout: Checkout, tmp_path: Path) -> None:
    add = ("dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    checkout.run(*add)
    checkout.run("dvc", "push", "--quiet")
    other = checkout.clone(tmp_path / "other")
    other.run(*add)
    other.run("dvc", "pull", "--quiet")
    assert other.repro() == set()
    assert other.run("dvc", "status") == checkout.run("dvc", "status")
    assert other.run("git", "status", "--porcelain") == ""
    page = Path("reports") / "index.html"
    assert (other.folder / page).read_bytes() == (checkout.folder / page).read_bytes()


def test_verify_finds_a_wrong_hash_and_nothing_else(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = checkout.folder / "dvc.lock"
    before = lock.read_text()
    path = "path: artifacts/train/go_nogo\n      hash: md5\n      md5: "
    start = before.index("  train@go_nogo:")
    place = before.index(path, start) + len(path)
    digest = before[place : place + 8]
    lock.write_text(before[:place] + "0badhash" + before[place + 8 :])
    monkeypatch.setenv("PATH", checkout.environment["PATH"])
    monkeypatch.chdir(checkout.folder)
    monkeypatch.setattr(verify, "ways", lambda small: [verify.Variant(verify.FIRST)])
    try:
        with pytest.raises(verify.VerifyError, match=r"2 of \d+ comparisons differ"):
            verify.main(["go_nogo"])
    finally:
        lock.write_text(before)
    told = capsys.readouterr().out.splitlines()
    status, train = (line.split() for line in told if "DIFFERENT" in line)
    assert status[:2] == ["dvc", "status"]
    assert train[2] == "artifacts/train/go_nogo"
    assert train[3].startswith("0badhash")
    assert train[4].startswith(digest)
