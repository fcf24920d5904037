"""Where runs go: the main checkout's store, or the server that MLFLOW_TRACKING_URI names.

DVC runs `dvc exp run --temp` and the queue in `<checkout>/.dvc/tmp/exps/...`, a folder that it
deletes afterwards; the store of such an experiment is that of `<checkout>`. No MLflow in here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from ctrnn.errors import UserError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL
else:
    URL = Any  # SQLAlchemy takes a quarter of a second to import, and requests a tenth

SERVERS = ("http", "https")
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
# Not /health, which is well where the database is not.
PROBE = "/api/2.0/mlflow/experiments/search?max_results=1"
WAIT = 4  # seconds for an answer of the store; one call of a server is tried twice, so that 10 s bound it
# Bytes of the path of an SQLite file. SQLite takes 511, with what it and we append to the name.
LONGEST = 490

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
_GIVE = "give http://host:port or sqlite:////absolute/path.db, or unset it"


class TrackingError(UserError, RuntimeError):
    """Runs cannot be stored or read; the message is one sentence with its remedy."""


@dataclass(frozen=True)
class StoreConfig:
    """A store of runs.

    uri: for MLflow's client, whatever the current folder; a database's may hold a password, so it is never shown:
    `shown` is. login: user and password of a server. database: file of an SQLite store, else None.
    """

    uri: str = field(repr=False)
    checkout: Path
    database: Path | None = None
    login: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """The address without user, password and options."""
        return f"sqlite:///{self.database}" if self.database else _without_secrets(self.uri)

    @property
    def is_server(self) -> bool:
        """Whether a server stores the runs (and decides where artifacts lie)."""
        return urlsplit(self.uri).scheme in SERVERS

    @property
    def artifacts(self) -> str | None:
        """Absolute address for the files of runs; None where the server decides."""
        return None if self.is_server else self._beside("mlartifacts").as_uri()

    @property
    def lock(self) -> Path:
        """File that is locked while the store is made or a run of this machine is written."""
        return self._beside("mlflow.lock")

    @property
    def identity(self) -> tuple[str, str | None]:
        """What tells runs of this checkout from those of others, and what told them before it was copied.

        Host and path would not: containers share them. A checkout that is moved keeps it, since its folder keeps its
        number (inode); a copy, which is another folder, gets its own. Call it under the lock.
        """
        file = self.checkout / "mlflow.id"
        here = {"path": str(self.checkout), "inode": self.checkout.stat().st_ino}
        identity = _read_identity(file)
        if identity.items() >= here.items():
            return identity["owner"], identity["before"]
        if identity and here["path"] != identity["path"] and here["inode"] != identity["inode"]:
            identity = {"owner": _hash(f"{identity['owner']} {file}"), "before": identity["owner"]}
        new = {"owner": _hash(uuid4().hex), "before": None, **identity, **here}
        draft = file.with_name(f"mlflow.id.{os.getpid()}")
        draft.write_text(json.dumps(new))
        draft.replace(file)
        return new["owner"], new["before"]

    @property
    def owner(self) -> str:
        """What tells runs of this checkout from those of others. Call it under the lock."""
        return self.identity[0]

    def hide(self, text: str) -> str:
        """The text without what the address, or the shell, holds of user and password."""
        user, *secrets = self.login or ("",)
        secrets += [os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("PASSWORD", "TOKEN")]
        if self.database is None and not self.is_server:
            from sqlalchemy.engine import make_url

            url = make_url(self.uri)
            user = url.username or ""
            quoted = urlsplit(self.uri).password or ""
            secrets += [self.uri, quoted, str(url.password or ""), *map(str, url.query.values())]
        for secret in sorted(filter(None, secrets), key=len, reverse=True):  # one may hold another
            text = text.replace(secret, "***")
        return re.sub(rf"(?<!\w){re.escape(user)}(?!\w)", "***", text) if user else text

    def _beside(self, name: str) -> Path:
        """A file beside the database, or in the checkout where there is no file of it."""
        return (self.database or self.checkout / "mlflow.db").with_name(name)


def resolve(root: str | Path = ".") -> StoreConfig:
    """The store of the checkout that `root` belongs to, or what MLFLOW_TRACKING_URI names.

    Raises TrackingError where that is no address, or of a kind that cannot hold runs.
    """
    from sqlalchemy.engine import URL, make_url
    from sqlalchemy.exc import ArgumentError

    checkout = main_checkout(root)
    given = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    if not given:
        return _sqlite(URL.create("sqlite", database="mlflow.db"), checkout)
    refused = TrackingError(
        f"MLFLOW_TRACKING_URI = {_without_secrets(given)!r} is not the address of a server or of a database; {_GIVE}"
    )
    try:
        parts = urlsplit(given)
        kind, host, _ = parts.scheme.partition("+")[0], parts.hostname, parts.port
        if kind not in SERVERS + DATABASES:
            raise refused
        if kind not in SERVERS:
            url = make_url(given)
            return _sqlite(url, checkout) if kind == "sqlite" else StoreConfig(given, checkout)
    except (ValueError, ArgumentError):  # of a port that is no number, for one
        raise refused from None
    if not host:
        raise refused
    if parts.password is None:
        return StoreConfig(given, checkout)
    # MLflow takes both from its variables: an address without them cannot be printed with them.
    login = unquote(parts.username or ""), unquote(parts.password)
    return StoreConfig(
        parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), checkout, login=login
    )


def _sqlite(url: URL, checkout: Path) -> StoreConfig:
    """The store in an SQLite file. Raises TrackingError where its address, or its path, is none that SQLite takes."""
    given = url.database or ""
    if not Path(given).name or given.startswith((":memory:", "file:")) or url.host:
        raise TrackingError(
            f"MLFLOW_TRACKING_URI = {_without_secrets(str(url))!r} names no file; {_GIVE}"
        )
    path = checkout / given
    try:
        length = len(str(path).encode())
    except UnicodeEncodeError:
        raise TrackingError(
            f"The path of {str(path)!r} is not UTF-8, and an address has to be; rename its folders"
        ) from None
    if length > LONGEST:
        raise TrackingError(
            f"The path of {path} has {length} bytes, and SQLite takes {LONGEST}; move the checkout, or set "
            "MLFLOW_TRACKING_URI=sqlite:////a/shorter/path.db"
        )
    # By the name of its driver: MLflow makes the folders of a path after sqlite:/// without reading its % signs.
    uri = url.set(drivername="sqlite+pysqlite", database=str(path))
    return StoreConfig(uri.render_as_string(hide_password=False), checkout, path)


def main_checkout(root: str | Path = ".") -> Path:
    """Absolute path of the checkout, also where `root` is the folder of a temporary experiment."""
    path = Path(root).resolve()
    parts = path.parts
    for i in range(len(parts)):
        if parts[i : i + 3] == (".dvc", "tmp", "exps"):
            return Path(*parts[:i])
    return path


def prepare_environment(place: StoreConfig) -> None:
    """Settings of MLflow that hold for this process; call it before MLflow is imported.

    What a shell exports of a run or an experiment is dropped: it belongs to another program.
    """
    for name in _INHERITED:
        os.environ.pop(name, None)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    if place.login:
        os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = place.login


def check(place: StoreConfig) -> None:
    """Raises TrackingError, within 10 s, where a server or a database (other than SQLite's file) does not answer."""
    if place.is_server:
        _check_server(place)
    elif place.database is None:
        _check_database(place)


def _check_server(place: StoreConfig) -> None:
    import requests

    shell = os.environ
    user, password = place.login or map(
        shell.get, (f"MLFLOW_TRACKING_{x}" for x in ("USERNAME", "PASSWORD"))
    )
    token = shell.get("MLFLOW_TRACKING_TOKEN")
    insecure = shell.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1")
    try:
        answer = requests.get(
            place.uri.rstrip("/") + PROBE,
            auth=(user, password) if user and password else None,
            headers={"Authorization": f"Bearer {token}"} if token and not user else None,
            verify=not insecure and (shell.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True),
            timeout=WAIT,
        )
    except OSError as error:  # all of requests' errors are
        reason = str(error).rpartition("(Caused by ")[2]
        raise TrackingError(unreachable(place, reason)) from None
    # Below 500, it answers: MLflow, which knows more ways to log in, will tell.
    if answer.status_code >= 500:
        raise TrackingError(unreachable(place, f"HTTP {answer.status_code}"))


def _check_database(place: StoreConfig) -> None:
    """Raises TrackingError, after WAIT seconds at most, where it cannot be opened. MLflow would try for two minutes."""
    import sqlalchemy
    from sqlalchemy.exc import NoSuchModuleError

    failures: list[Exception] = [TimeoutError(f"no answer in {WAIT} s")]

    def connect() -> None:
        try:
            sqlalchemy.create_engine(place.uri, poolclass=sqlalchemy.NullPool).connect().close()
            failures.clear()
        except Exception as error:  # of whatever driver
            failures[:] = [error]

    thread = Thread(target=connect, daemon=True)
    thread.start()
    thread.join(WAIT)
    for failure in failures:
        if isinstance(failure, ImportError | NoSuchModuleError):
            raise TrackingError(
                f"MLFLOW_TRACKING_URI = {place.shown!r} needs a driver that is not installed ({failure}); install it, "
                "or name one that is, such as postgresql+psycopg2"
            )
        raise TrackingError(unreachable(place, str(getattr(failure, "orig", failure))))


def unreachable(place: StoreConfig, reason: str, unknown: bool = False) -> str:
    """The sentence for a store that does not do what it is asked. unknown: since it has no such run."""
    if unknown:
        remedy = "take a run of ctrnn.runs()"
    elif re.search("disk is full|No space left|Disk quota exceeded", reason):
        remedy = "make room"
    elif re.search(r"\b40[13]\b", reason) and place.is_server:
        remedy = "give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD that it takes"
    elif place.database is None:
        what = "server" if place.is_server else "database"
        remedy = f"start the {what}, or unset MLFLOW_TRACKING_URI to use the checkout's own store"
    else:
        remedy = "see that the file is writable and not in use"
    reason = " ".join(place.hide(reason).partition("[SQL:")[0].split())[:200]
    return f"The tracking store {place.shown} failed ({reason}); {remedy}, then repeat the command."


def _without_secrets(uri: str) -> str:
    """An address, or what is meant as one, without user, password and options."""
    return re.sub(r"^([a-z][a-z0-9+.-]*://)?.*@", r"\1", uri, flags=re.I | re.S).partition("?")[0]


def _read_identity(file: Path) -> dict[str, Any]:
    """What mlflow.id holds: owner, before, path, inode. Empty where it is missing or damaged."""
    try:
        text = file.read_text()
    except (FileNotFoundError, ValueError):
        return {}
    # Until this was JSON, it was a number, whose hash with the path was the owner.
    if re.fullmatch("[0-9a-f]{32}", text):
        owner = _hash(f"{text} {file}")
        return {"owner": owner, "before": None, "path": str(file.parent), "inode": None}
    try:
        content = json.loads(text)
        return {key: content[key] for key in ("owner", "before", "path", "inode")}
    except (ValueError, TypeError, KeyError):
        return {}


def _hash(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]
