"""Files that cross a stage have the same bytes wherever they are written, and come back as they were or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ctrnn.core import artifacts
from ctrnn.core.artifacts import ArtifactError
from ctrnn.errors import UserError

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


FILES: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any]]] = {
    "table.csv": (
        lambda path: artifacts.write_table(path, pd.DataFrame({"x": [0.5, 1.5], "y": ["a", "b"]})),
        artifacts.read_table,
    ),
    "told.json": (lambda path: artifacts.write_json(path, {"x": [0.5, 1.5]}), artifacts.read_json),
    "arrays.npz": (lambda path: artifacts.write_arrays(path, ARRAYS), artifacts.read_arrays),
    "network.safetensors": (
        lambda path: artifacts.write_weights(path, {"W": np.ones(3)}, {"kind": "trained"}),
        artifacts.read_weights,
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """artifacts/evaluate/xor with a file of every kind."""
    folder = artifacts.folder("evaluate", "xor", tmp_path)
    for name, (write, _) in FILES.items():
        write(folder / name)
    artifacts.write_sums(folder)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_a_byte_that_differs_is_one_sentence_with_the_command(folder: Path, name: str) -> None:
    path, read = folder / name, FILES[name][1]
    content = path.read_bytes()
    read(path)
    for at in range(0, len(content), 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(
            ArtifactError,
            match=f"{path} is damaged: its digest is not the one in SHA256SUMS beside it; make repro",
        ):
            read(path)


@pytest.mark.parametrize("name", ["table.csv", "told.json", "arrays.npz"])
def test_a_file_of_a_stage_is_not_read_without_digests_beside_it(folder: Path, name: str) -> None:
    (folder / artifacts.SUMS).unlink()
    path, read = folder / name, FILES[name][1]
    with pytest.raises(
        ArtifactError,
        match=f"{path} may be damaged: there is no SHA256SUMS beside it; make repro makes it again",
    ):
        read(path)


def test_weights_are_read_without_digests_beside_them(folder: Path) -> None:
    (folder / artifacts.SUMS).unlink()
    artifacts.read_weights(folder / "network.safetensors")


@pytest.mark.parametrize("name", FILES)
def test_without_digests_what_is_no_such_file_is_one_sentence(folder: Path, name: str) -> None:
    (folder / artifacts.SUMS).unlink()
    folder = folder.rename(folder.parents[1] / "copy")  # of no stage
    path, read = folder / name, FILES[name][1]
    read(path)
    odd = [b"", b"\xff" * 100]
    if name != "table.csv":  # of which these may be the head
        odd += [b'"a": ', b"[" * 10**5, b"PK\3\4", b"\x93NUMPY" + bytes(90)]
    for content in odd:
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=f"{path} is damaged: it is not a .*; make repro"):
            read(path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_none_is_one_sentence_and_does_not_hang(folder: Path, name: str) -> None:
    path, read = folder / name, FILES[name][1]
    path.unlink()
    with pytest.raises(ArtifactError, match=f"{path} does not exist; make repro makes it again"):
        read(path)
    os.mkfifo(path)
    with pytest.raises(ArtifactError, match=f"{path} is not a file; make repro makes it again"):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ArtifactError, match=f"{path} is not a file; make repro makes it again"):
        read(path)
    with pytest.raises(ArtifactError, match=f"{path} cannot be written .*; make repro makes it"):
        FILES[name][0](path)


@pytest.mark.parametrize("name", ["./xor", "../train/xor", "y/../xor", "..", "", "/xor", "xor\n"])
def test_a_name_that_is_a_path_leads_to_no_folder_and_makes_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "artifacts" / "train" / "xor").mkdir(parents=True)
    places: list[Callable[[str, Path], Path]] = [
        partial(artifacts.metrics_path, "train"),
        partial(artifacts.folder, "train"),
        artifacts.figures_folder,
    ]
    for place in places:
        with pytest.raises(UserError, match="is not the name of a task; give letters, digits"):
            place(name, tmp_path)
    assert len(list(tmp_path.rglob("*"))) == 3


def test_the_folder_of_another_task_is_not_read(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "artifacts" / "evaluate" / "mante"
    shutil.copytree(folder, other)
    with pytest.raises(ArtifactError, match=r"is a copy of artifacts/evaluate/xor/table.csv; make"):
        artifacts.read_table(other / "table.csv")
    shutil.copytree(folder, tmp_path / "kept")  # elsewhere a person says what it is
    artifacts.read_table(tmp_path / "kept" / "table.csv")


def test_a_file_that_its_stage_did_not_write_is_not_read(folder: Path) -> None:
    shutil.copy(folder / "table.csv", folder / "more.csv")
    with pytest.raises(ArtifactError, match=r"more.csv is damaged: its digest is not the one in"):
        artifacts.read_table(folder / "more.csv")


def test_digests_are_as_sha256sum_takes_them(folder: Path) -> None:
    lines = (folder / artifacts.SUMS).read_text().splitlines()
    root = folder.parents[2]
    digests = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(digests) == {f"artifacts/evaluate/xor/{name}" for name in FILES}
    assert all(sha256((root / name).read_bytes()).hexdigest() == digests[name] for name in digests)


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_writing_takes_the_place_of_a_link_into_a_cache(
    folder: Path, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "cache").mkdir()
    for name, (write, _) in FILES.items():
        kept = tmp_path / "cache" / name
        kept.write_bytes(b"kept")
        (folder / name).unlink(missing_ok=True)
        link(kept, folder / name)
        write(folder / name)
        assert kept.read_bytes() == b"kept"
        assert (folder / name).read_bytes() != b"kept"
    assert sorted(path.name for path in folder.iterdir()) == sorted([artifacts.SUMS, *FILES])


def test_a_writer_that_dies_leaves_the_old_file(folder: Path) -> None:
    before = (folder / "told.json").read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        artifacts.write_json(folder / "told.json", {"x": float("nan")})
    assert (folder / "told.json").read_bytes() == before


@pytest.mark.parametrize("wrong", ["artifacts", "artifacts/train", "artifacts/train/xor"])
def test_a_file_where_a_folder_belongs_is_one_sentence(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / wrong
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    with pytest.raises(ArtifactError, match=f"{path} is not a folder; make repro makes it again"):
        artifacts.folder("train", "xor", tmp_path)


def test_a_link_where_a_stage_writes_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "artifacts" / "train" / "xor"
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match=f"{path} is a symbolic link; make repro makes it"):
        artifacts.folder("train", "xor", tmp_path)
