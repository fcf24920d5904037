"""`make verify` sees a difference, and says where it is."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from ctrnn.core import artifacts
from tools import verify
from tools.compare import distance, first_difference

STAGES = ("generate", "train", "evaluate", "analyze")


def results(root: Path, off: float = 0.0, digest: str = "1" * 32, figures: int = 2) -> Path:
    """A folder with the results of a task: train's array is off by so much, and so is its hash."""
    arrays = {"x": np.array([[1.0, 2.0], [3.0, 4.0 + off]])}
    for stage in STAGES:
        folder = artifacts.folder(stage, "xor", root)
        artifacts.write_arrays(folder / "arrays.npz", arrays)
        artifacts.write_sums(folder)
    metrics = {"radius": {"mean": 1.5 + off, "sd": None, "per_network": [1.0, 2.0 + off]}}
    artifacts.write_json(artifacts.metrics_path("analyze", "xor", root), metrics)
    for number in range(figures):
        (artifacts.figures_folder("xor", root) / f"{number}.png").write_bytes(b"png")
    entries = {
        f"{stage}@xor": {
            "cmd": stage,
            "outs": [
                {"path": f"artifacts/{stage}/xor", "md5": digest if stage == "train" else "0" * 32}
            ],
        }
        for stage in STAGES
    }
    entries["publish@xor"] = {"cmd": "", "deps": [{"path": "reports/figures/xor", "nfiles": 2}]}
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": entries}))
    return root


