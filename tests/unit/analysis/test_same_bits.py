"""The analyses give the bits of a CPU with AVX2 alone on every x86-64 CPU."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ctrnn import analysis
from ctrnn.analysis import memory
from ctrnn.analysis.analyze import CHOICE, same_blas, same_everywhere
from ctrnn.network import get_backend, initialise
from ctrnn.tasks import get_task, trial_table
from tests.settings import FILE, settings
from tests.unit.analysis import known
from tests.unit.analysis.test_analyze import SMALL, opened
from tests.unit.analysis.test_fixed_points import points
from tools.verify import variables

ROOT = FILE.parent

# Functions of numpy, scipy.special and math whose last bits, or order of ties, differ between numpy's code for AVX-512
# and for AVX2, or between the C library's with and without fused multiply-adds.
BY_CPU = {
    "arctan", "arctan2", "argpartition", "argsort", "cbrt", "cos", "cosh", "exp", "exp2", "expit", "expm1",
    "float_power", "log", "log10", "log1p", "log2", "logit", "pow", "power", "sin", "sinh", "tan", "tanh",
}  # fmt: skip


def digests() -> dict[str, str]:
    """Of every array and all metrics of an analysis, and of the time constants of many modes."""
    small = yaml.safe_load(SMALL.read_text())
    done = opened(settings(**{key.replace(".", "__"): v for key, v in small.items()}), "mante")
    arrays = {f"{stem}/{name}": a for stem, some in done.arrays.items() for name, a in some.items()}
    arrays["time constants"] = points([0] * 2000, [0.0] * 2000, slope=1e-3).time_constants
    arrays |= slow_states_of_dmts(small)
    content = {name: np.ascontiguousarray(array).tobytes() for name, array in arrays.items()}
    content["metrics"] = json.dumps(done.metrics).encode()
    return {name: hashlib.md5(part).hexdigest() for name, part in content.items()}


@same_blas()
def slow_states_of_dmts(small: dict[str, Any]) -> dict[str, np.ndarray]:
    """Decoded from synapses, and answered once they are shuffled, by a network that has not learned."""
    changes = {**small, "network.model": "short_term_plasticity"}
    params = settings(**{key.replace(".", "__"): value for key, value in changes.items()})
    task = get_task("dmts", params.tasks, 1.0)
    networks = [initialise(params.network, 2, 1, 1)]
    test, backend = task.render(trial_table(task, "test", 1)), get_backend(params.train)
    arrays, _ = memory.compute(known.recording(task, networks, params, backend, test))
    return arrays


def test_avx2_alone_changes_no_bit() -> None:
    """numpy, OpenBLAS, the C library and the kernel, all confined at once; OpenBLAS and the C library to less."""
    confined = dict(variables(portable=False))
    if "NPY_DISABLE_CPU_FEATURES" not in confined:
        pytest.skip("this CPU has no AVX-512; the committed dvc.lock, made with it, is compared")
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    program = "import json; from tests.unit.analysis.test_same_bits import digests as d; print(json.dumps(d()))"
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **confined, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == digests()


def test_analyses_call_no_function_whose_last_bits_depend_on_the_cpu() -> None:
    """log and logistic come from the kernel, and np.lexsort keeps ties in order."""
    for file in sorted(Path(analysis.__path__[0]).glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in ("math", "scipy.special"):
                assert not BY_CPU & {alias.name for alias in node.names}, file.name
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np", "math"):
                assert node.attr not in BY_CPU, f"{file.name}:{node.lineno}"


def test_the_kernels_of_blas_are_chosen_for_the_analyses_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(CHOICE, "Sandybridge")
    W = np.random.default_rng(1).standard_normal((60, 60))
    before = np.linalg.eigvals(W)
    with same_blas():
        chosen, inside = os.environ[CHOICE], np.linalg.eigvals(W)
    assert os.environ[CHOICE] == "Sandybridge"
    if same_everywhere():
        assert chosen == "Haswell"
        monkeypatch.delenv(CHOICE)
        with same_blas():
            assert np.array_equal(np.linalg.eigvals(W), inside)
        assert CHOICE not in os.environ
    np.testing.assert_allclose(np.sort(before.real), np.sort(inside.real), atol=1e-9)


def test_the_last_bit_of_a_normal_draw_reaches_no_state() -> None:
    """It is the C library's, in the tails."""

    class Nudged(np.random.Generator):
        def standard_normal(self, *args, **kwargs):
            return np.nextafter(super().standard_normal(*args, **kwargs), np.inf)

    noisy = replace(known.bistable(), parameters=known.parameters(np.ones(2), 1.0), sigma_post=0.1)
    draws = [kind(np.random.PCG64(1)) for kind in (np.random.Generator, Nudged)]
    one, other = (noisy.simulate(np.zeros((20, 30, 1)), random=random) for random in draws)
    assert np.array_equal(one, other)
