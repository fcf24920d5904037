"""train@<task>: a population of networks, trained side by side."""

import sys

from ctrnn import artifacts, network, params, tasks, training
from ctrnn.complaints import one_sentence


def main(name: str) -> None:
    """Write artifacts/train/<task>/."""
    settings = params.load()
    task = tasks.get_task(name, settings)
    trials = artifacts.folder("generate", name)
    trainees = training.train(
        task,
        artifacts.read_table(trials / "train.csv"),
        artifacts.read_table(trials / "validation.csv"),
        settings,
        network.get_backend(settings.train),
    )
    training.save(artifacts.folder("train", name), name, trainees, settings)


if __name__ == "__main__":
    with one_sentence(f"train@{sys.argv[1]}"):
        main(sys.argv[1])
