"""Ray hands the points of a sweep out, on this machine or on a cluster; each runs in a `ctrnn.sweep.runner`."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ctrnn.sweep.points import Point, SweepError
from ctrnn.tracking import place

RETRIES = 3  # of a point whose worker or node is lost


def run(
    points: Sequence[Point], root: Path, commit: str, threads: int, address: str | None
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Run the points; yields, every second at least, how many are running, and what the ended ones came to.

    address: of a Ray cluster; None starts Ray on this machine. Raises SweepError where Ray is not there, or where the
    nodes could not share the store of runs.
    """
    if importlib.util.find_spec("ray") is None:
        raise SweepError(
            "a sweep needs Ray; install it with pip install 'ctrnn[sweep]', or use dvc queue (see docs/cluster.md)"
        )
    # Nothing is reported to anybody, and what a worker says is in the log of its point.
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS="0")
    # Who may use the cluster: those who have the token that Ray keeps in the home folder, and makes where it has none.
    if address is None or (Path.home() / ".ray" / "auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    import ray

    try:
        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            configure_logging=False,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise SweepError(
            f"Ray does not start at {address or 'this machine'} ({' '.join(str(error).split())[:200]}); "
            "start the cluster first (see docs/cluster.md), or leave --address out"
        ) from None
    try:
        if address:
            check_store(root)
        job = {"root": str(root), "commit": commit, "threads": threads}
        task = ray.remote(max_retries=RETRIES, num_cpus=threads)(work)
        jobs = [{**job, "name": p.name, "overrides": p.overrides} for p in points]
        # Stages say `python` and `dvc`: those of this environment, which every node sees.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path}
        waiting = [task.options(name=one["name"]).remote(one, environment) for one in jobs]
        names = dict(zip(waiting, (point.name for point in points), strict=True))
        while waiting:
            ended, waiting = ray.wait(waiting, num_returns=1, timeout=1)
            room = int(ray.cluster_resources().get("CPU", 0)) // threads
            yield min(room, len(waiting)), [result(ray, names[one], one) for one in ended]
    finally:
        ray.shutdown()


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

    store = place.find(root)
    here = {socket.gethostname()}
    nodes = {str(node["NodeManagerHostname"]) for node in ray.nodes() if node["Alive"]}
    if store.database is not None and nodes - here:
        raise SweepError(
            f"the runs of {len(nodes)} machines cannot go into {store.database}: SQLite breaks over a network; start "
            "an MLflow server and set MLFLOW_TRACKING_URI (see docs/cluster.md)"
        )
