"""Where runs go: the main checkout's store, or the server that MLFLOW_TRACKING_URI names.

DVC runs `dvc exp run --temp` and the queue in `<checkout>/.dvc/tmp/exps/...`, a folder that it
deletes afterwards; the store of such an experiment is that of `<checkout>`. No MLflow in here.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen
from uuid import uuid4

from ctrnn.complaints import Complaint

SERVERS = ("http", "https")
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
# Not /health, which is well where the database is not.
PROBE = "/api/2.0/mlflow/experiments/search?max_results=1"
WAIT = 4  # seconds for an answer of the server; one call is tried twice, so that 10 s bound it

_INHERITED = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME")
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": str(WAIT),
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
}


class TrackingError(Complaint, RuntimeError):
    """Runs cannot be stored or read; the message is one sentence with its remedy."""


@dataclass(frozen=True)
class Place:
    """A store of runs. `uri` never depends on the current folder."""

    uri: str
    checkout: Path

    @property
    def is_server(self) -> bool:
        """Whether a server stores the runs (and decides where artifacts lie)."""
        return urlsplit(self.uri).scheme in SERVERS

    @property
    def database(self) -> Path | None:
        """File of an SQLite store, else None."""
        return Path(self.uri.removeprefix("sqlite:///")) if _is_sqlite(self.uri) else None

    @property
    def artifacts(self) -> str | None:
        """Absolute address for the files of runs; None where the server decides."""
        folder = (self.database or self.checkout / "mlflow.db").with_name("mlartifacts")
        return None if self.is_server else folder.as_uri()

    @property
    def lock(self) -> Path:
        """File that is locked while the store is made or a run of this machine is written."""
        return (self.database or self.checkout / "mlflow.db").with_name("mlflow.lock")

    @property
    def owner(self) -> str:
        """What tells runs of this checkout from those of others, on whatever machine. Call it under the lock.

        Host and path would not: containers share them. The path is in it, so that a copy is another checkout.
        """
        file = self.checkout / "mlflow.id"
        if not file.exists():
            draft = file.with_name(f"mlflow.id.{os.getpid()}")
            draft.write_text(uuid4().hex)
            draft.replace(file)
        return hashlib.sha256(f"{file.read_text()} {file}".encode()).hexdigest()[:16]


def find(root: str | Path = ".") -> Place:
    """The store of the checkout that `root` belongs to, or what MLFLOW_TRACKING_URI names.

    Raises TrackingError where that is of a kind that cannot hold runs.
    """
    checkout = main_checkout(root)
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{checkout / 'mlflow.db'}"
    kind = urlsplit(uri).scheme.partition("+")[0]
    if kind not in SERVERS + DATABASES:
        raise TrackingError(
            f"MLFLOW_TRACKING_URI = {uri!r} is not the address of a server or of a database; give "
            "http://host:port or sqlite:////absolute/path.db, or unset it"
        )
    if _is_sqlite(uri):
        uri = f"sqlite:///{checkout / uri.removeprefix('sqlite:///')}"
    return Place(uri, checkout)


def main_checkout(root: str | Path = ".") -> Path:
    """Absolute path of the checkout, also where `root` is the folder of a temporary experiment."""
    path = Path(root).resolve()
    parts = path.parts
    for i in range(len(parts) - 2):
        if parts[i : i + 3] == (".dvc", "tmp", "exps"):
            return Path(*parts[:i])
    return path


def prepare_environment() -> None:
    """Settings of MLflow that hold for this process; call it before MLflow is imported.

    What a shell exports of a run or an experiment is dropped: it belongs to another program.
    """
    for name in _INHERITED:
        os.environ.pop(name, None)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)


def check_server(place: Place) -> None:
    """Raises TrackingError, after WAIT seconds at most, where the server does not answer."""
    if not place.is_server:
        return
    try:
        with urlopen(place.uri.rstrip("/") + PROBE, timeout=WAIT):
            return
    except HTTPError as error:
        if error.code < 500:  # it answers: MLflow, which knows how to log in, will tell
            return
        raise TrackingError(unreachable(place, f"HTTP {error.code}")) from None
    except OSError as error:
        raise TrackingError(unreachable(place, str(getattr(error, "reason", error)))) from None


def unreachable(place: Place, reason: str) -> str:
    """The sentence for a store that does not do what it is asked."""
    remedy = (
        "start the server, or unset MLFLOW_TRACKING_URI to use the checkout's own store"
        if place.is_server
        else "see that the file is writable and not in use"
    )
    reason = " ".join(reason.split())[:200]
    return f"The tracking store {place.uri} failed ({reason}); {remedy}, then repeat the command."


def _is_sqlite(uri: str) -> bool:
    return uri.startswith("sqlite:///")
