"""A PostgreSQL of the test's own, from Debian's package, on this machine only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.server import free_port


def binary(name: str) -> str | None:
    """Path of one of its programs; Debian keeps them out of PATH. None where it is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.defpath, *map(str, folders)]))


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of an empty database, gone afterwards. It does not run as root, so root hands it to `nobody`."""
    folder = Path(tempfile.mkdtemp(prefix="ctrnn-postgresql-"))
    data, port = folder / "data", free_port()
    who: dict[str, Any] = {}
    if os.getuid() == 0:
        shutil.chown(folder, "nobody")
        who = {"user": "nobody", "group": "nogroup", "extra_groups": []}
    quiet: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, **who}
    initdb, postgres, ready = (str(binary(n)) for n in ("initdb", "postgres", "pg_isready"))
    make = [initdb, "--pgdata", str(data), "--auth", "trust", "--username", "mlflow", "--no-sync"]
    subprocess.run(make, check=True, **quiet)
    command = [
        postgres,
        "-D",
        str(data),
        "-p",
        str(port),
        "-k",
        str(folder),
        "-F",
        "-h",
        "127.0.0.1",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, **{**quiet, "stdout": log, "stderr": log})
    try:
        while subprocess.run(
            [ready, "-q", "-h", "127.0.0.1", "-p", str(port)], check=False
        ).returncode:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"postgresql+psycopg2://mlflow@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # SIGTERM would wait for those who are connected
        process.wait()
        shutil.rmtree(folder)
