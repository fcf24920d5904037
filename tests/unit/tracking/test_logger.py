"""A training that is shown: which points are logged, when a store is tried again, and when the follower gives up."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctrnn import event_log, params
from ctrnn.event_log import EventLogWriter
from ctrnn.tracking import live, runs
from ctrnn.tracking.config import TrackingError
from ctrnn.tracking.live import Logger
from ctrnn.tracking.payload import MetricPoint
from tests.settings import settings
from tests.tracked import TASK, all_runs, client_of

# Of SQLAlchemy in MLflow.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PARAMS = settings(train__n_networks=1)


class Clock:
    """Time that passes by sleeping alone. on_sleep: called after every sleep, with the time."""

    def __init__(self) -> None:
        self.now, self.sleeps = 0.0, list[float]()
        self.on_sleep: Callable[[float], Any] = lambda now: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps.append(seconds)
        self.on_sleep(self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(live, "time", clock)
    return clock


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[list[MetricPoint]]:
    """What loggers send, call by call."""
    sent: list[list[MetricPoint]] = []
    monkeypatch.setattr(runs, "log_points", lambda client, run, points: sent.append(points))
    return sent


class Opened(Logger):
    """A logger whose run is opened without a store."""

    fails = False

    def _open(self, client: Any, points: list[MetricPoint]) -> Any:
        return "run"


class Nothing:
    """What `with` enters."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        pass


def opened() -> Opened:
    return Opened(Path(f"{TASK}-0.events"), PARAMS, Path())


def points(name: str, *times: int | None) -> list[MetricPoint]:
    return [MetricPoint(name, step, 0.5, time) for step, time in enumerate(times)]


def test_a_curve_has_a_point_a_second_and_all_whose_time_is_not_known() -> None:
    losses = points("loss", 1000, 1999, 2000, 2001, 3000)
    other = points("accuracy", 1500, None, None)
    shown = opened()._some([*losses, *other])
    assert [point.time for point in shown] == [1000, 2000, 3000, 1500, None, None]


