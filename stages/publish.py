"""publish@<task>: results of a task -> one MLflow run. Usage: python stages/publish.py <task>."""

from __future__ import annotations

import sys

from ctrnn import params, tracking
from ctrnn.complaints import ParamsError
from ctrnn.lock import LockError


def main(task: str) -> None:
    """Publish the results in the current folder. Exits with one sentence where the store fails."""
    try:
        done = tracking.publish(task, params.load())
    except (tracking.TrackingError, LockError, ParamsError) as error:
        raise SystemExit(f"publish@{task}: {error}") from None
    print(f"publish@{task}: run {done.run_id} ({done.name}) {done.action}")


if __name__ == "__main__":
    main(sys.argv[1])
