"""Opens the store of runs; makes it where it is missing, upgrades it where it is an older one.

A database may have been moved or copied with the files of its runs: MLflow keeps whole paths, of where it was before.
"""

from __future__ import annotations

import gc
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from filelock import FileLock

from ctrnn.tracking import config
from ctrnn.tracking.config import StoreConfig, TrackingError
from ctrnn.tracking.runs import EVENT_LOG, OWNER

COLUMNS = (
    ("experiments", "experiment_id", "artifact_location"),
    ("runs", "run_uuid", "artifact_uri"),
)
# `mlartifacts` beside a database, and what MLflow appends to it for an experiment or for a run.
ADDRESS = re.compile(r"(file:.+/mlartifacts)((?:/\d+)?(?:/[0-9a-f]{32}/artifacts)?)")


def follow(database: Path, place: StoreConfig) -> None:
    """Have the runs' files sought, and new ones written, beside the database, in one transaction.

    A run whose files are where they were, and not here, keeps its address, and a sentence on stderr tells it. In the
    checkout's own store its unfinished runs become those of this checkout. Call it under the lock.
    """
    here = str(place.artifacts)
    left: dict[Path, int] = {}
    before: set[Path] = set()
    with closing(sqlite3.connect(database)) as connection, connection:
        for table, number, column in COLUMNS:
            elsewhere = f"select {number}, {column} from {table} where substr({column}, 1, ?) != ?"
            for row, address in connection.execute(elsewhere, (len(here), here)).fetchall():
                parts = ADDRESS.fullmatch(str(address))
                if parts is None or _same(parts[1], here):
                    continue
                there, now = path(parts[1]), here + parts[2]
                if table == "runs" and path(address).exists() and not path(now).exists():
                    left[there] = left.get(there, 0) + 1
                    continue
                before.add(there.parent)
                mended = f"update {table} set {column} = ? where {number} = ?"
                connection.execute(mended, (now, row))
        if database.parent == place.checkout:
            for folder in before:
                _take_over(connection, f"{folder}/", *place.identity)
    for there, runs in left.items():
        print(
            f"The files of {runs} run{'s' * (runs > 1)} of {database} are still in {there}; copy them to "
            f"{path(here)}, where the next command finds them",
            file=sys.stderr,
        )


def _take_over(connection: sqlite3.Connection, folder: str, owner: str, before: str | None) -> None:
    """Make runs of the checkout that was in a folder this checkout's: by its tag, or by an event log there."""
    there = (EVENT_LOG, len(folder), folder)
    connection.execute(
        "update tags set value = ? where key = ? and (value = ? or run_uuid in "
        "(select run_uuid from tags where key = ? and substr(value, 1, ?) = ?))",
        (owner, OWNER, before, *there),
    )
    connection.execute(
        "update tags set value = substr(value, ?) where key = ? and substr(value, 1, ?) = ?",
        (len(folder) + 1, *there),
    )


def _same(address: str, other: str) -> bool:
    """Whether both are one folder, seen by two paths."""
    first, second = path(address), path(other)
    return first.exists() and second.exists() and first.samefile(second)


def path(address: str) -> Path:
    """The folder that an address file:... means."""
    return Path(url2pathname(urlsplit(address).path))


if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient
else:
    MlflowClient = Any


def open_store(place: StoreConfig, check: bool = False) -> MlflowClient:
    """A client of the store, whose tables exist and are those of the installed MLflow.

    check: whether to read through all of an SQLite file, for damage; a second for 400 MB. Raises TrackingError where
    the server is down (10 s at most) or the database cannot be used.
    """
    config.prepare_environment(place)
    config.check(place)
    gc.disable()  # a third of the time of MLflow's import, which is not made before it is known to be needed
    try:
        from mlflow.tracking import MlflowClient

        with sentences(place):
            if place.database is not None:
                _prepare(place.database, place, check)
            return MlflowClient(place.uri, registry_uri=place.uri)
    finally:
        gc.freeze()
        gc.unfreeze()  # what was imported now counts as old: the collector does not go through it next
        gc.enable()