def compared(root: Path, clone: Path) -> dict[str, verify.Row]:
    rows = [
        *verify.exact("from nothing", root, clone, "xor"),
        *verify.near(root, clone, "xor"),
        verify.figures(root, clone, "xor"),
    ]
    return {row.output: row for row in rows}


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU whose LAPACK is not that of x86-64 with AVX2."""
    monkeypatch.setattr(verify, "same_everywhere", lambda: False)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    root, clone = tmp_path / "root", tmp_path / "clone"
    root.mkdir()
    clone.mkdir()
    return root, clone


def test_where_the_lock_and_the_metrics_alone_are_kept_they_are_compared(
    folders: tuple[Path, Path],
) -> None:
    root, clone = folders
    results(root)
    shutil.rmtree(root / "artifacts")  # as of the small configuration
    rows = compared(root, results(clone))
    assert not any(output.startswith("artifacts/analyze/xor/") for output in rows)
    assert rows["reports/analyze/xor.json"].verdict == "same within 1e-06"
    rows = compared(root, results(clone, off=1e-3))
    assert rows["reports/analyze/xor.json"].verdict == "DIFFERENT"


def test_settings_that_analyze_left_are_compared(folders: tuple[Path, Path]) -> None:
    for root, bins in zip(folders, (40, 41), strict=True):
        folder = artifacts.folder("analyze", "xor", results(root))
        artifacts.write_json(folder / "settings.json", {"weight_bins": bins})
        artifacts.write_sums(folder)
    assert compared(*folders)["artifacts/analyze/xor/settings.json"].verdict == "DIFFERENT"


def test_equal_results_hold(folders: tuple[Path, Path]) -> None:
    root, clone = folders
    rows = compared(results(root), results(clone))
    assert list(rows) == [
        "artifacts/generate/xor",
        "artifacts/train/xor",
        "artifacts/evaluate/xor",
        "artifacts/analyze/xor/arrays.npz",
        "reports/analyze/xor.json",
        "reports/figures/xor",
    ]
    assert all(row.good for row in rows.values())


def test_another_hash_is_a_difference_and_its_element_is_named(folders: tuple[Path, Path]) -> None:
    root, clone = folders
    rows = compared(results(root), results(clone, off=1e-9, digest="2" * 32))
    row = rows["artifacts/train/xor"]
    assert row.verdict == "DIFFERENT: arrays.npz, x[1, 1]"
    assert not row.good
    assert rows["artifacts/generate/xor"].good


@pytest.mark.parametrize(("off", "good"), [(1e-6, True), (1e-5, False)])
@pytest.mark.parametrize("output", ["artifacts/analyze/xor/arrays.npz", "reports/analyze/xor.json"])
def test_analyze_is_compared_within_a_tolerance(
    folders: tuple[Path, Path], off: float, good: bool, output: str
) -> None:
    root, clone = folders
    assert compared(results(root), results(clone, off=off))[output].good is good


def test_analyze_is_compared_by_its_metrics_where_its_arrays_are_not_there(
    folders: tuple[Path, Path],
) -> None:
    root, clone = folders
    results(root)
    (root / "artifacts" / "analyze" / "xor" / "arrays.npz").unlink()
    rows = compared(root, results(clone, off=1e-3))
    assert "artifacts/analyze/xor/arrays.npz" not in rows
    assert not rows["reports/analyze/xor.json"].good


def test_analyze_is_compared_bit_for_bit_where_blas_is_the_same(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, clone = folders
    for place, digest in ((root, "1"), (clone, "2")):
        lock = results(place) / "dvc.lock"
        entries = yaml.safe_load(lock.read_text())
        entries["stages"]["analyze@xor"]["outs"][0]["md5"] = digest * 32
        lock.write_text(yaml.safe_dump(entries))
    assert "artifacts/analyze/xor" not in compared(root, clone)
    monkeypatch.setattr(verify, "same_everywhere", lambda: True)
    rows = {row.output: row for row in verify.exact("from nothing", root, clone, "xor")}
    assert not rows["artifacts/analyze/xor"].good
    assert rows["artifacts/train/xor"].good


def test_a_missing_file_is_a_difference(folders: tuple[Path, Path]) -> None:
    root, clone = folders
    results(root)
    results(clone, digest="2" * 32)
    (clone / "artifacts" / "train" / "xor" / "arrays.npz").unlink()
    verdict = compared(root, clone)["artifacts/train/xor"].verdict
    assert verdict == "DIFFERENT: arrays.npz is missing"


def test_a_missing_figure_is_a_difference(folders: tuple[Path, Path]) -> None:
    root, clone = folders
    row = compared(results(root), results(clone, figures=1))["reports/figures/xor"]
    assert (row.expected, row.got, row.good) == ("2 figures", "1 figures", False)


@pytest.mark.parametrize("other", [{"a": [1.0]}, {"a": ["b", 2.0]}, {"b": [1.0, 2.0]}, {}])
def test_other_keys_shapes_or_kinds_are_infinitely_far(tmp_path: Path, other: object) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    artifacts.write_json(one, {"a": [1.0, 2.0]})
    artifacts.write_json(two, other)
    assert distance(one, one) == 0
    assert distance(one, two) == float("inf")


@pytest.mark.parametrize(
    ("theirs", "far"),
    [
        ([1.0, np.nan, 4.0], 0.0),
        ([1.0, np.nan, 3.0], 0.25),
        ([1.0, 2.0, 4.0], np.inf),
        ([np.nan, np.nan, 4.0], np.inf),
        ([np.inf, np.nan, 4.0], np.inf),
    ],
)
def test_nan_is_as_far_from_a_number_as_can_be_and_no_way_from_nan(
    tmp_path: Path, theirs: list[float], far: float
) -> None:
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    before = {"first": np.array([1.0])}  # a difference of 0 hides no NaN that comes after it
    artifacts.write_arrays(one, {**before, "x": np.array([1.0, np.nan, 4.0])})
    artifacts.write_arrays(two, {**before, "x": np.array(theirs)})
    assert distance(one, two) == far


def test_the_first_element_that_differs_is_not_a_nan_that_both_have(tmp_path: Path) -> None:
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    artifacts.write_arrays(one, {"x": np.array([1.0, np.nan, 4.0])})
    artifacts.write_arrays(two, {"x": np.array([1.0, np.nan, 5.0])})
    assert first_difference(one, two) == "one.npz, x[2]"


def isas() -> list[str]:
    ways = (way.variable for way in verify.ways(small=True) if way.variable)
    return [value for name, value in ways if name == "CTRNN_ISA"]


def test_every_instruction_set_below_the_best_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "best_isa", lambda: "avx512")
    assert isas() == ["avx2", "baseline"]
    monkeypatch.setattr(verify, "best_isa", lambda: "neon")
    assert isas() == ["baseline"]
    assert all(way.variable != ("CTRNN_ISA", "baseline") for way in verify.ways())
    assert [way.threads for way in verify.ways() if way.threads] == [1, 2]


def test_paths_of_numpy_openblas_and_the_c_library_are_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = {"SIMD Extensions": {"found": ["X86_V3", "X86_V4", "AVX512_ICL"]}}
    monkeypatch.setattr(np, "show_config", lambda mode: features)
    monkeypatch.setattr(verify, "best_isa", lambda: "avx512")
    tried = dict(verify.variables(portable=False))
    assert tried["NPY_DISABLE_CPU_FEATURES"] == "X86_V4 AVX512_ICL"  # not X86_V3, which is AVX2
    assert {"OPENBLAS_CORETYPE", "GLIBC_TUNABLES"} <= tried.keys() or sys.platform != "linux"
    monkeypatch.setattr(verify, "best_isa", lambda: "neon")
    assert "OPENBLAS_CORETYPE" not in dict(verify.variables(portable=False))
