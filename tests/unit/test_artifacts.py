"""Files that cross a stage have the same bytes wherever they are written."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from ctrnn import artifacts

ARRAYS: dict[str, np.ndarray] = {
    "rates": np.arange(12.0).reshape(3, 4),
    "transposed": np.arange(12.0).reshape(3, 4).T,
    "labels": np.array(["go", "nogo"]),
    "none": np.zeros((0, 2), dtype=np.float32),
    "one": np.array(0.5),
}


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    artifacts.write_arrays(path, ARRAYS)
    back = artifacts.read_arrays(path)
    assert list(back) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_what_is_read_cannot_be_written_to(tmp_path: Path) -> None:
    artifacts.write_arrays(tmp_path / "a.npz", {"W": np.ones(3)})
    artifacts.write_weights(tmp_path / "a.safetensors", {"W": np.ones(3)}, {})
    weights, _ = artifacts.read_weights(tmp_path / "a.safetensors")
    for array in (artifacts.read_arrays(tmp_path / "a.npz")["W"], weights["W"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_bytes_of_an_npz_are_of_no_machine_and_no_release_of_python(tmp_path: Path) -> None:
    path = tmp_path / "arrays.npz"
    artifacts.write_arrays(path, ARRAYS)
    assert sha256(path.read_bytes()).hexdigest()[:16] == "2de39a434f8e5f9c"


def test_python_objects_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        artifacts.write_arrays(tmp_path / "arrays.npz", {"x": np.array([{}])})
