"""One point of a sweep, in a process of its own: python -m ctrnn.sweep.runner, told what to do in a line of JSON.

It takes a clone of the checkout that nobody uses and as many cores as it is given, runs `dvc exp run` there, and pushes
the experiment to the checkout. The clones share the checkout's DVC cache and checkpoints. It ends, and all that it has
started, when its standard input closes: whoever started it is gone. Where it is killed, DVC ends with it. What the
stages did it knows from their events, and the last line of its output says in JSON how it went.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ctypes import CDLL
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ctrnn.errors import EVENTS, PR_SET_PDEATHSIG, exit_on_user_error
from ctrnn.repair import damaged_cache
from ctrnn.sweep.checkout import Checkout, SweepError

GRACE = 5  # seconds that training has to write a checkpoint


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run a point. Returns name, seconds, and `failure` or None.

    job: root, commit, name, overrides, threads, `earlier`, where it replaces an experiment, with its reference, and
    `targets`, where only some stages are to be run. A failed point has `stage`, the one that failed, or None; another
    one its reference, `stages` with the seconds of each, and `networks` with the seconds of training by stage.
    """
    checkout = Checkout(Path(job["root"]))
    name, began = job["name"], time.monotonic()
    log, events_path = checkout.log(name), checkout.events(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with checkout.lock(f"point {name}"), ExitStack() as held, log.open("w") as output:
        events_path.unlink(missing_ok=True)  # of an earlier start, which has ended by now
        held.enter_context(pin_cores(job["threads"]))
        clone = held.enter_context(claimed_clone(checkout, job["commit"]))
        sets = [f"--set-param={override}" for override in job["overrides"]]
        environment = {"OMP_NUM_THREADS": str(job["threads"]), EVENTS: str(events_path)}
        done = subprocess.run(
            ["dvc", "exp", "run", "--name", name, *sets, *job["targets"]],
            cwd=clone,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=ending_with_this_process(),
            check=False,
        )
        events = read_events(events_path)
        if done.returncode:
            stage, failure = failed_stage(events, log.read_text())
            # DVC would restore it again
            output.writelines(f"{damaged}\n" for damaged in damaged_cache(clone))
            seconds = time.monotonic() - began
            return {"name": name, "seconds": seconds, "failure": failure, "stage": stage}
        made = [ref for ref in refs(clone) if ref.split("/")[-1] == name]
        # In place of one of the same name: an earlier experiment is there until this one is.
        git(clone, "push", "--quiet", str(checkout.repository), *[f"+{ref}:{ref}" for ref in made])
        if job.get("earlier") not in (None, *made):
            checkout.git("update-ref", "-d", job["earlier"])
        networks: dict[str, dict[str, float]] = {}
        for event in events:
            if event["event"] == "trained":
                networks.setdefault(event["stage"], {})[str(event["network"])] = event["seconds"]
        record = {
            "name": name,
            "seconds": time.monotonic() - began,
            "stages": {e["stage"]: e["seconds"] for e in events if e["event"] == "ended"},
            "bytes": size_of(clone / "artifacts") + size_of(clone / "reports"),
            "tasks": sorted(path.name for path in (clone / "artifacts" / "train").iterdir()),
        }
    if not job["targets"]:  # a part of the stages tells nothing of what a whole point takes
        path = checkout.record(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".part").write_text(json.dumps(record, indent=1))
        path.with_suffix(".part").replace(path)
    return {**record, "networks": networks, "ref": made[0], "failure": None}


@contextmanager
def pin_cores(n: int) -> Iterator[None]:
    """Bind this process to n cores that no other point has, where the system can and so many are free."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    folder = Path(tempfile.gettempdir()) / f"ctrnn-cores-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    allowed = sorted(os.sched_getaffinity(0))
    with ExitStack() as held:
        mine: set[int] = set()
        for core in allowed:
            if len(mine) < n and try_lock(held, folder / f"{core}.lock"):
                mine.add(core)
        if len(mine) == n:
            os.sched_setaffinity(0, mine)
        yield


@contextmanager
def claimed_clone(checkout: Checkout, commit: str) -> Iterator[Path]:
    """The project in a clone at this commit that no other point uses, clean; made where all are in use."""
    folder = checkout.folder / "clones"
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        number = 0
        while not try_lock(held, folder / f"{number}.lock"):
            number += 1
        clone = folder / str(number)
        if not is_clone_of(checkout, clone):
            make_clone(checkout, clone)
        for left in ("index.lock", "HEAD.lock"):  # of a git that was killed
            (clone / ".git" / left).unlink(missing_ok=True)
        git(clone, "checkout", "--quiet", "--force", "--detach", commit)
        kept = [f"--exclude={name}" for name in (".checkpoints", "config.local", "__pycache__")]
        git(clone, "clean", "-ffdxq", *kept)
        for ref in refs(clone):
            git(clone, "update-ref", "-d", ref)
        yield clone / checkout.prefix


def is_clone_of(checkout: Checkout, clone: Path) -> bool:
    """Whether a clone is whole, and of this checkout: a copied or moved one has those of where it was."""
    project, store = clone / checkout.prefix, clone / checkout.prefix / ".checkpoints"
    whole = (project / ".dvc" / "config.local").exists() and store.is_symlink()
    return whole and store.readlink() == checkout.root / ".checkpoints"


def make_clone(checkout: Checkout, clone: Path) -> None:
    """A clone that shares objects, DVC cache and checkpoints with the checkout."""
    from dvc.repo import Repo

    shutil.rmtree(clone, ignore_errors=True)
    source = str(checkout.repository)
    git(checkout.root, "clone", "--quiet", "--shared", "--no-checkout", source, str(clone))
    project = clone / checkout.prefix
    (project / ".dvc").mkdir(parents=True, exist_ok=True)
    store = checkout.root / ".checkpoints"
    store.mkdir(exist_ok=True)
    (project / ".checkpoints").symlink_to(store)
    with Repo(str(checkout.root)) as repo:
        cache = repo.cache.local_cache_dir
    (project / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {cache}\n")


def try_lock(held: ExitStack, path: Path) -> bool:
    """Whether this process has got the lock; it is given back when `held` ends, and when the process does."""
    try:
        held.enter_context(FileLock(path, timeout=0))
    except Timeout:
        return False
    return True


def refs(clone: Path) -> list[str]:
    """References of DVC's experiments."""
    return git(clone, "for-each-ref", "--format=%(refname)", "refs/exps/").split()


def git(folder: Path, *command: str) -> str:
    """Output of a git command. Raises SweepError where it fails."""
    return Checkout(folder).git(*command)


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a point's stages; none where no stage has begun. A line that was torn off is left out."""
    events = []
    for line in path.read_text().splitlines() if path.exists() else ():
        with suppress(ValueError):
            events.append(json.loads(line))
    return events


def failed_stage(events: list[dict[str, Any]], log: str) -> tuple[str | None, str]:
    """The stage that failed, and with what error; None and the last line of the log where no stage tells."""
    failed = [event for event in events if event["event"] == "failed"]
    if failed:
        return failed[-1]["stage"], failed[-1]["error"]
    return None, (log.strip().splitlines() or ["no message"])[-1]


def ending_with_this_process() -> Callable[[], None] | None:
    """What a child calls before it begins, so that it ends when this process is killed, and a stage with DVC.

    A worker of Ray kills its own child, which is this process, when it exits, and nothing below. A DVC that goes on
    would write into a clone whose lock nobody holds any more. None where the system cannot.
    """
    if sys.platform != "linux":
        return None
    set_signal, parent = CDLL(None).prctl, os.getpid()

    def prepare() -> None:
        set_signal(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was killed before
            os._exit(1)

    return prepare


def exit_with_parent() -> None:
    """End this process and all that it has started when standard input closes."""
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGINT)  # training writes a checkpoint
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run the point that the first line of standard input tells."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the stages would inherit
    # Workers of Ray block it, which the stages would inherit too: they could not write a checkpoint.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=exit_with_parent, daemon=True).start()
    try:
        done = run(job)
    except SweepError as error:
        done = {"name": job["name"], "seconds": 0.0, "failure": str(error), "stage": None}
    print(json.dumps(done), flush=True)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m ctrnn.sweep.runner", description=__doc__).parse_args()
    with exit_on_user_error("sweep"):
        main()
