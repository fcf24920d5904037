"""publish@<task>: results of a task -> one MLflow run."""

from ctrnn import params
from ctrnn.errors import run_stage
from ctrnn.tracking import publishing


def main(task: str) -> None:
    """Publish the results in the current folder."""
    done = publishing.publish(task, params.read(), in_stage=True)
    print(f"publish@{task}: run {done.run_id} ({done.name}) {done.action}")


if __name__ == "__main__":
    run_stage(main)
