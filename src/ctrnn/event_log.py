"""The event log of a training: rows of its history as they come, in a file that another process may follow.

A tracking server must not slow training down or stop it, and a change of the code that speaks to the server must not
repeat training. So training only appends lines to a file and starts, once, a command that follows the file; what
becomes of that command it neither knows nor waits for. The file lies beside the checkpoints, since DVC deletes the
outputs of a stage before it runs, and holds the clock, which no output may.

A line is JSON: `training` and `settings` at the first start, `time` and `rows` for an iteration, `end` at last.
Training holds a shared lock on its event log, which the system takes back when the process ends in
whatever way: where the lock can be had, training has ended.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

from ctrnn.params import Params

# Of history.csv; with `time`, in milliseconds since 1970, where an event log tells it.
Row = dict[str, Any]


def path(task: str, params: Params, root: str | Path = ".") -> Path:
    """Absolute path of the event log of a task: one file for all settings that its training depends on."""
    settings = json.dumps(params.of_training(task), sort_keys=True)
    digest = hashlib.sha256(settings.encode()).hexdigest()[:16]
    return Path(root).resolve() / ".checkpoints" / f"{task}-{digest}.events"


class EventLogWriter:
    """Written by training: `write` is called with the rows of every iteration.

    follower: a command that is started at the first row, with the log's path as its last argument, if `publish.live`.
    A disk that is full, or a command that does not start, leaves training alone.
    """

    def __init__(
        self, task: str, params: Params, follower: Sequence[str] = (), root: str | Path = "."
    ) -> None:
        self.path = path(task, params, root)
        sections = params.only("seed", "network", "train", "publish").model_dump()
        self._settings = sections | {"tasks": {task: params.task(task).model_dump()}}
        self._follower = follower if params.publish.live else ()
        self._file: IO[bytes] | None = None

    def write(self, training: str, rows: Sequence[Row]) -> None:
        """Enter rows. training: name of settings, trials and code; an event log of another one is begun anew."""
        with suppress(OSError):
            if self._file is None:
                has_rows = self._begin(training)
                self._start_follower()
                if (
                    has_rows
                ):  # the first rows are those of before: there they stand, with their times
                    return
            self._line({"time": _now(), "rows": [_blank_as_null(row) for row in rows]})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with suppress(OSError):
            if self._file is not None:
                stopped = kind is not None and not issubclass(kind, Exception)
                self._line({"end": "killed" if stopped else "failed" if kind else "trained"})
                self._file.close()

    def _begin(self, training: str) -> bool:
        """Open the file; whether it already holds rows of this training."""
        self.path.parent.mkdir(exist_ok=True)
        earlier = read(self.path)
        if earlier is not None and earlier.training != training:
            self.path.unlink()  # a process that still follows it keeps what it has open
            earlier = None
        self._file = self.path.open("ab", buffering=0)
        with suppress(BlockingIOError):
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if earlier is None:
            self._line({"training": training, "settings": self._settings})
        return bool(earlier and earlier.rows)

    def _start_follower(self) -> None:
        if self._follower:
            log = self.path.with_suffix(".log")
            command = [*self._follower, str(self.path)]
            log.unlink(missing_ok=True)  # of an earlier start, which others might read
            files = [
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ]
            # A process group of its own: Ctrl-C means training.
            os.posix_spawnp(command[0], command, os.environ, file_actions=files, setpgroup=0)

    def _line(self, entry: dict[str, Any]) -> None:
        assert self._file is not None
        # A line break first: a line that a killed process tore off must not swallow this one.
        self._file.write(b"\n" + json.dumps(entry).encode() + b"\n")


class EventLogReader:
    """Read as they are written. Raises FileNotFoundError where there is no event log.

    training, settings: of the training, None and empty before its first line; rows: all so far, by iteration and
    network; end: how training ended, if it has.
    """

    def __init__(self, path: Path) -> None:
        self.training: str | None = None
        self.settings: dict[str, Any] = {}
        self.rows: dict[tuple[int, int], Row] = {}
        self.end = "killed"
        self._file = path.open("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read_new(self) -> list[list[Row]]:
        """Rows of every iteration that has been written since the last call; known ones are not repeated.

        An iteration that was done again after a checkpoint keeps the row, and the time, that it had first.
        """
        new: list[list[Row]] = []
        while line := self._file.readline():
            if not line.endswith(b"\n"):  # still being written
                self._file.seek(-len(line), 1)
                break
            with suppress(ValueError, TypeError, KeyError, AttributeError):  # of a damaged line
                new += self._enter(json.loads(line))
        return new

    def _enter(self, entry: dict[str, Any]) -> Iterator[list[Row]]:
        if "training" in entry:
            self.training, self.settings = entry["training"], entry["settings"]
        self.end = entry.get("end", "killed")
        if "rows" in entry:
            rows = []
            for row in entry["rows"]:
                row["time"] = entry["time"]
                rows.append(self.rows.setdefault((row["iteration"], row["network"]), row))
            yield rows


def read(path: Path) -> EventLogReader | None:
    """All pages of an event log so far; None where there is none that can be read."""
    try:
        with EventLogReader(path) as events:
            events.read_new()
            return events
    except OSError:
        return None


def is_locked(path: Path) -> bool:
    """Whether the training that writes this event log is alive."""
    try:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return False
    except (
        BlockingIOError,
        PermissionError,
    ):  # the latter: somebody else's, whose training may be alive
        return True
    return False


def _now() -> int:
    return round(time.time() * 1000)


def _blank_as_null(row: Row) -> Row:
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
