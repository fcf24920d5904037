"""A sweep on a cluster of two nodes, of which a worker, then a node is killed; then the same sweep undisturbed.

`python -m tests.pipeline.cluster` starts both nodes on this machine, and tells whether every point of the two sweeps
has the same hashes. It takes some minutes.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.pipeline.checkout import Checkout
from tests.pipeline.test_sweep import (
    LONG,
    TASK,
    descendants,
    processes,
    results,
    start,
    wait_for_training,
)

SWEEP = ("-S=network.p_inh=0.1,0.2,0.3", "-S=network.tau=20,40", "--name=cluster")


def checkout(folder: Path) -> Checkout:
    """A checkout in which a point trains for some seconds."""
    made = Checkout(folder, (TASK,))
    for key, value in {**LONG, "train.max_iterations": 900}.items():
        made.change(key, value)
    made.commit("long")
    made.shell |= {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
    return made


def node(lab: Checkout, *where: str) -> subprocess.Popen[bytes]:
    """A node of one core."""
    return subprocess.Popen(
        ["ray", "start", *where, "--num-cpus=1", "--disable-usage-stats", "--block"],
        env=lab.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def end(*nodes: subprocess.Popen[bytes]) -> None:
    """Kill nodes with all that is theirs."""
    for one in nodes:
        for process in [*descendants(one.pid), one.pid]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        one.wait()


def main() -> None:
    """Run both sweeps and compare. Exits with 1 where they differ."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch, socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        lab, calm = checkout(Path(scratch) / "a lab"), checkout(Path(scratch) / "calm")
        subprocess.run(
            ["ray", "get-auth-token", "--generate"],
            env=lab.environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        head = node(lab, "--head", f"--port={port}", "--include-dashboard=false")
        time.sleep(5)
        other = node(lab, f"--address=127.0.0.1:{port}")
        time.sleep(8)
        try:
            sweep = start(lab, *SWEEP, f"--address=127.0.0.1:{port}")
            wait_for_training(lab, sweep)
            time.sleep(2)
            worker = next(iter(processes("ray::p_inh")))
            os.kill(worker, signal.SIGKILL)
            print("a worker is killed", flush=True)
            time.sleep(10)
            wait_for_training(lab, sweep)
            end(other)
            print("a node is killed", flush=True)
            said, _ = sweep.communicate()
            assert sweep.returncode == 0, said
        finally:
            end(head, other)
        undisturbed = start(calm, *SWEEP)
        said, _ = undisturbed.communicate()
        assert undisturbed.returncode == 0, said
        got, wanted = results(lab), results(calm)
    same = sum(got.get(name) == hashes for name, hashes in wanted.items())
    print(f"{same} of {len(wanted)} points have the hashes of the undisturbed sweep")
    if same < len(wanted) or len(got) != len(wanted):
        sys.exit(1)


if __name__ == "__main__":
    main()
