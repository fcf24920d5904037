"""The same bits for every number of threads, instruction set and compiler that this machine has."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctrnn.dynamics.models import models
from ctrnn.kernel import build, forward, log, logistic, loss_and_gradients, noise, normals
from tests.unit.kernel import trained
from tests.unit.kernel.cases import EQUATIONS, Case, forward_job, job_of


def same_program(name: str, other: str) -> bool:
    """Whether two commands run the same file."""
    paths = shutil.which(name), shutil.which(other)
    return all(paths) and Path(str(paths[0])).samefile(str(paths[1]))


ROOT = Path(__file__).parents[3]
CASES = [
    Case(n=50, T=25, trials=70, rate_penalty=0.1, seed=1),
    Case(n=33, T=13, trials=7, activation="relu", dale=False, density=0.7, seed=2),
    Case(n=1, T=1, trials=1, density=1.0, seed=3),
]
# Each compiler with an instruction set but for the pair that the other tests of this process take: cc is gcc, say.
PAIRS = [
    (isa, compiler)
    for isa in dict.fromkeys([build.best_isa(), "avx2", "baseline"])
    for compiler in ("gcc", "clang")
    if isa != build.best_isa() or not same_program(compiler, build.compiler()[0])
]
PINNED = "7e5905aa546ccbc65281f96a1857fed04c826d35fbf7278902ddaa741cd2769d"
TRAINED = {
    "adaptation-softplus": "909caa24e35bdb6439d7d9e1211a83bc6afb169869a0e20bf81f223312979de9",
    "rate-sigmoid": "9ac308e3f11aea6e5fc703f2c3dada5ed31fa213422d36468be70b9432a6237e",
    "short_term_plasticity-tanh": "ef60aa3a987a02374cc13e82753da09d1a2466bc2a0de7edbfebb01715c72eab",
}


def digest(threads: int = 1) -> dict[str, str]:
    """SHA-256 of everything that the kernel computes for three small cases, and of every model's trained weights."""
    jobs, hashed = [job_of(case) for case in CASES], hashlib.sha256()
    for model, activation in EQUATIONS:  # gradients by the parameters of units
        job = job_of(Case(T=12, model=model, activation=activation))
        own = frozenset(job.network.parameters) - {"dt"}
        ((_, gradients),) = loss_and_gradients([replace(job, trainable=own)], threads)
        hashed.update(b"".join(gradients[name].tobytes() for name in sorted(gradients)))
    for loss, gradients in loss_and_gradients(jobs, threads):
        hashed.update(np.float64(loss).tobytes())
        for name in sorted(gradients):
            hashed.update(gradients[name].tobytes())
    for rates, outputs in forward([forward_job(job) for job in jobs], threads):
        assert rates is not None
        assert outputs is not None
        hashed.update(rates.tobytes() + outputs.tobytes())
    hashed.update(normals(np.arange(5, dtype=np.uint64), 77).tobytes())
    hashed.update(b"".join(part.tobytes() for part in noise(jobs[0].network, 3, 2, 40)))
    x = np.linspace(-30, 30, 1001)
    hashed.update(logistic(x).tobytes() + log(np.abs(x)).tobytes())
    return {"kernel": hashed.hexdigest(), **trained.digests(threads)}


def test_every_model_of_the_registry_is_trained() -> None:
    assert {model for model, _ in trained.EVERY_MODEL} == models().keys()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_no_bit(threads: int) -> None:
    assert digest(threads) == digest(1)


@pytest.mark.parametrize(("isa", "compiler"), PAIRS)
def test_instruction_set_and_compiler_change_no_bit(isa: str, compiler: str) -> None:
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    if isa == "avx2" and build.best_isa() not in ("avx512", "avx2"):
        pytest.skip("this CPU has no AVX2")
    environment = {**os.environ, "CTRNN_ISA": isa, "CTRNN_CC": compiler}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    program = "import json; from tests.unit.kernel.test_same_bits import digest; print(json.dumps(digest()))"
    run = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == digest()


def test_a_trial_depends_on_its_place_and_not_on_the_others() -> None:
    job = job_of(Case(trials=70))
    rates, _ = forward([forward_job(job)], threads=1)[0]
    fewer = forward_job(job)
    some = type(fewer)(**{**vars(fewer), "inputs": np.ascontiguousarray(job.inputs[:, :41])})
    few, _ = forward([some], threads=1)[0]
    assert rates is not None
    assert few is not None
    assert np.array_equal(few, rates[:, :41])


def test_a_shorter_run_is_the_beginning_of_a_longer_one() -> None:
    job = job_of(Case(T=20))
    rates, _ = forward([forward_job(job)], threads=1)[0]
    whole = forward_job(job)
    short, _ = forward([type(whole)(**{**vars(whole), "inputs": job.inputs[:7]})], threads=1)[0]
    assert rates is not None
    assert short is not None
    assert np.array_equal(short, rates[:7])


def test_the_bits_are_those_of_every_release() -> None:
    """A change here changes every trained network: raise the version, and say so in the notes."""
    _, gradients = loss_and_gradients([job_of(CASES[0])], threads=1)[0]
    hashed = hashlib.sha256(b"".join(gradients[name].tobytes() for name in sorted(gradients)))
    assert hashed.hexdigest() == PINNED
    assert trained.digests().items() >= TRAINED.items()
