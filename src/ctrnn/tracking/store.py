"""Opens the store of runs; makes it where it is missing and upgrades it where it is of an older MLflow."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from ctrnn.tracking import place as places
from ctrnn.tracking.place import Place, TrackingError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


def open_store(place: Place) -> MlflowClient:
    """A client of the store, whose tables exist and are those of the installed MLflow.

    Raises TrackingError where the server is down (after 10 s at most) or the database cannot be used.
    """
    places.prepare_environment()
    places.check_server(place)
    from mlflow.exceptions import MlflowException  # takes 2 s: not before it is known to be needed
    from mlflow.tracking import MlflowClient

    with sentences(place):
        if place.database is not None:
            _make(place.database, place)
        try:
            return MlflowClient(place.uri, registry_uri=place.uri)
        except MlflowException as error:
            if place.database is None or "out-of-date database schema" not in str(error):
                raise
            _upgrade(place.database, place)
        return MlflowClient(place.uri, registry_uri=place.uri)


def experiment_id(client: MlflowClient, place: Place, name: str) -> str:
    """Id of the experiment, made where it is missing. Safe for many processes at once."""
    from mlflow.exceptions import MlflowException

    with sentences(place):
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            try:
                return client.create_experiment(name, artifact_location=place.artifacts)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                experiment = client.get_experiment_by_name(name)  # another process was faster
    assert experiment is not None
    if experiment.lifecycle_stage != "active":
        raise TrackingError(
            f"publish.experiment = {name!r} is deleted in {place.uri}; restore it with `mlflow "
            f"experiments restore -x {experiment.experiment_id}` or give another name"
        )
    return str(experiment.experiment_id)


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """One process of this checkout at a time."""
    place.lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(place.lock):
        yield


@contextmanager
def sentences(place: Place) -> Iterator[None]:
    """Turns what MLflow raises about its store into a TrackingError of one sentence."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    try:
        yield
    except (MlflowException, RequestException, OSError) as error:
        raise TrackingError(places.unreachable(place, str(error))) from error


def _make(database: Path, place: Place) -> None:
    """The database with all tables, complete or not there at all: MLflow's own migration breaks if it is
    interrupted or run by several processes, so it is done beside the final name and then renamed.
    """
    if database.exists():
        return
    with locked(place):
        if database.exists():
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        draft = database.with_name(database.name + ".draft")
        draft.unlink(missing_ok=True)
        store = SqlAlchemyStore(f"sqlite:///{draft}", place.artifacts)
        store.engine.dispose()
        os.replace(draft, database)


def _upgrade(database: Path, place: Place) -> None:
    """The tables brought to the installed MLflow's version; what was there is kept as `<name>.before-upgrade`."""
    with locked(place):
        shutil.copy2(database, database.with_name(database.name + ".before-upgrade"))
        command = [sys.executable, "-m", "mlflow", "db", "upgrade", place.uri]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TrackingError(
            f"{database} could not be upgraded ({last}); run `{' '.join(command[1:])}` by hand"
        )
