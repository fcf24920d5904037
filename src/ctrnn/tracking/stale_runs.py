"""How a run ends that nothing has completed: no command leaves one RUNNING that nobody writes any more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctrnn import event_log, params
from ctrnn.errors import UserError
from ctrnn.tracking import runs
from ctrnn.tracking.config import StoreConfig

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient
else:
    MlflowClient = Any

# How training ended -> status of its run. What has ended well waits for publish, as SCHEDULED.
ENDED = {"trained": "SCHEDULED", "failed": "FAILED", "killed": "KILLED"}


def end_left_over(client: MlflowClient, experiment: str, where: StoreConfig) -> None:
    """Say of the runs of this checkout that nobody writes any more how they ended. The caller holds its lock.

    One whose training ended well waits for publish while its settings stand in params.yaml.
    """
    for run in runs.unfinished(client, experiment, where.owner):
        path, before = runs.event_log_of(run, where), run.info.status
        if before not in ("RUNNING", "SCHEDULED") or event_log.is_locked(path):
            continue
        events = event_log.read(path)
        after = ENDED.get(events.end, "KILLED") if events else "KILLED"
        if after == "SCHEDULED" and not _wanted(path):
            after = "KILLED"
        if after != before:
            end(client, run.info.run_id, after)


def end(client: MlflowClient, run_id: str, status: str) -> None:
    """Give a run the status of one that is not going on; a time of its end only where nothing is to follow."""
    if status == "SCHEDULED":
        client.update_run(run_id, status=status)
    else:
        client.set_terminated(run_id, status)


def _wanted(path: Path) -> bool:
    """Whether the settings beside a event log are still those of its training."""
    root = path.parents[1]
    try:
        settings = params.read(root / "params.yaml")
    except UserError:
        return False
    return path in {event_log.path(task, settings, root) for task in settings.tasks}
