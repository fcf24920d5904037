"""A database that was moved or copied with the files of its runs: MLflow keeps whole paths, of where it was before."""

from __future__ import annotations

import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ctrnn.tracking.config import StoreConfig
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
    """Make runs of the checkout that was in a folder this checkout's: those with its tag, or with a event log there."""
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
    one, two = path(address), path(other)
    return one.exists() and two.exists() and one.samefile(two)


def path(address: str) -> Path:
    """The folder that an address file:... means."""
    return Path(url2pathname(urlsplit(address).path))
