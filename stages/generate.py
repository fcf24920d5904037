"""generate@<task>: trial tables of every split, and the test trials rendered."""

from ctrnn import artifacts, memory, params, tasks
from ctrnn.complaints import run_stage


def main(name: str) -> None:
    """Write artifacts/generate/<task>/."""
    settings = memory.check(params.load())
    tasks.save(artifacts.folder("generate", name), tasks.get_task(name, settings), settings.seed)


if __name__ == "__main__":
    run_stage(main)
