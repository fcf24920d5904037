"""A run is shown while its training runs, completed by publish, and never left RUNNING by what has died."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ctrnn import event_log, params
from ctrnn.core.artifacts import read_table
from ctrnn.event_log import EventLogWriter
from ctrnn.tracking import config, payload, publishing, runs, store
from tests.clock import PATIENCE
from tests.tracked import (
    TASK,
    all_runs,
    client_of,
    fabricate,
    holdings,
    publish,
    start_follower,
    start_in_a_fork,
    status_of,
)

# Of SQLAlchemy in MLflow, and of forking a process that has threads (Python 3.12).
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def settings(root: Path) -> params.Params:
    return params.read(root / "params.yaml")


def iterations(root: Path) -> list[list[event_log.Row]]:
    """Rows of history.csv, by iteration."""
    history = read_table(root / "artifacts" / "train" / TASK / "history.csv")
    rows: list[Any] = history.to_dict("records")
    return [list(some) for _, some in groupby(rows, key=lambda row: row["iteration"])]


def write(log: EventLogWriter, some: list[list[event_log.Row]]) -> None:
    for rows in some:
        log.write("a", rows)


def killed_training(root: Path, some: list[list[event_log.Row]]) -> Callable[[], None]:
    """A process that writes these iterations and goes on until it is killed: by calling what is returned."""

    def work() -> None:
        training = EventLogWriter(TASK, settings(root), root=root)
        training.write("a", [])
        write(training, some)
        signal.pause()

    child = start_in_a_fork(work)
    until(lambda: event_log.is_locked(event_log.path(TASK, settings(root), root)))
    time.sleep(0.1)

    def kill() -> None:
        os.kill(child, signal.SIGKILL)
        status_of(child)

    return kill


def until(true: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait for something. Fails the test where it does not come."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def steps(root: Path) -> list[int]:
    """Steps of one network's loss in the store's only run; none before it is there."""
    client, _ = client_of(root)
    return [
        m.step for run in all_runs(root) for m in client.get_metric_history(run.info.run_id, LOSS)
    ]


LOSS = "loss/network_1"


def statuses(root: Path) -> list[str]:
    return sorted(run.info.status for run in all_runs(root))


def undisturbed(root: Path, run_id: str) -> dict[str, Any]:
    """What the run would hold if publish alone had made it."""
    client_of(root)[0].delete_run(run_id)
    shutil.rmtree(root / "mlartifacts", ignore_errors=True)
    return holdings(root, publish(root).run_id)


def test_curves_grow_while_training_runs_and_publish_completes_the_run(anywhere: Path) -> None:
    one, two, three = iterations(anywhere)
    with EventLogWriter(TASK, settings(anywhere), root=anywhere) as training:
        training.write("a", [])
        write(training, [one])
        follows = start_follower(training)
        until(lambda: steps(anywhere) == [1])
        write(training, [two])
        until(lambda: steps(anywhere) == [1, 2])
        (run,) = all_runs(anywhere)
        assert (run.info.status, run.info.run_name) == ("RUNNING", "mante p_inh=0.2 tau=20")
        assert run.data.params["network.p_inh"] == "0.2"
        assert "evaluate.sample_trials" not in run.data.params  # may change before publish
        write(training, [three])
    assert status_of(follows) == 0
    assert statuses(anywhere) == ["SCHEDULED"]
    done = publish(anywhere)
    assert (done.run_id, done.action) == (run.info.run_id, "completed")
    held = holdings(anywhere, done.run_id)
    assert held == undisturbed(anywhere, done.run_id)
    assert held["status"] == "FINISHED"


def test_a_curve_grows_by_a_point_a_second_and_publish_adds_the_others(checkout: Path) -> None:
    one, two, three = iterations(checkout)
    with EventLogWriter(TASK, settings(checkout), root=checkout) as training:
        training.write("a", [])
        write(training, [one, two])
        time.sleep(0.5)
        write(training, [three])
        follows = start_follower(training, every=400)
        until(lambda: steps(checkout) == [1, 3])
    assert status_of(follows) == 0
    assert steps(checkout) == [1, 3]
    done = publish(checkout)
    assert steps(checkout) == [1, 2, 3]
    assert holdings(checkout, done.run_id) == undisturbed(checkout, done.run_id)


def test_points_keep_the_time_of_their_iteration(checkout: Path) -> None:
    with EventLogWriter(TASK, settings(checkout), root=checkout) as training:
        training.write("a", [])
        for rows in iterations(checkout):
            write(training, [rows])
            time.sleep(0.02)
    client, _ = client_of(checkout)
    run_id = publish(checkout).run_id
    history = client.get_metric_history(run_id, LOSS)
    assert history[1].timestamp - history[0].timestamp >= 20
    assert history[2].timestamp - history[1].timestamp >= 20
    assert client.get_run(run_id).info.start_time <= history[0].timestamp


def test_a_killed_training_ends_its_run_and_a_restart_goes_on_with_it(anywhere: Path) -> None:
    one, two, three = iterations(anywhere)
    kill = killed_training(anywhere, [one, two])
    follows = start_follower(EventLogWriter(TASK, settings(anywhere), root=anywhere))
    until(lambda: steps(anywhere) == [1, 2])
    kill()
    assert status_of(follows) == 0
    assert statuses(anywhere) == ["KILLED"]
    with EventLogWriter(TASK, settings(anywhere), root=anywhere) as training:
        write(training, [one, two])  # from a checkpoint at 1, so 2 is done again
        follows = start_follower(training)
        until(lambda: statuses(anywhere) == ["RUNNING"])
        write(training, [three])
        until(lambda: steps(anywhere) == [1, 2, 3])
    assert status_of(follows) == 0
    done = publish(anywhere)
    assert done.action == "completed"
    assert holdings(anywhere, done.run_id) == undisturbed(anywhere, done.run_id)


def test_a_training_that_raises_leaves_a_failed_run(checkout: Path) -> None:
    with (
        suppress(ZeroDivisionError),
        EventLogWriter(TASK, settings(checkout), root=checkout) as training,
    ):
        training.write("a", [])
        write(training, iterations(checkout)[:1])
        follows = start_follower(training)
        until(lambda: steps(checkout) == [1])
        _ = 1 / 0
    status_of(follows)
    assert statuses(checkout) == ["FAILED"]


@pytest.fixture
def orphan(anywhere: Path) -> Callable[[], None]:
    """A run whose follower has been killed while its training is alive; call it to kill that too."""
    kill = killed_training(anywhere, iterations(anywhere)[:2])
    follows = start_follower(EventLogWriter(TASK, settings(anywhere), root=anywhere))
    until(lambda: steps(anywhere) == [1, 2])
    os.kill(follows, signal.SIGKILL)
    status_of(follows)
    return kill


def test_the_next_command_ends_the_run_of_the_dead_but_not_of_the_living(
    anywhere: Path, orphan: Callable[[], None]
) -> None:
    publishing.init(settings(anywhere), anywhere)
    assert statuses(anywhere) == ["RUNNING"]
    orphan()
    publishing.init(settings(anywhere), anywhere)
    assert statuses(anywhere) == ["KILLED"]
    assert publish(anywhere).action == "completed"
    assert statuses(anywhere) == ["FINISHED"]


def test_a_run_of_another_checkout_is_left_alone(
    anywhere: Path, orphan: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", config.resolve(anywhere).uri)
    other = anywhere.parent / "a copy"
    shutil.copytree(anywhere, other)
    publishing.init(settings(other), other)
    assert publish(other).action == "created"
    assert statuses(anywhere) == ["FINISHED", "RUNNING"]


def test_the_run_of_a_killed_publication_is_ended_by_the_next_command(checkout: Path) -> None:
    client, experiment = client_of(checkout)
    with store.locked(where := config.resolve(checkout)):
        path = event_log.path(TASK, settings(checkout), checkout)
        tags = {runs.OWNER: where.owner, runs.EVENT_LOG: str(path), runs.KEY: "0"}
        client.create_run(experiment, tags=tags)
    publishing.init(settings(checkout), checkout)
    assert statuses(checkout) == ["KILLED"]


def test_a_trained_run_waits_for_publish_while_its_settings_stand(checkout: Path) -> None:
    with EventLogWriter(TASK, settings(checkout), root=checkout) as training:
        training.write("a", [])
        write(training, iterations(checkout))
        follows = start_follower(training)
        until(lambda: steps(checkout) == [1, 2, 3])
    status_of(follows)
    publishing.init(settings(checkout), checkout)
    assert statuses(checkout) == ["SCHEDULED"]
    fabricate(checkout, p_inh=0.3)
    publishing.init(settings(checkout), checkout)
    assert statuses(checkout) == ["KILLED"]


def test_a_run_with_other_points_is_not_completed_but_ended(anywhere: Path) -> None:
    """Of a training that rounded otherwise: its points cannot be taken back."""
    one, *rest = iterations(anywhere)
    with EventLogWriter(TASK, settings(anywhere), root=anywhere) as training:
        training.write("a", [])
        write(training, [[{**row, "loss": row["loss"] + 1e-9} for row in one], *rest])
        follows = start_follower(training)
        until(lambda: steps(anywhere) == [1, 2, 3])
    status_of(follows)
    assert publish(anywhere).action == "created"
    assert statuses(anywhere) == ["FINISHED", "KILLED"]


def test_a_training_of_no_length_opens_no_run(checkout: Path) -> None:
    with EventLogWriter(TASK, settings(checkout), root=checkout) as training:
        training.write("a", [])
    assert status_of(start_follower(EventLogWriter(TASK, settings(checkout), root=checkout))) == 0
    assert all_runs(checkout) == []


@st.composite
def trainings(draw: st.DrawFn) -> tuple[list[list[event_log.Row]], list[list[event_log.Row]]]:
    """Rows of networks that end at different iterations; and as they are written, with a restart from checkpoints."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    values = st.floats(-1e3, 1e3)
    table = {
        (i, n): {
            "iteration": i,
            "network": n,
            "loss": draw(values),
            "accuracy": draw(values) if i % 2 == 0 else None,
            "gradient_norm": draw(values),
            "vanished_synapses": draw(values),
        }
        for n, length in enumerate(lengths)
        for i in range(1, length + 1)
    }
    whole = [[table[k] for k in sorted(table) if k[0] == i] for i in range(1, max(lengths) + 1)]
    stopped = draw(st.integers(0, max(lengths)))
    resumed = [draw(st.integers(max(0, min(x, stopped) - 2), min(x, stopped))) for x in lengths]
    again = [
        [table[i + s, n] for n, i in enumerate(resumed) if i + s <= lengths[n]]
        for s in range(1, max(lengths) + 1)
    ]
    return whole, [*whole[:stopped], *filter(None, again)]


@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trainings())
def test_live_points_are_those_of_publish_in_the_end(
    both: tuple[list[list[event_log.Row]], list[list[event_log.Row]]],
) -> None:
    whole, written = both
    networks = len({row["network"] for rows in whole for row in rows})
    feed = payload.LiveCurves(networks)
    logged = [point for rows in written for point in feed.points(rows)]
    expected = payload.curves([row for rows in whole for row in rows], networks)
    assert len(set(logged)) == len(logged)
    assert set(logged) <= set(
        expected
    )  # publish adds the last ones of networks that were ahead of others
    if [row["iteration"] for row in written[-1]] == [row["iteration"] for row in whole[-1]]:
        assert set(logged) == set(expected)