def experiment_id(client: MlflowClient, place: StoreConfig, name: str) -> str:
    """Id of the experiment, made where it is missing. Safe for many processes at once."""
    from mlflow.exceptions import MlflowException

    # Without it MLflow 3 guesses, and opens the experiment as one of language models.
    kind = ("mlflow.experimentKind", "custom_model_development")
    with sentences(place):
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return client.create_experiment(name, place.artifacts, dict([kind]))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                experiment = client.get_experiment_by_name(name)  # another process was faster
        elif kind[0] not in experiment.tags:
            client.set_experiment_tag(experiment.experiment_id, *kind)
    assert experiment is not None
    files = str(experiment.artifact_location)
    of_a_machine = files.startswith("file:") and not place.is_server
    if of_a_machine and place.database is None and not path(files).parent.is_dir():
        raise TrackingError(
            f"publish.experiment = {name!r} of {place.shown} keeps its files in {path(files)}, which is gone; "
            "put the folder back, or give another name"
        )
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"publish.experiment = {name!r} is deleted in {place.shown}; restore it with `mlflow "
            f"experiments restore -x {experiment.experiment_id}` or give another name"
        )
    return str(experiment.experiment_id)


@contextmanager
def locked(place: StoreConfig) -> Iterator[None]:
    """One process of this checkout at a time."""
    place.lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.lock):
        yield


@contextmanager
def sentences(place: StoreConfig) -> Iterator[None]:
    """Turns what MLflow raises about its store into a TrackingError of one sentence."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, sqlite3.Error) as error:
        unknown = getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"
        raise TrackingError(config.unreachable(place, str(error), unknown)) from None


def _prepare(database: Path, place: StoreConfig, check: bool) -> None:
    """Make the database, or upgrade it, so that MLflow finds nothing left to do when it opens it.

    MLflow's own migration breaks a database if several processes run it, or if one is killed in it.
    """
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401  1 s that the lock need not last

    with locked(place):
        if database.exists() and not database.is_file():
            raise TrackingError(f"{database} is not a file; move it away to begin a new store")
        if not database.exists() or not database.stat().st_size:
            _make(database, place)
            return
        if check:
            _check_sound(database)
        if _version(database) != _newest_version():
            _upgrade(database, place)
        follow(database, place)


def _make(database: Path, place: StoreConfig) -> None:
    """The database with all its tables, or none at all: made beside its name, then renamed."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy.engine import make_url

    draft = database.with_name(database.name + ".draft")
    draft.unlink(missing_ok=True)
    uri = make_url(place.uri).set(database=str(draft)).render_as_string(hide_password=False)
    try:
        store = SqlAlchemyStore(uri, place.artifacts)
    except ValueError:  # its migrations read the path of MLflow as a text in which % has a meaning
        if "%" not in sys.prefix:
            raise
        raise TrackingError(
            f"MLflow makes no store where {sys.prefix}, the environment, has a % in its path; rename the folder"
        ) from None
    store.engine.dispose()
    draft.replace(database)


def _upgrade(database: Path, place: StoreConfig) -> None:
    """The tables as the installed MLflow needs them; `<name>.before-upgrade` keeps the old ones."""
    shutil.copy2(database, database.with_name(database.name + ".before-upgrade"))
    command = [sys.executable, "-m", "mlflow", "db", "upgrade", place.uri]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TrackingError(
            f"{database} could not be upgraded ({last}); install the MLflow that wrote it, or "
            "move it away to begin a new store"
        )


def _version(database: Path) -> str | None:
    """Version of the tables, None where the file holds none."""
    with _reading(database) as connection:
        tables = connection.execute("select name from sqlite_master where name = 'alembic_version'")
        if tables.fetchone() is None:
            return None
        row = connection.execute("select version_num from alembic_version").fetchone()
    return row[0] if row else None


def _check_sound(database: Path) -> None:
    """Raises TrackingError where SQLite finds the file damaged."""
    with _reading(database) as connection:
        (verdict,) = connection.execute("pragma quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict.splitlines()[-1])


@contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the file. Raises TrackingError where SQLite cannot make sense of it."""
    try:
        with closing(sqlite3.connect(database)) as connection:
            yield connection
    except sqlite3.OperationalError:  # it is in use, or may not be read
        raise
    except sqlite3.DatabaseError as error:
        raise TrackingError(
            f"{database} is not a database, or is damaged ({error}); put a copy in its place, or move it away: "
            "`make publish` puts what is there of results into a new one"
        ) from None


def _newest_version() -> str | None:
    import mlflow.store
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(Path(mlflow.store.__path__[0]) / "db_migrations")).get_current_head()
