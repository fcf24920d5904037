"""Building `kernel.c` for this machine, once, on first use.

The library lies in the user's cache under a hash of the source, the flags and the compiler's version, so that a new
source or compiler never meets an old library. `CTRNN_ISA` and `CTRNN_CC` force an instruction set and a compiler;
neither changes a bit of any result. `CTRNN_CFLAGS` adds flags, for the sanitizers.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("kernel.c")
STRICT = ("-std=gnu11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fPIC", "-shared")
FLAGS = {
    "avx512": (
        "-DCTRNN_AVX512",
        "-mavx512f",
        "-mavx512dq",
        "-mavx512bw",
        "-mavx512vl",
        "-mavx2",
        "-mfma",
    ),
    "avx2": ("-DCTRNN_AVX2", "-mavx2", "-mfma"),
    "neon": ("-DCTRNN_NEON",),
    "baseline": (),
}
NEEDS = {
    "avx512": {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx2", "fma"},
    "avx2": {"avx2", "fma"},
}


@cache
def isa() -> str:
    """The instruction set that the kernel is built for: avx512, avx2, neon or baseline, or what `CTRNN_ISA` says."""
    forced = os.environ.get("CTRNN_ISA")
    if forced is None:
        return best_isa()
    if forced not in FLAGS:
        raise RuntimeError(
            f"CTRNN_ISA={forced} is not an instruction set; give one of {', '.join(FLAGS)}."
        )
    return forced


def best_isa() -> str:
    """The widest instruction set that this CPU has."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        return "neon"
    features = _x86_features()
    return next((name for name, needed in NEEDS.items() if needed <= features), "baseline")


def _x86_features() -> set[str]:
    """What the operating system says the CPU can do, in Linux's words."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        flags = [line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")]
        return set(flags[0].split()) if flags else set()
    if sys.platform == "darwin":
        names = ["machdep.cpu.features", "machdep.cpu.leaf7_features"]
        said = subprocess.run(["sysctl", "-n", *names], capture_output=True, text=True, check=False)
        return set(said.stdout.lower().split())
    return set()


def compiler() -> list[str]:
    """The command of a C compiler: `CTRNN_CC`, `CC`, cc, gcc, clang, else the one in the package `ziglang`.

    Raises RuntimeError where there is none.
    """
    for variable in ("CTRNN_CC", "CC"):
        command = shlex.split(os.environ.get(variable, ""))
        if command and shutil.which(command[0]):
            return command
        if command and variable == "CTRNN_CC":
            raise RuntimeError(
                f"CTRNN_CC={command[0]} is not a program on the PATH; name an installed C compiler."
            )
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise RuntimeError(
        "The native kernel needs a C compiler and found none; install one (cc, gcc or clang), or `pip install "
        "ctrnn[compiler]`, or set train.backend: torch."
    )


def cache_folder() -> Path:
    """Where built libraries lie: `CTRNN_CACHE`, else the user's cache folder, else one of this user's in /tmp."""
    if given := os.environ.get("CTRNN_CACHE"):
        folder = Path(given)
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches" / "ctrnn"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ctrnn"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="ctrnn-kernel-"))


def library() -> Path:
    """The path of the compiled kernel, built where the cache does not hold it.

    Many processes may build at once: each compiles into a file of its own and renames it into place. Raises
    RuntimeError where there is no compiler, or with the compiler's words where it fails.
    """
    command = compiler()
    flags = [*STRICT, *FLAGS[isa()], *shlex.split(os.environ.get("CTRNN_CFLAGS", ""))]
    if "ziglang" in command:
        flags.append("-fno-sanitize=undefined")  # which zig adds of its own accord
    version = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, check=False
    ).stdout
    recipe = "\0".join(
        [SOURCE.read_text(), *flags, *command, version, platform.machine(), sys.platform]
    )
    target = cache_folder() / f"kernel-{hashlib.sha256(recipe.encode()).hexdigest()[:24]}.so"
    if target.exists():
        return target
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = Path(scratch) / "kernel.so"
        run = subprocess.run(
            [*command, *flags, str(SOURCE), "-o", str(made), "-lm"],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            raise RuntimeError(
                f"{shlex.join(command)} could not build the native kernel ({run.stderr.strip()[-600:]}); "
                "try another compiler in CTRNN_CC, or set train.backend: torch."
            )
        os.replace(made, target)
    return target
