"""publish@<task>: results of a task -> one MLflow run."""

from __future__ import annotations

from ctrnn import params, tracking
from ctrnn.complaints import run_stage


def main(task: str) -> None:
    """Publish the results in the current folder."""
    done = tracking.publish(task, params.load(), in_stage=True)
    print(f"publish@{task}: run {done.run_id} ({done.name}) {done.action}")


if __name__ == "__main__":
    run_stage(main)
