"""How a run ends that nothing has completed: no command leaves one RUNNING that nobody writes any more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctrnn import diary, params
from ctrnn.errors import UserError
from ctrnn.tracking import runs
from ctrnn.tracking.place import Place

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient
else:
    MlflowClient = Any

# How training ended -> status of its run. What has ended well waits for publish, as SCHEDULED.
ENDED = {"trained": "SCHEDULED", "failed": "FAILED", "killed": "KILLED"}


def end_left_over(client: MlflowClient, experiment: str, where: Place) -> None:
    """Say of the runs of this checkout that nobody writes any more how they ended. The caller holds its lock.

    One whose training ended well waits for publish while its settings stand in params.yaml.
    """
    for run in runs.unfinished(client, experiment, where.owner):
        path, before = runs.diary_of(run, where), run.info.status
        if before not in ("RUNNING", "SCHEDULED") or diary.lives(path):
            continue
        pages = diary.read(path)
        after = ENDED.get(pages.end, "KILLED") if pages else "KILLED"
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
    """Whether the settings beside a diary are still those of its training."""
    root = path.parents[1]
    try:
        settings = params.read(root / "params.yaml")
    except UserError:
        return False
    return path in {diary.path(task, settings, root) for task in settings.tasks}
