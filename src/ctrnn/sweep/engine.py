"""Ray hands the points of a sweep out, on this machine or on a cluster; each runs in a `ctrnn.sweep.runner`."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import Timeout

from ctrnn.kernel import usable_cores
from ctrnn.sweep import runner
from ctrnn.sweep.checkout import Checkout
from ctrnn.sweep.points import Point, SweepError
from ctrnn.tracking import config

RETRIES = 3  # of a point whose worker or node is lost
STARTS = 3  # of Ray on this machine, which may take longer than Ray waits where it is busy


def run(
    points: Sequence[Point],
    earlier: Mapping[str, str],
    checkout: Checkout,
    commit: str,
    threads: int,
    address: str | None,
) -> Generator[tuple[int, list[dict[str, Any]]]]:
    """Run the points; yields, every second at least, how many are running, and what the ended ones came to.

    earlier: git references, by point, of experiments that the new ones replace. address: of a Ray cluster; None starts
    Ray on this machine, and no other reaches it. Raises SweepError where Ray is not there, or where the nodes could not
    share the store of runs; KeyboardInterrupt at Ctrl-C, SIGTERM and SIGHUP, once what it has started has ended.
    """
    if importlib.util.find_spec("ray") is None:
        raise SweepError(
            "a sweep needs Ray; install it with pip install 'ctrnn[sweep]', or use dvc queue "
            "(see docs/how-to/cluster.md)"
        )
    # Nothing is reported to anybody, and what a worker says is in the log of its point.
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0")
    if address is None:
        # As on Windows and macOS: all servers listen on 127.0.0.1 alone. Without it they listen on every interface,
        # and Ray takes 127.0.0.1, given as the address of the node, for one of these.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    # Who may use the cluster: those who have the token that Ray keeps in the home folder, and makes where it has none.
    if address is None or (Path.home() / ".ray" / "auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    import ray

    waiting: dict[Any, str] = {}
    try:
        interrupt_at_signals()
        start(ray, address)
        interrupt_at_signals()  # Ray sets a handler of its own
        if address:
            check_store(checkout.root)
        job = {"root": str(checkout.root), "commit": commit, "threads": threads}
        task = ray.remote(max_retries=RETRIES, num_cpus=threads)(work)
        # Stages say `python` and `dvc`: those of this environment, which every node sees.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path}
        for point in points:
            name = point.name
            own = {**job, "name": name, "overrides": point.overrides, "earlier": earlier.get(name)}
            waiting[task.options(name=name).remote(own, environment)] = name
        while waiting:
            ended, _ = ray.wait(list(waiting), num_returns=1, timeout=1)
            results = [result(ray, waiting.pop(one), one) for one in ended]
            room = int(ray.cluster_resources().get("CPU", 0)) // threads
            yield min(room, len(waiting)), results
    finally:
        ray.shutdown()
        if address is None:
            wait_for(checkout, waiting.values())


def start(ray: Any, address: str | None) -> None:
    """Connect to a cluster, or start Ray on this machine. Raises SweepError where that fails."""
    for attempt in range(1 if address else STARTS):
        try:
            if address and (
                told := re.fullmatch(r"([^/:]+):(\d+)", address)
            ):  # Ray would try for minutes
                socket.create_connection((told[1], int(told[2])), timeout=10).close()
            ray.init(
                address=address or "local",
                num_cpus=None if address else usable_cores(),
                include_dashboard=None if address else False,
                log_to_driver=False,
                configure_logging=False,
            )
            return
        except Exception as error:  # Ray raises no narrower one where it has waited for too long
            said = " ".join(str(error).split())[:200]
            if address:
                raise SweepError(
                    f"Ray does not answer at {address} ({said}); start the cluster first "
                    "(see docs/how-to/cluster.md), or leave --address out"
                ) from None
            if attempt == STARTS - 1:
                raise SweepError(
                    f"Ray does not start on this machine ({said}); repeat the command when it is less busy"
                ) from None
            ray.shutdown()


def interrupt_at_signals() -> None:
    """From now on SIGTERM and SIGHUP end the sweep as Ctrl-C does; one that is ignored, as under nohup, stays so."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


def wait_for(checkout: Checkout, names: Iterable[str]) -> None:
    """Return once points have ended that were left: their training writes a checkpoint, for runner.GRACE at most."""
    end = time.monotonic() + runner.GRACE + 5
    for lock in (checkout.lock(f"point {name}") for name in names):
        if Path(lock.lock_file).exists():
            with suppress(Timeout), lock.acquire(max(0, end - time.monotonic())):
                pass


def result(ray: Any, name: str, ended: Any) -> dict[str, Any]:
    """What a point came to; one whose workers were lost too often has failed."""
    try:
        told: dict[str, Any] = ray.get(ended)
    except ray.exceptions.RayError as error:
        lost = " ".join(str(error).split())[:200]
        return {
            "name": name,
            "seconds": 0.0,
            "failure": f"its worker was lost {RETRIES + 1} times: {lost}",
        }
    return told


def work(job: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """In a worker of Ray: one point, in a process that ends when this one does."""
    with subprocess.Popen(
        [sys.executable, "-m", "ctrnn.sweep.runner"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        last = process.stdout.read().splitlines()[-1:]
    if not last:  # it was killed: Ray tries again
        os._exit(1)
    told: dict[str, Any] = json.loads(last[0])
    return told


def check_store(root: Path) -> None:
    """Raises SweepError where nodes of the cluster would write one SQLite file over a network."""
    import ray

    store = config.resolve(root)
    here = {socket.gethostname()}
    nodes = {str(node["NodeManagerHostname"]) for node in ray.nodes() if node["Alive"]}
    if store.database is not None and nodes - here:
        raise SweepError(
            f"the runs of {len(nodes)} machines cannot go into {store.database}: SQLite breaks over a network; start "
            "an MLflow server and set MLFLOW_TRACKING_URI (see docs/how-to/cluster.md)"
        )