def test_points_are_logged_by_2000_at_a_look(
    clock: Clock, logged: list[list[MetricPoint]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Opened, "_store", lambda self: Nothing())
    logger = opened()
    logger.log([])
    assert (logger.run, logged) == (None, [])
    every = points("loss", *[None] * 4001)
    logger.log(every)
    assert logger.run is not None
    logger.log([])
    logger.log([])
    logger.log([])
    assert logged == [every[:2000], every[2000:4000], every[4000:]]


def test_a_store_that_fails_is_tried_again_after_a_pause(
    clock: Clock,
    logged: list[list[MetricPoint]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tries: list[float] = []

    def store(self: Opened) -> Any:
        tries.append(clock.now)
        if self.fails:
            raise TrackingError("it is down")
        return Nothing()

    monkeypatch.setattr(Opened, "_store", store)
    logger = opened()
    logger.fails, clock.now = True, 100.0
    logger.log(points("loss", None))
    assert capsys.readouterr().out == "it is down\n"
    for clock.now in (100.0, 104.9):
        logger.log(points("loss", None))
    assert tries == [100.0]
    clock.now, logger.fails = 105.0, False
    logger.log([])
    assert tries == [100.0, 105.0]
    assert [len(batch) for batch in logged] == [3]
    assert logger.waiting == []


class Fake:
    """In the place of a logger: what it was given, and whether something waits."""

    made: list[Fake]

    def __init__(self, path: Path, chosen: params.Params, root: Path) -> None:
        self.root, self.given, self.closed = root, list[MetricPoint](), ""
        self.waiting: list[Any] = []
        self.run: Any = "run"
        type(self).made.append(self)

    def log(self, more: list[MetricPoint]) -> None:
        self.given += more

    def close(self, status: str) -> None:
        self.closed = status


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    monkeypatch.setattr(live, "Logger", Fake)
    monkeypatch.setattr(
        os, "nice", lambda by: monkeypatch.setattr(Fake, "niceness", by, raising=False)
    )
    Fake.made = []
    return Fake


def rows(iteration: int) -> list[event_log.Row]:
    return [
        {"iteration": iteration, "network": 0, "loss": 0.5, "accuracy": None, "gradient_norm": 1.0,
         "vanished_synapses": 0.0}
    ]  # fmt: skip


def test_a_training_that_is_over_at_once_is_not_shown(
    tmp_path: Path, clock: Clock, fake: type[Fake]
) -> None:
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as training:
        training.write("a", rows(1))
    live.follow(training.path, tmp_path)
    assert (clock.sleeps, fake.made) == ([3.0], [])
    assert vars(fake)["niceness"] == 15
    with pytest.raises(FileNotFoundError):
        live.follow(tmp_path / "nothing", tmp_path)


def test_a_training_is_followed_until_it_ends_and_all_is_logged(
    tmp_path: Path, clock: Clock, fake: type[Fake]
) -> None:
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as training:
        training.write("a", rows(1))

        def go_on(now: float) -> None:
            if now == 5:
                training.write("a", rows(2))
            if now == 7:
                training.__exit__(None)

        clock.on_sleep = go_on
        live.follow(training.path, tmp_path)
        training._file = None
    (logger,) = fake.made
    assert clock.sleeps == [3.0, 2.0, 2.0]
    assert {point.step for point in logger.given} == {1, 2}
    assert len(logger.given) == len(set(logger.given))
    assert (logger.closed, logger.root) == ("SCHEDULED", tmp_path)


@pytest.mark.parametrize(
    ("run", "waiting", "end"), [("run", [1], 17), (None, [1], 5), ("run", [], 5)]
)
def test_what_is_left_when_training_has_ended_is_tried_for_ten_seconds(
    tmp_path: Path, clock: Clock, fake: type[Fake], run: Any, waiting: list[int], end: float
) -> None:
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as training:
        training.write("a", rows(1))

        def stop(now: float) -> None:
            if now == 5:
                fake.made[0].run, fake.made[0].waiting = run, waiting
                training.__exit__(ValueError)

        clock.on_sleep = stop
        live.follow(training.path, tmp_path)
        training._file = None
    assert clock.now == end  # the last look that is not more than 10 s after 5 is at 15
    assert fake.made[0].closed == "FAILED"


def test_a_folder_that_is_deleted_ends_what_followed_it(
    tmp_path: Path, clock: Clock, fake: type[Fake]
) -> None:
    with EventLogWriter(TASK, PARAMS, root=tmp_path) as training:
        training.write("a", rows(1))
        clock.on_sleep = lambda now: training.path.unlink() if now == 5 else None
        live.follow(training.path, tmp_path)
    assert clock.now == 5


def test_a_run_is_opened_for_a_training_that_is_alive_and_closed_once(checkout: Path) -> None:
    chosen = params.read(checkout / "params.yaml")
    training = EventLogWriter(TASK, chosen, root=checkout)
    training.write("a", [])
    logger = Logger(training.path, chosen, checkout)
    logger.log(points("loss/network_0", 9000, 5000))
    (run,) = all_runs(checkout)
    assert run.info.status == "RUNNING"
    assert run.info.start_time == 5000
    assert run.data.tags["backend"] == "native on cpu"
    assert run.data.tags[runs.EVENT_LOG] == f".checkpoints/{training.path.name}"
    assert run.data.params["network.p_inh"] == "0.2"
    client, _ = client_of(checkout)
    (point,) = client.get_metric_history(run.info.run_id, "loss/network_0")
    assert (point.step, point.timestamp) == (0, 9000)

    def close(status: str, **changes: Any) -> str:
        logger.close(status)
        return str(client.get_run(run.info.run_id).info.status)

    assert close("KILLED") == "RUNNING"  # its training goes on
    training.__exit__(None)
    client.set_tag(run.info.run_id, runs.KEY, "published")
    assert close("KILLED") == "RUNNING"
    client.delete_tag(run.info.run_id, runs.KEY)
    assert close("KILLED") == "KILLED"
    assert close("FAILED") == "KILLED"
    again = Logger(training.path, chosen, checkout)
    again.log(points("loss/network_0", 9000))
    assert again.run is None  # its training has ended
    again.close("KILLED")
    assert len(all_runs(checkout)) == 1


def test_a_run_that_ended_well_waits_and_another_has_an_end(checkout: Path) -> None:
    client, experiment = client_of(checkout)
    run_id = client.create_run(experiment).info.run_id
    runs.end(client, run_id, "SCHEDULED")
    info = client.get_run(run_id).info
    assert (info.status, info.end_time) == ("SCHEDULED", None)
    runs.end(client, run_id, "KILLED")
    info = client.get_run(run_id).info
    assert info.status == "KILLED"
    assert info.end_time is not None
