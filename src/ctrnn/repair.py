"""What `make repro` does before it calls DVC: python -m ctrnn.repair puts right what DVC stumbles over.

DVC writes dvc.lock and its note of locks in place: a process that is killed in that moment leaves them torn, and DVC
then refuses to go on. It restores files from its cache without a look at what is in them. And it leaves the results of
a task that params.yaml no longer names where they are, while the report depends on whole folders of results.

Results of such a task are removed, which DVC's cache holds. All else that is in the way is moved to .dvc/tmp/aside.

With --alone a command may follow, which goes on in this process and keeps a second `make repro` out until its end.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from configparser import ConfigParser, Error
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import yaml

from ctrnn import lock, params
from ctrnn.errors import UserError, exit_on_user_error
from ctrnn.params import Params, memory
from ctrnn.tasks.settings import TaskSettings

ASIDE = Path(".dvc", "tmp", "aside")
WHOLE = Path(".dvc", "tmp", "whole.json")  # what of DVC's cache was found whole: name -> its ctime


class BusyError(UserError):
    """Another DVC command works in this checkout."""


@contextmanager
def undisturbed(root: Path) -> Iterator[None]:
    """Keep DVC from its files meanwhile.

    Raises BusyError where a DVC command is at work: what looks torn may be half written.
    """
    own = root / ".dvc" / "tmp"
    with ExitStack() as held:
        # DVC holds the first while no stage of it runs, the second while it writes its note of locks.
        for name in ("lock", "rwlock.lock"):
            with suppress(FileNotFoundError):
                file = held.enter_context((own / name).open("r+b"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise BusyError(
                        "another DVC command works in this checkout; wait for its end"
                    ) from None
        for process in at_work(own / "rwlock"):
            raise BusyError(
                f"another DVC command works in this checkout; wait for its end, or end it with kill {process}"
            )
        yield


def keep_others_out(root: Path) -> None:
    """Take the lock of `make repro`, which this process, and what it becomes by exec, holds until its end.

    DVC's own locks leave gaps: before it starts, and where results are published after it. Raises BusyError where
    another process holds the lock.
    """
    path = root / ".dvc" / "tmp" / "repro.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock_file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    os.set_inheritable(lock_file, True)
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock_file)
        raise BusyError("another make repro works in this checkout; wait for its end") from None


def at_work(locks: Path) -> Iterator[int]:
    """Living processes of DVC that its note of locks names.

    Dead ones stay noted, and their ids may be those of other programs by now.
    """
    with suppress(OSError, ValueError):
        noted = json.loads(locks.read_text())
        readers = [reader for of_file in noted.get("read", {}).values() for reader in of_file]
        for process in [*noted.get("write", {}).values(), *readers]:
            with suppress(psutil.Error):
                if "dvc" in " ".join(psutil.Process(process["pid"]).cmdline()):
                    yield process["pid"]


def repair(root: Path, settings: Params) -> Iterator[str]:
    """Put right what DVC would stumble over; a sentence for each thing."""
    if is_corrupt(root / "dvc.lock"):
        place = aside(root, root / "dvc.lock")
        yield f"dvc.lock was torn and is moved to {place}; DVC writes it anew, from its cache where it can"
    locks = root / ".dvc" / "tmp" / "rwlock"
    if is_corrupt(locks):
        yield f"{locks.relative_to(root)} was torn and is moved to {aside(root, locks)}"
    for path in in_the_way(root, settings):
        kind, place = kind_of(path), aside(root, path)
        yield f"{path.relative_to(root)} was {kind} and is moved to {place}; DVC makes it again"
    yield from damaged_cache(root)
    for path in orphaned_outputs(root, settings):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        yield f"{path.relative_to(root)} is removed; params.yaml does not name its task"


def is_corrupt(path: Path) -> bool:
    """Whether dvc.lock or DVC's note of locks is there and is not what DVC can read."""
    if not os.path.lexists(path):
        return False
    if not path.is_file():
        return True
    try:
        if path.suffix == ".lock":
            _lock(path)
            return False
        return not isinstance(json.loads(path.read_bytes()), dict)
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return True


