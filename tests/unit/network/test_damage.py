"""Weights files: `ctrnn.load` gives the network that was written, or one sentence."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import ctrnn
from ctrnn import network, tasks
from ctrnn.core import artifacts
from ctrnn.core.artifacts import ArtifactError
from ctrnn.core.rng import generator
from ctrnn.errors import UserError
from ctrnn.network import initialise
from ctrnn.training import state
from ctrnn.training.curriculum import Check
from ctrnn.training.optimizer import Adam
from ctrnn.training.state import TrainState
from tests.settings import settings

TASK, OTHER = "xor", "mante"
Bytes = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """artifacts/train/ of two tasks, two networks each, which have not been trained."""
    root = tmp_path_factory.mktemp("made")
    params = settings(network__n_units=8, network__tau_inh=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name in (TASK, OTHER):
            task = tasks.get_task(name, params.tasks, 1.0)
            states = []
            for index in (0, 1):
                start = initialise(params.network, len(task.channels), 1, 1 + index)
                weights = {key: array + np.float32(0.1) for key, array in start.weights.items()}
                trained = TrainState(
                    index, 1 + index, start, replace(start, weights=weights), Adam(params.train)
                )
                trained.record(0.5, 1.0, 1.0)
                trained.last_check = Check(0.5, 0.5)
                states.append(trained)
            state.save(artifacts.folder("train", name), task, states, params.network, params.train)
    return root / "artifacts" / "train"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of artifacts/train/xor, without the digests beside the weights: as in a run of MLflow."""
    shutil.copytree(made / TASK, tmp_path / "artifacts" / "train" / TASK)
    (tmp_path / "artifacts" / "train" / TASK / artifacts.SUMS).unlink()
    return tmp_path / "artifacts" / "train" / TASK


