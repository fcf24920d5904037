"""What was torn or damaged by a kill, or by a disk, is made again as if nothing had happened."""

from __future__ import annotations

import hashlib
import shutil

import pytest

from tests.pipeline.checkout import Checkout


def test_a_torn_lock_costs_nothing_but_a_look_into_the_cache(checkout: Checkout) -> None:
    lock = checkout.folder / "dvc.lock"
    before = lock.read_text()
    lock.write_text("")  # as a kill in the moment when DVC writes it leaves it
    with pytest.raises(AssertionError, match="validation failed"):
        checkout.repro()
    checkout.run("env", "PYTHONPATH=src", "python", "-m", "ctrnn.repair")
    assert {stage.partition("@")[0] for stage in checkout.repro()} == {"publish"}
    assert lock.read_text() == before


def test_what_is_damaged_in_dvcs_cache_is_not_restored_but_made_again(checkout: Checkout) -> None:
    out = checkout.folder / "artifacts" / "train" / "mante"
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    digest = hashlib.md5(before["network-0.safetensors"]).hexdigest()
    kept = checkout.folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    kept.chmod(0o644)
    kept.write_bytes(kept.read_bytes()[:-1] + b"!")
    kept.chmod(0o444)
    shutil.rmtree(out)
    said = checkout.run("env", "PYTHONPATH=src", "python", "-m", "ctrnn.repair")
    assert said.startswith("artifacts/train/mante/network-0.safetensors was damaged in DVC's cache")
    checkout.run("dvc", "repro", "train@mante")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert hashlib.md5(kept.read_bytes()).hexdigest() == digest
