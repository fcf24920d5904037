"""Runs every stage on an emulated CPU, trains every model there, and compares what is left with this machine's.

`python -m tests.pipeline.emulated` takes ARM64, in some five minutes. On Debian 12, as root, it needs once

    dpkg --add-architecture arm64; apt-get update; apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user

Python for ARM64 is unpacked into a temporary folder, with the wheels of requirements.lock; nothing is installed.
On x86-64, `python -m tests.pipeline.emulated EPYC-Milan` takes AMD's Zen 3, which has AVX2 and no AVX-512, or another
CPU of `qemu-x86_64 -cpu help`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

import yaml

from ctrnn.lock import STAGES
from tests.pipeline.checkout import ROOT, Checkout
from tools.compare import distance
from tools.verify import TOLERANCE

DEBIAN = (
    "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libstdc++6", "libgcc-s1",
    "zlib1g", "libssl3", "libffi8", "libsqlite3-0", "libexpat1", "liblzma5", "libbz2-1.0", "libuuid1",
)  # fmt: skip
WHEELS = (
    "annotated-types", "contourpy", "cycler", "fonttools", "jaxtyping", "jinja2", "kiwisolver", "markupsafe",
    "matplotlib", "mpmath", "numpy", "packaging", "pandas", "pillow", "pydantic", "pydantic-core", "pyparsing",
    "python-dateutil", "pyyaml", "ruamel-yaml", "safetensors", "scipy", "six", "sympy", "threadpoolctl", "tqdm",
    "typing-extensions", "typing-inspection", "wadler-lindig",
)  # fmt: skip


def python_for_arm64(folder: Path) -> list[str]:
    """The command of an ARM64 Python that has what the stages import."""
    debs, wheels, system, site = (folder / name for name in ("debs", "wheels", "system", "site"))
    debs.mkdir(parents=True)
    run("apt-get", "download", "--quiet", *(f"{name}:arm64" for name in DEBIAN), cwd=debs)
    for deb in debs.iterdir():
        run("dpkg", "--extract", str(deb), str(system), cwd=folder)
    locked = dict(re.findall(r"^(\S+)==(\S+) ", (ROOT / "requirements.lock").read_text(), re.M))
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in (17, 27, 28)]
    run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
        *("--python-version=3.11", "--platform=manylinux2014_aarch64", *platforms),
        *("--dest", str(wheels), *(f"{name}=={locked[name]}" for name in WHEELS)),
        cwd=folder,
    )
    for wheel in wheels.iterdir():
        ZipFile(wheel).extractall(site)
    emulated = ("qemu-aarch64", "-L", str(system), str(system / "usr/bin/python3.11"))
    settings = ("CTRNN_CC=aarch64-linux-gnu-gcc", f"PYTHONPATH=src:{site}")
    return on_one_core(*settings, *emulated)


def python_for_x86(cpu: str) -> list[str]:
    """The command of this Python on another x86-64 CPU with AVX2; /proc/cpuinfo is still this machine's."""
    return on_one_core(
        "CTRNN_ISA=avx2", "PYTHONPATH=src", "qemu-x86_64", "-cpu", cpu, sys.executable
    )


def on_one_core(*command: str) -> list[str]:
    """A command with settings of the environment before it; on one core no process starts another."""
    return ["taskset", "1", "env", *command]


def run(*command: str, cwd: Path) -> None:
    """A command that has to succeed."""
    subprocess.run(command, cwd=cwd, check=True)


def trained(*python: str) -> str:
    """Hashes of the weights of a small network of every model, trained by this Python."""
    command = (*python, "-m", "tests.unit.kernel.trained")
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Run, compare, print; exit with 1 where more differs than the arrays of analyze may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cpu", nargs="?", default="ARM64")
    cpu = parser.parse_args().cpu
    tasks = tuple(yaml.safe_load((ROOT / "params.yaml").read_text())["tasks"])
    with tempfile.TemporaryDirectory() as scratch:
        here, there = (Checkout(Path(scratch, name), tasks) for name in ("here", "there"))
        arm = cpu == "ARM64"
        python = python_for_arm64(Path(scratch, "arm64")) if arm else python_for_x86(cpu)
        if differ := trained(*python) != trained("env", "PYTHONPATH=src", sys.executable):
            print("DIFFERS: a trained weight of a model, see tests/unit/kernel/trained.py")
        here.repro()
        there.change("publish.live", False)
        for task in tasks:
            for stage in STAGES:
                run(*python, f"stages/{stage}.py", task, cwd=there.folder)
        run(*python, "stages/report.py", cwd=there.folder)
        sys.exit(compare(here.folder, there.folder, TOLERANCE if arm else 0.0) or differ)


def compare(here: Path, there: Path, tolerance: float) -> int:
    """Print how many files are the same, and those that are not. Returns 1 where a result differs, else 0.

    tolerance: of the arrays of analyze.
    """
    same, wrong, furthest = 0, [], 0.0
    files = [path for top in ("artifacts", "reports") for path in sorted((here / top).rglob("*.*"))]
    for file in files:
        name = file.relative_to(here)
        other = there / name
        if other.exists() and file.read_bytes() == other.read_bytes():
            same += 1
        elif name.parts[:2] == ("artifacts", "analyze") and other.exists():
            furthest = max(furthest, distance(file, other))
        elif file.suffix in (".png", ".html"):
            print(f"drawn otherwise: {name}")
        else:
            wrong.append(name)
    print(f"{same} of {len(files)} files are the same; arrays of analyze are {furthest:.1e} off")
    for name in wrong:
        print(f"DIFFERS: {name}")
    return int(bool(wrong) or furthest > tolerance)


if __name__ == "__main__":
    main()
