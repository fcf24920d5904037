"""An MLflow server of the test's own, on this machine only, that can be killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from ctrnn.tracking import config
from ctrnn.tracking.__main__ import NO_JOBS
from tests.clock import PATIENCE


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """`mlflow server` on a database; its artifacts lie in `folder`, and are read and written through it."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        self.folder = folder
        self.database = database or f"sqlite:///{folder}/server.db"
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, seconds: float = PATIENCE) -> None:
        """Returns when it answers what it is asked first; later answers are faster."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", self.database]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = {key: v for key, v in os.environ.items() if not key.startswith("MLFLOW")}
        log = self.folder / "server.log"
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command,
                env={**environment, **NO_JOBS, "MLFLOW_DISABLE_TELEMETRY": "true"},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        end = time.monotonic() + seconds
        while True:
            try:
                with urlopen(self.uri + config.PROBE, timeout=PATIENCE):
                    return
            except (URLError, OSError):
                assert self._process.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.1)

    def kill(self) -> None:
        """At once, with its workers."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
