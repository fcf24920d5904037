"""generate@<task>: trial tables of every split, the test trials rendered, a figure of sample trials."""

import sys

from ctrnn import artifacts, figures, params, tasks
from ctrnn.complaints import one_sentence


def main(name: str) -> None:
    """Write artifacts/generate/<task>/."""
    settings = params.load()
    task = tasks.get_task(name, settings)
    folder = artifacts.folder("generate", name)
    example = tasks.one_of_each(tasks.save(folder, task, settings.seed))
    figure = figures.sample_trials(
        example.inputs,
        example.targets,
        example.conditions["condition"].tolist(),
        task.channels,
        task.settings.window,
    )
    figures.save(figure, folder / "sample_trials.png")


if __name__ == "__main__":
    with one_sentence(f"generate@{sys.argv[1]}"):
        main(sys.argv[1])
