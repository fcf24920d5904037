"""The kernel on instruction sets that this machine does not have, and under the sanitizers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from ctrnn.kernel import build
from tests.unit.kernel import trained
from tests.unit.kernel.cases import EQUATIONS

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
STRICT = [flag for flag in build.STRICT if flag not in ("-fPIC", "-shared")]


def trained_there(
    compiler: list[str], isa: str, folder: Path, equations: tuple[str, str], *runner: str
) -> bytes:
    """What `train.c` writes, compiled so and run by `runner`."""
    program = folder / "train"
    build.write_headers(folder, *equations)
    flags = [*STRICT, *build.FLAGS[isa], f"-I{folder}"]
    subprocess.run(
        [*compiler, *flags, str(HERE / "train.c"), "-o", str(program), "-lm"], check=True
    )
    command, given = [*runner, str(program)], trained.handed_over(equations)
    return subprocess.run(command, input=given, capture_output=True, check=True).stdout


@pytest.mark.parametrize("equations", sorted({*EQUATIONS, *trained.EVERY_MODEL}), ids="-".join)
def test_arm_under_an_emulator_trains_the_same_weights(
    equations: tuple[str, str], tmp_path: Path
) -> None:
    cross, emulator = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
    if not cross or not emulator:
        pytest.skip("needs gcc-aarch64-linux-gnu and qemu-user")
    if sys.platform != "linux":
        pytest.skip("needs Linux")
    there = trained_there([cross, "-static"], "neon", tmp_path, equations, emulator)
    assert sha256(there).hexdigest() == sha256(trained.weights_and_sums(equations)).hexdigest()


@pytest.mark.parametrize("width", [4, 8, 16])
def test_vectors_of_every_width_train_the_same_weights(width: int, tmp_path: Path) -> None:
    """16 is the width of AVX-512: its order of every sum, on a CPU that need not have it."""
    equations = EQUATIONS[-1]
    portable = [*build.compiler(), f"-DCTRNN_WIDTH={width}", "-Wno-psabi"]
    there = trained_there(portable, "baseline", tmp_path, equations)
    assert sha256(there).hexdigest() == sha256(trained.weights_and_sums(equations)).hexdigest()


@pytest.mark.slow
def test_address_and_undefined_behaviour_sanitizers_are_silent() -> None:
    compiler = shutil.which("gcc")
    if not compiler or sys.platform != "linux":
        pytest.skip("needs gcc on Linux")
    runtime = [
        subprocess.check_output([compiler, f"-print-file-name={name}"], text=True).strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    environment = {
        **os.environ,
        "CTRNN_CC": compiler,
        # The last -O counts. Of code that is optimised much, less is left to check, and it compiles for a minute.
        "CTRNN_CFLAGS": "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer",
        "LD_PRELOAD": " ".join(runtime),
        "ASAN_OPTIONS": "detect_leaks=0",
        "CTRNN_EXAMPLES": "100",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
    }
    tests = [
        str(HERE / "test_gradients.py"),
        str(HERE / "test_normals.py"),
        "-k",
        "(agree and not long) or wanted or starts or bits",
    ]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]
