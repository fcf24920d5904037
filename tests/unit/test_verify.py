"""`make verify` sees a difference, and says where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from ctrnn import artifacts, verify

STAGES = ("generate", "train", "evaluate", "analyze")


def results(root: Path, off: float = 0.0, digest: str = "1" * 32) -> Path:
    """A folder with the results of a task: train's array is off by so much, and so is its hash."""
    arrays = {"x": np.array([[1.0, 2.0], [3.0, 4.0 + off]])}
    for stage in STAGES:
        artifacts.write_arrays(artifacts.folder(stage, "xor", root) / "arrays.npz", arrays)
    entries = {
        f"{stage}@xor": {
            "cmd": stage,
            "outs": [
                {"path": f"artifacts/{stage}/xor", "md5": digest if stage == "train" else "0" * 32}
            ],
        }
        for stage in STAGES
    }
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": entries}))
    return root


def compared(root: Path, clone: Path) -> dict[str, verify.Row]:
    return {row.output: row for row in verify.compare(root, clone, "xor", "from nothing")}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    root, clone = tmp_path / "root", tmp_path / "clone"
    root.mkdir()
    clone.mkdir()
    return root, clone


def test_equal_results_hold(folders: tuple[Path, Path]) -> None:
    root, clone = folders
    rows = compared(results(root), results(clone))
    assert len(rows) == 4
    assert all(row.good for row in rows.values())


def test_another_hash_is_a_difference_and_its_element_is_named(folders: tuple[Path, Path]) -> None:
    root, clone = folders
    rows = compared(results(root), results(clone, off=1e-9, digest="2" * 32))
    row = rows["artifacts/train/xor"]
    assert row.verdict == "DIFFERENT: arrays.npz, x[1, 1]"
    assert not row.good
    assert rows["artifacts/generate/xor"].good


@pytest.mark.parametrize(("off", "good"), [(3e-6, True), (5e-6, False)])
def test_analyze_is_compared_within_a_tolerance(
    folders: tuple[Path, Path], off: float, good: bool
) -> None:
    root, clone = folders
    row = compared(results(root), results(clone, off=off))["artifacts/analyze/xor/arrays.npz"]
    assert row.good is good


def test_a_missing_file_is_a_difference(folders: tuple[Path, Path]) -> None:
    root, clone = folders
    results(root)
    results(clone, digest="2" * 32)
    (clone / "artifacts" / "train" / "xor" / "arrays.npz").unlink()
    verdict = compared(root, clone)["artifacts/train/xor"].verdict
    assert verdict == "DIFFERENT: arrays.npz is missing"


def test_every_instruction_set_below_the_best_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "best_isa", lambda: "avx512")
    forced = [environment.get("CTRNN_ISA") for _, _, environment in verify.ways()]
    assert forced == [None, None, None, "avx2", "baseline"]
    monkeypatch.setattr(verify, "best_isa", lambda: "neon")
    assert [e.get("CTRNN_ISA") for _, _, e in verify.ways()][3:] == ["baseline"]
