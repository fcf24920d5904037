"""What a run was computed with: commit, versions, processor."""

from __future__ import annotations

import getpass
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from ctrnn import __version__

CPUINFO = Path("/proc/cpuinfo")  # of Linux
_SOURCES = ("src", "stages", "params.yaml", "dvc.yaml")


def tags(root: str | Path, backend: str, same_code: bool = True) -> dict[str, str]:
    """Tags for commit, changes to it, versions and machine; backend: that of training.

    same_code: whether the results are of the checkout's code; no commit can be told where they are not.
    """
    commit = _git(root, "rev-parse", "HEAD") if same_code else ""
    found = {
        "git.commit": commit or "none",
        "git.dirty": str(bool(_git(root, "status", "--porcelain", "--", *_SOURCES))).lower(),
        "dvc.experiment": os.environ.get("DVC_EXP_NAME", ""),
        "version.ctrnn": __version__,
        "version.python": platform.python_version(),
        **{f"version.{name}": _version(name) for name in ("numpy", "torch")},
        "cpu": processor(),
        "backend": backend,
        "mlflow.source.git.commit": commit,
        "mlflow.source.name": "stages/publish.py",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
    }
    return {name: value for name, value in found.items() if value}


def processor() -> str:
    """Model of the processor, or its architecture where the system does not tell."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _git(root: str | Path, *command: str) -> str:
    """What git prints; empty outside a repository or without git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *command], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