def parts(content: bytes) -> tuple[dict[str, np.ndarray], Any]:
    """Arrays and settings of a weights file."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return safetensors.numpy.load(content), json.loads(header["__metadata__"]["settings"])


def file(arrays: dict[str, np.ndarray], settings: Any) -> bytes:
    """A weights file; told: its settings."""
    return safetensors.numpy.save(
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
        {"settings": json.dumps(settings)},
    )


def from_before(change: Callable[[dict[str, np.ndarray], Any], object]) -> Bytes:
    """A file from before there were digests, with something in it changed."""

    def made(content: bytes) -> bytes:
        arrays, settings = parts(content)
        del settings["digest"], settings["kind"]
        change(arrays, settings)
        return file(arrays, settings)

    return made


def put(name: str, make: Callable[[np.ndarray], Any]) -> Bytes:
    """A file from before there were digests, with another array under that name."""
    return from_before(lambda arrays, _: arrays.update({name: make(arrays[name])}))


def told(section: str, key: str, value: Any) -> Bytes:
    """A file from before there were digests, with another setting."""
    return from_before(lambda _, settings: settings[section].update({key: value}))


def header(change: Callable[[dict[str, Any]], None]) -> Bytes:
    """A file with another header."""

    def made(content: bytes) -> bytes:
        end = 8 + int.from_bytes(content[:8], "little")
        settings = json.loads(content[8:end])
        change(settings)
        text = json.dumps(settings).encode()
        return len(text).to_bytes(8, "little") + text + content[end:]

    return made


def some_nan(array: np.ndarray) -> np.ndarray:
    array[0, 0] = np.nan
    return array


NO_NETWORK = "is damaged: it is not a safetensors file with settings"
DAMAGED = {
    "empty": (lambda content: b"", NO_NETWORK),
    "4 bytes": (lambda content: content[:4], NO_NETWORK),
    "half": (lambda content: content[: len(content) // 2], NO_NETWORK),
    "minus one byte": (lambda content: content[:-1], NO_NETWORK),
    "header broken": (lambda content: content[:8] + b"!" + content[9:], NO_NETWORK),
    "an npz": (lambda content: b"PK\x03\x04" + content, NO_NETWORK),
    "a JSON": (lambda content: b'{"networks": []}', NO_NETWORK),
    "no metadata": (header(lambda told: told.pop("__metadata__")), NO_NETWORK),
    "other metadata": (header(lambda told: told.update(__metadata__={"a": "b"})), NO_NETWORK),
    "metadata a list": (
        header(lambda told: told["__metadata__"].update(settings="[1]")), NO_NETWORK,
    ),
    "metadata an empty list": (
        header(lambda told: told["__metadata__"].update(settings="[]")),
        "does not have the settings of a network",
    ),
    "metadata no JSON": (
        header(lambda told: told["__metadata__"].update(settings="{")), NO_NETWORK,
    ),
    "no W_rec": (from_before(lambda arrays, _: arrays.pop("W_rec")), "does not have the array W_rec"),
    "no mask": (from_before(lambda arrays, _: arrays.pop("mask")), "does not have the array mask"),
    "W_in a scalar": (put("W_in", lambda _: np.float32(1)), r"has W_in as float32 \(1,\), and"),
    "W_in empty": (put("W_in", lambda _: np.zeros((8, 0), np.float32)), "has W_in as"),
    "W_rec of integers": (put("W_rec", lambda W: W.astype(np.int32)), "has W_rec as int32"),
    "a NaN": (put("W_rec", some_nan), "has numbers in W_rec that are not finite"),
    "zeros": (put("sign", np.zeros_like), "has numbers in sign that are neither 1 nor -1"),
    "W_rec transposed": (
        put("W_rec", np.transpose), "has a W_eff that does not follow from its W_rec, mask and sign",
    ),
    "another tau": (
        told("network", "tau", 90.0), "has time constants that contradict network.tau = 90 in it",
    ),
    "another n_units": (told("network", "n_units", 900), "and by network.n_units = 900 it is"),
    "a setting of another kind": (
        told("network", "tau", "x"), r"has settings that are not allowed \(network.tau = 'x'",
    ),
    "a task that is not there": (told("task", "name", "chess"), "holds a network of chess"),
    "a setting of the task": (
        told("task", "T", 0), r"holds settings that this version does not know \(tasks.xor.T = 0",
    ),
    "a setting of training": (
        told("train", "epsilon", 0), r"holds settings that this version does not know \(1 validation",
    ),
    "no setting of training": (from_before(lambda _, all: all.pop("train")), "does not know"),
    "another channel": (
        put("W_in", lambda W: np.tile(W, 2)), "holds a network that does not fit the task xor",
    ),
    "a number of the arrays": (
        lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:], "is damaged",
    ),
    "a number of the settings": (
        lambda content: content.replace(b'"tau\\": 20', b'"tau\\": 21'), "is damaged: the digest in it",
    ),
    "no digest": (
        lambda content: file(parts(content)[0], {k: v for k, v in parts(content)[1].items() if k != "digest"}),
        "is damaged: the digest in it",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_one_sentence_with_the_command_that_makes_it_again(
    folder: Path, case: str
) -> None:
    path = folder / "network-0.safetensors"
    damage, fault = DAMAGED[case]
    before = path.read_bytes()
    path.write_bytes(damage(before))
    assert path.read_bytes() != before
    with pytest.raises(ArtifactError, match=rf"^{path} [^\n]*{fault}[^\n;]*; make repro makes it"):
        ctrnn.load(folder)


def test_what_is_not_a_file_is_one_sentence(folder: Path) -> None:
    path = folder / "network-0.safetensors"
    for make in (Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")):
        path.unlink() if path.exists() and not path.is_dir() else None
        shutil.rmtree(path, ignore_errors=True)
        make(path)
        with pytest.raises(ArtifactError, match=f"{path} is not a file; make repro makes it again"):
            ctrnn.load(folder)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (f"{TASK}/network-1.safetensors", f"holds the trained network 1 of {TASK}"),
        (f"{TASK}/initial-0.safetensors", f"holds the initial network 0 of {TASK}"),
        (f"{OTHER}/network-0.safetensors", f"holds a network of {OTHER}"),
    ],
)
def test_the_file_of_another_network_is_not_taken(
    made: Path, folder: Path, source: str, fault: str
) -> None:
    shutil.copy(made / source, folder / "network-0.safetensors")
    with pytest.raises(ArtifactError, match=f"{fault}; make repro makes it again"):
        ctrnn.load(folder)
    with pytest.raises(ArtifactError, match=fault):
        network.read_population(folder, 2)


def test_digests_beside_the_weights_tell_of_an_older_network_that_is_whole(
    made: Path, folder: Path
) -> None:
    shutil.copy(made / TASK / artifacts.SUMS, folder)
    path = folder / "network-0.safetensors"
    arrays, settings = artifacts.read_weights(path)
    ctrnn.load(folder)
    settings["training"]["seed"] = 5
    artifacts.write_weights(path, arrays, settings)
    with pytest.raises(ArtifactError, match="is damaged: its digest is not the one in SHA256SUMS"):
        ctrnn.load(folder)


def test_files_from_before_there_were_digests_are_loaded(folder: Path) -> None:
    path = folder / "network-0.safetensors"
    intact = ctrnn.load(folder)
    path.write_bytes(from_before(lambda arrays, told: None)(path.read_bytes()))
    assert same(ctrnn.load(folder), intact)


def test_a_weights_file_that_was_copied_elsewhere_is_loaded(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "kept")
    assert same(ctrnn.load(tmp_path / "kept"), ctrnn.load(folder))


def same(one: ctrnn.notebook.Model, other: ctrnn.notebook.Model) -> bool:
    mine, theirs = one.network.arrays(), other.network.arrays()
    arrays = all(mine[name].tobytes() == theirs[name].tobytes() for name in theirs)
    kept = {name: value for name, value in other.settings.items() if name in one.settings}
    return arrays and one.settings == kept


def damaged(content: bytes, random: np.random.Generator) -> bytes:
    """A file as a disk, a network or a person may leave it."""
    many = bytearray(content)
    at = int(random.integers(len(many)))
    length = int(random.integers(1, 40))
    match random.integers(9):
        case 0 | 1 | 2:
            many[at] ^= 1 << int(random.integers(8))
        case 3:
            del many[at:]
        case 4:
            del many[at : at + length]
        case 5:
            many[at:at] = random.bytes(length)
        case 6:
            many[at : at + length] = bytes(length)
        case 7:
            many[at : at + length] = random.bytes(length)
        case 8:  # a block at another place
            many[at : at + length] = many[:length]
    if many and random.random() < 0.3:  # in the header, where a byte means the most
        many[int(random.integers(min(len(many), 2000)))] ^= 1 << int(random.integers(8))
    return bytes(many)


def loaded(folder: Path) -> ctrnn.notebook.Model | None:
    """The network, or None where what is said instead is one sentence that names the file."""
    try:
        return ctrnn.load(folder)
    except UserError as complaint:
        said = str(complaint)
    assert str(folder / "network-0.safetensors") in said
    assert "\n" not in said
    return None


def test_300_damaged_files_give_the_network_that_was_written_or_one_sentence(folder: Path) -> None:
    path, random = folder / "network-0.safetensors", generator(1, "damage")
    content, intact = path.read_bytes(), ctrnn.load(folder)
    passed = 0
    for _ in range(300):
        path.write_bytes(damaged(content, random))
        model = loaded(folder)
        assert model is None or same(model, intact)
        passed += model is not None
    assert passed < 15  # a zero in place of a zero, say


def test_60_odd_settings_in_files_from_before_there_were_digests_are_told(folder: Path) -> None:
    path, random = folder / "network-0.safetensors", generator(2, "damage")
    content = path.read_bytes()
    odd: tuple[Any, ...] = (None, [], {}, "", "x", -1, 0, 2**70, 1e300, True, [[1]], {"name": 1})

    def change(arrays: dict[str, np.ndarray], settings: Any) -> None:
        key = list(settings)[random.integers(len(settings))]
        if random.random() < 0.8 and isinstance(settings[key], dict) and settings[key]:
            change(arrays, settings[key])
        else:
            settings[key] = odd[random.integers(len(odd))]

    for _ in range(60):
        path.write_bytes(from_before(change)(content))
        loaded(folder)
