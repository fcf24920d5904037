"""Building `kernel.c` with a model's equations for this machine, once, on first use.

A library lies in the user's cache under a hash of the sources, the flags and the compiler's version, so that a new
source or compiler never meets an old library; sympy is imported only where one is built. Its name also has its digest:
one that is damaged is built anew, and one that somebody else could have written is not loaded. `CTRNN_ISA` and
`CTRNN_CC` force an instruction set and a compiler; neither changes a bit of any result. `CTRNN_CFLAGS` adds flags, for
the sanitizers.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ctrnn import dynamics

SOURCE = Path(__file__).with_name("kernel.c")
DYNAMICS = Path(dynamics.__file__).parent  # from whose files the C of a model is derived
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
        answer = subprocess.run(
            ["sysctl", "-n", *names], capture_output=True, text=True, check=False
        )
        return set(answer.stdout.lower().split())
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


def library(model: str = "rate", activation: str = "sigmoid") -> Path:
    """The path of the kernel compiled for a model with an activation, built where no cache holds it.

    Many processes may build at once: each compiles into a file of its own and renames it into place. Raises
    RuntimeError where there is no compiler, with the compiler's words where it fails, or where no folder will do.
    """
    command = compiler()
    flags = [*STRICT, *FLAGS[isa()], *shlex.split(os.environ.get("CTRNN_CFLAGS", ""))]
    if "ziglang" in command:
        flags.append("-fno-sanitize=undefined")  # which zig adds of its own accord
    version = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, check=False
    ).stdout
    sources = [SOURCE, *sorted(DYNAMICS.glob("*.py")), DYNAMICS / "models" / f"{model}.py"]
    recipe = "\0".join(
        [*(path.read_text() for path in sources), activation, importlib.metadata.version("sympy"),
         *flags, *command, version, platform.machine(), sys.platform]
    )  # fmt: skip
    name = f"kernel-{hashlib.sha256(recipe.encode()).hexdigest()[:24]}"
    refused = ""
    for folder in cache_folders():
        try:
            path = next(filter(sound, sorted(folder.glob(f"{name}-*.so"))), None)
            path = path or _build(command, flags, (model, activation), folder / name)
            if sound(path):
                return path
            refused = f"others can write {path}"
        except OSError as error:  # it is read-only, say, or full
            refused = str(error)
    raise RuntimeError(
        f"the native kernel cannot be kept ({refused}); name a folder of your own in CTRNN_CACHE, "
        "or set train.backend: torch."
    )


def cache_folders() -> Iterator[Path]:
    """Where built libraries may lie: `CTRNN_CACHE`, the user's cache, one of this user's in /tmp, a new one there.

    One in which others may replace files is passed over.
    """
    if sys.platform == "darwin":
        users = Path.home() / "Library" / "Caches"
    else:
        users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    temporary = Path(tempfile.gettempdir()) / f"ctrnn-{os.getuid()}"
    given = os.environ.get("CTRNN_CACHE")
    for folder in [*([Path(given)] if given else []), users / "ctrnn", temporary]:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
        except OSError:
            continue
        if only_ours(status) or (
            status.st_uid in (os.getuid(), 0) and status.st_mode & stat.S_ISVTX
        ):
            yield folder
    yield Path(tempfile.mkdtemp(prefix="ctrnn-kernel-"))


def sound(path: Path) -> bool:
    """Whether a library is whole, and nobody else could have written it."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or not only_ours(status):
        return False
    return path.stem.endswith(f"-{_digest(path)}")


def only_ours(status: os.stat_result) -> bool:
    """Whether a file or folder is this user's or root's, and nobody else may write it."""
    return status.st_uid in (os.getuid(), 0) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _build(command: list[str], flags: list[str], equations: tuple[str, str], name: Path) -> Path:
    """<name>-<digest>.so, compiled; after a power cut it is whole or not there. Raises RuntimeError as `library`."""
    with tempfile.TemporaryDirectory(dir=name.parent) as scratch:
        made = Path(scratch) / "kernel.so"
        write_headers(Path(scratch), *equations)
        run = subprocess.run(
            [*command, *flags, f"-I{scratch}", str(SOURCE), "-o", str(made), "-lm"],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            raise RuntimeError(
                f"{shlex.join(command)} could not build the native kernel ({run.stderr.strip()[-600:]}); "
                "try another compiler in CTRNN_CC, or set train.backend: torch."
            )
        made.chmod(0o755)
        target = name.with_name(f"{name.name}-{_digest(made)}.so")
        _sync(made)
        os.replace(made, target)
        _sync(target.parent)
    return target


def write_headers(folder: Path, model: str, activation: str) -> None:
    """Write `equations.h` and `model.h`, which `kernel.c` includes."""
    from ctrnn.kernel import c_code  # imports sympy, which takes longer than all else here

    (folder / "equations.h").write_text(c_code.scalar_header(model, activation))
    (folder / "model.h").write_text(c_code.header(model, activation))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:24]


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
