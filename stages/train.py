"""train@<task>: a population of networks, trained side by side."""

import sys

from ctrnn import artifacts, diary, memory, network, params, tasks, training
from ctrnn.complaints import run_stage

# By command: an import would make training depend on the tracking of runs.
FOLLOWER = (sys.executable, "-m", "ctrnn.tracking", "live")


def main(name: str) -> None:
    """Write artifacts/train/<task>/."""
    settings = memory.check(params.load())
    task = tasks.get_task(name, settings)
    trials = artifacts.folder("generate", name)
    with diary.Diary(name, settings, FOLLOWER) as entries:
        trainees = training.train(
            task,
            artifacts.read_table(trials / "train.csv"),
            artifacts.read_table(trials / "validation.csv"),
            settings,
            network.get_backend(settings.train),
            tell=entries.write,
        )
        training.save(artifacts.folder("train", name), name, trainees, settings)


if __name__ == "__main__":
    run_stage(main)
