"""generate@<task>: trial tables of every split, and the test trials rendered."""

import sys

from ctrnn import artifacts, params, tasks
from ctrnn.complaints import one_sentence


def main(name: str) -> None:
    """Write artifacts/generate/<task>/."""
    settings = params.load()
    tasks.save(artifacts.folder("generate", name), tasks.get_task(name, settings), settings.seed)


if __name__ == "__main__":
    with one_sentence(f"generate@{sys.argv[1]}"):
        main(sys.argv[1])
