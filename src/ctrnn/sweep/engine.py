"""Ray hands the points of a sweep out, on this machine or on a cluster; each runs in a `ctrnn.sweep.runner`.

How the sweep stands is shown while it runs.
"""

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
from types import TracebackType
from typing import Any, Self

from filelock import Timeout
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from ctrnn.kernel import usable_cores
from ctrnn.sweep import runner
from ctrnn.sweep.checkout import Checkout, SweepError
from ctrnn.sweep.plan import Plan, Point, duration
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
            own = {**job, "name": name, "earlier": earlier.get(name)}
            own |= {"overrides": point.overrides, "targets": point.targets}
            waiting[task.options(name=name).remote(own, environment)] = name
        while waiting:
            ended, _ = ray.wait(list(waiting), num_returns=1, timeout=1)
            results = [result(ray, waiting.pop(reference), reference) for reference in ended]
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
                parts := re.fullmatch(r"([^/:]+):(\d+)", address)
            ):  # Ray would try for minutes
                socket.create_connection((parts[1], int(parts[2])), timeout=10).close()
            ray.init(
                address=address or "local",
                num_cpus=None if address else usable_cores(),
                include_dashboard=None if address else False,
                log_to_driver=False,
                configure_logging=False,
            )
            return
        except Exception as error:  # Ray raises no narrower one where it has waited for too long
            reason = " ".join(str(error).split())[:200]
            if address:
                raise SweepError(
                    f"Ray does not answer at {address} ({reason}); start the cluster first "
                    "(see docs/how-to/cluster.md), or leave --address out"
                ) from None
            if attempt == STARTS - 1:
                raise SweepError(
                    f"Ray does not start on this machine ({reason}); repeat the command when it is less busy"
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
        outcome: dict[str, Any] = ray.get(ended)
    except ray.exceptions.RayError as error:
        lost = " ".join(str(error).split())[:200]
        return {
            "name": name,
            "seconds": 0.0,
            "failure": f"its worker was lost {RETRIES + 1} times: {lost}",
            "stage": None,
        }
    return outcome


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
    outcome: dict[str, Any] = json.loads(last[0])
    return outcome


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


class Progress:
    """A table that stays in its place on a terminal; elsewhere a line for every point that ends."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._began = time.monotonic()
        self._running = 0
        self.done: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = [
            {"name": point.name, "failure": point.refusal} for point in plan.refused
        ]
        self._console = Console(file=sys.stderr)
        self._live = Live(
            self._table(), console=self._console, refresh_per_second=2, transient=True
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.update(self._table())
            self._live.stop()
        self._console.print(self._table())

    def update(self, running: int, ended: list[dict[str, Any]]) -> None:
        """Enter the points that have ended."""
        self._running = running
        for outcome in ended:
            (self.failed if outcome["failure"] else self.done).append(outcome)
            how = f"failed: {outcome['failure']}" if outcome["failure"] else "done"
            took = f"{duration(outcome['seconds'])}, {len(self.done) + len(self.failed)} of {self._total} ended"
            self._console.print(
                f"{outcome['name']}: {how} ({took})", highlight=False, soft_wrap=True
            )
        if self._console.is_terminal:
            self._live.update(self._table())

    @property
    def _total(self) -> int:
        return len(self._plan.todo) + len(self._plan.refused)

    def _table(self) -> Group | Table:
        table = Table(box=None, pad_edge=False)
        ended = len(self.done)
        left = self._total - ended - len(self.failed)
        cells = {
            "done": str(ended),
            "running": str(self._running if left else 0),
            "failed": str(len(self.failed)),
            "cached": str(len(self._plan.cached)),
            "left": str(left),
            "time left": self._time_left(left),
        }
        for name in cells:
            table.add_column(name, justify="right", min_width=8)
        table.add_row(*cells.values())
        return table

    def _time_left(self, left: int) -> str:
        if not left:
            return "0 s"
        if self.done:
            return duration(left * (time.monotonic() - self._began) / len(self.done))
        if self._plan.seconds is not None:
            return duration(self._plan.seconds * -(-left // self._plan.at_once))
        return "–"