def in_the_way(root: Path, settings: Params) -> Iterator[Path]:
    """What lies where a result belongs and is of another kind: a file for a folder, a link to another folder."""
    places = [root / place for place in ("artifacts", "reports")]
    stages = [place / stage for place in places for stage in lock.STAGES]
    figures = root / "reports" / "figures"
    parents = [artifacts / stage for artifacts in places[:1] for stage in lock.STAGES]
    results = [parent / task for parent in (*parents, figures) for task in settings.tasks]
    for path in (root / ".checkpoints", *places, *stages, figures, *results):
        linked = path.is_symlink() and path in results
        if linked or (os.path.lexists(path) and not path.is_dir()):
            yield path
    for files in ("artifacts/*/*/*", "reports/*/*.csv", "reports/*/*.json", "reports/index.html"):
        yield from (path for path in root.glob(files) if path.exists() and not path.is_file())


def damaged_cache(root: Path) -> Iterator[str]:
    """Put right files of DVC's cache that dvc.lock names and that are not what their names, which are MD5, say.

    A file that has not changed since it was found whole is not read again.
    """
    config, notes = ConfigParser(interpolation=None), root / WHOLE
    with suppress(Error, UnicodeDecodeError):
        config.read([root / ".dvc" / "config", root / ".dvc" / "config.local"])
    store = root / ".dvc" / config.get("cache", "dir", fallback="cache") / "files" / "md5"
    checked: dict[str, int] = {}
    with suppress(OSError, ValueError, TypeError):
        checked = dict(json.loads(notes.read_bytes()))
    waiting = list(_lock(root / "dvc.lock").items()) if (root / "dvc.lock").is_file() else []
    whole: dict[str, int] = {}
    while waiting:
        out, name = waiting.pop()
        path = store / name[:2] / name[2:]
        if not path.is_file():  # DVC sees that
            continue
        changed = path.stat().st_ctime_ns
        if checked.get(name) != changed and _md5(path) != name.removesuffix(".dir"):
            place = aside(root, path)
            if not (root / out).is_file() or _md5(root / out) != name:
                yield f"{out} was damaged in DVC's cache and is moved to {place}; DVC makes it again"
                continue
            _copy(root / out, path)
            yield f"{out} was damaged in DVC's cache and is copied there again"
            changed = path.stat().st_ctime_ns
        whole[name] = changed
        if name.endswith(".dir"):
            waiting += [(f"{out}/{e['relpath']}", e["md5"]) for e in json.loads(path.read_bytes())]
    if whole != checked:
        notes.parent.mkdir(parents=True, exist_ok=True)
        notes.write_text(json.dumps(whole))


def orphaned_outputs(root: Path, settings: Params) -> list[Path]:
    """Results of tasks that there are and that params.yaml does not name."""
    gone = set(TaskSettings.registry) - set(settings.tasks)
    folders = [root / place / stage for place in ("artifacts", "reports") for stage in lock.STAGES]
    return [path for folder in folders for path in sorted(folder.glob("*")) if path.stem in gone]


def aside(root: Path, path: Path) -> Path:
    """Move something out of the way; where it is now, from the root."""
    folder = root / ASIDE
    folder.mkdir(parents=True, exist_ok=True)
    place, number = folder / path.name, 1
    while os.path.lexists(place):
        number += 1
        place = folder / f"{path.name}.{number}"
    shutil.move(path, place)
    return place.relative_to(root)


def kind_of(path: Path) -> str:
    """What lies there, in words."""
    if path.is_symlink():
        return f"a link to {path.readlink()}"
    return "a folder" if path.is_dir() else "a file" if path.is_file() else "no file"


def _lock(path: Path) -> dict[str, str]:
    """Path of every out in dvc.lock -> its hash in DVC's cache. Raises what a parser or a dict says of other files."""
    content = yaml.load(path.read_bytes(), Loader=lock.FAST)
    if "schema" not in content:
        raise ValueError("no schema")
    return lock.out_hashes(content.get("stages", {}))


def _copy(path: Path, place: Path) -> None:
    """Into DVC's cache, whose files are read-only."""
    part = place.with_name(f"{place.name}.part")
    shutil.copyfile(path, part)
    part.chmod(0o444)
    part.replace(place)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m ctrnn.repair", description=__doc__)
    parser.add_argument(
        "--alone", action="store_true", help="before a run: fail where it cannot be"
    )
    parser.add_argument("command", nargs=argparse.REMAINDER, help="to go on with; after --alone")
    given = parser.parse_args()
    quiet = () if given.alone else (BusyError,)
    with exit_on_user_error("repair"):
        with suppress(*quiet), undisturbed(Path()):
            if given.alone:
                keep_others_out(Path())
            settings = params.read()
            if given.alone:
                memory.check(settings)
            for sentence in repair(Path(), settings):
                print(sentence)
        if given.command:
            sys.stdout.flush()
            os.execvp(given.command[0], given.command)
