"""Nothing of tracking asks the network for anything: it works, as fast as ever, where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clock import PATIENCE
from tests.tracked import REPOSITORY, all_runs

# Of SQLAlchemy in MLflow.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ALONE = [
    "unshare",
    "--map-root-user",
    "--net",
]  # in a network of its own, without any device but loopback


def may_be_alone() -> bool:
    tool = shutil.which(ALONE[0])
    return tool is not None and not subprocess.run([*ALONE, "true"], check=False).returncode


@pytest.mark.skipif(not may_be_alone(), reason="this user may not make a network namespace")
def test_no_name_is_looked_up(checkout: Path, tmp_path: Path) -> None:
    """Every look-up of a name goes through getaddrinfo: none but of this machine, in publish or in what it starts."""
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    path = [str(tmp_path), str(REPOSITORY / "src"), *filter(None, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "LOOKED_UP": str(tmp_path)}
    for name in ("MLFLOW_DISABLE_TELEMETRY", "PYTEST_CURRENT_TEST", "CI", "GITHUB_ACTIONS"):
        environment.pop(name, None)  # with any of these MLflow would be silent anyway
    command = [*ALONE, sys.executable, "-m", "ctrnn.tracking", "init"]
    subprocess.run(command, cwd=checkout, env=environment, check=True, timeout=PATIENCE)
    publish = (
        "import time; from ctrnn import params; from ctrnn.tracking.publishing import publish; "
        "publish('mante', params.read()); time.sleep(1)"
    )
    command = [*ALONE, sys.executable, "-c", publish]
    subprocess.run(command, cwd=checkout, env=environment, check=True, timeout=PATIENCE)
    assert [run.info.status for run in all_runs(checkout)] == ["FINISHED"]
    assert (tmp_path / "watched").exists()
    looked_up = (tmp_path / "names").read_text() if (tmp_path / "names").exists() else ""
    assert set(looked_up.split()) <= {"localhost", "127.0.0.1"}


# Run by every Python that starts with its folder on the path.
WATCH = """
import os, pathlib, sys

folder = pathlib.Path(os.environ["LOOKED_UP"])
(folder / "watched").touch()

def note(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        with (folder / "names").open("a") as file:
            print(arguments[0], file=file)

sys.addaudithook(note)
"""
