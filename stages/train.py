"""train@<task>: a population of networks, trained side by side."""

import sys

from ctrnn import event_log, network, params, tasks
from ctrnn.core import artifacts
from ctrnn.errors import run_stage
from ctrnn.training import loop, state

# By command: an import would make training depend on the tracking of runs.
FOLLOWER = (sys.executable, "-m", "ctrnn.tracking", "live")


def main(name: str) -> None:
    """Write artifacts/train/<task>/."""
    settings = params.load("seed", "tasks", "network", "train", "publish")  # the last: live curves
    task = tasks.get_task(name, settings.tasks, settings.network.dt)
    trials = artifacts.folder("generate", name)
    with event_log.EventLogWriter(name, settings, FOLLOWER) as entries:
        trained = loop.train(
            task,
            artifacts.read_table(trials / "train.csv"),
            artifacts.read_table(trials / "validation.csv"),
            settings.seed,
            settings.network,
            settings.train,
            network.get_backend(settings.train),
            on_step=entries.write,
        )
        folder = artifacts.folder("train", name)
        state.save(folder, task, trained, settings.network, settings.train)


if __name__ == "__main__":
    run_stage(main)
