"""generate@<task>: trial tables of every split, and the test trials rendered."""

from ctrnn import params, tasks
from ctrnn.core import artifacts
from ctrnn.errors import run_stage


def main(name: str) -> None:
    """Write artifacts/generate/<task>/."""
    settings = params.load("seed", "tasks", "network")
    task = tasks.get_task(name, settings.tasks, settings.network.dt)
    tasks.save(artifacts.folder("generate", name), task, settings.seed)


if __name__ == "__main__":
    run_stage(main)
