"""Training against tracking servers that fail: same result, no wait; and publish makes the run complete afterwards."""

from __future__ import annotations

import hashlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.clock import PATIENCE, Sleep
from tests.pipeline.checkout import Checkout
from tests.server import Server, free_port

TASK = "mante"
LONG = {
    "network.n_units": 64,
    "train.threads": 1,
    "tasks.mante.train_trials": 128,
    "train.batch_size": 128,
    "train.max_iterations": 100,
    "train.check_every": 50,
    "train.stop_criterion": "loss",
    "train.loss_criterion": 1e-20,  # is never undercut
    "train.coarse_dt": None,
    "report.figures": False,
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of DVC's own imports
]


@pytest.fixture(autouse=True)
def untouched_global_random_state() -> None:
    """Not held here: MLflow draws from Python's shared generator."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as started:
        yield started


class Lab:
    """A checkout whose training lasts for some seconds, and what it gives where nothing disturbs it.

    seconds: that two undisturbed trainings waited for something.
    """

    def __init__(self, folder: Path, server: Server) -> None:
        self.checkout = Checkout(folder, (TASK,))
        self.server = server
        self.log = folder / "train.log"
        for key, value in LONG.items():
            self.checkout.change(key, value)
        self.checkout.shell["MLFLOW_TRACKING_URI"] = server.uri
        self.checkout.repro()  # also builds the kernel, which no training shall be timed with
        self.seconds = [self.train("http://127.0.0.1:1", live=False) for _ in range(2)]
        self.result = self.hash()
        self.run = self.publish()

    def hash(self) -> str:
        """Of all that training wrote."""
        folder = self.checkout.folder / "artifacts" / "train" / TASK
        digest = hashlib.sha256()
        for file in sorted(folder.iterdir()):
            digest.update(file.name.encode() + file.read_bytes())
        return digest.hexdigest()

    def train(
        self,
        uri: str,
        live: bool = True,
        until: Callable[[], bool] | None = None,
        then: Callable[[], None] = lambda: None,
    ) -> float:
        """Train from nothing, with that tracking server. Returns the seconds that it waited for something.

        until: what `then` waits for once training has begun; training is stopped meanwhile, and goes on afterwards.
        """
        self.checkout.run("rm", "-rf", ".checkpoints", "artifacts/train")
        self.checkout.change("publish.live", live)
        environment = {**self.checkout.environment, "PYTHONPATH": "src", "MLFLOW_TRACKING_URI": uri}
        with self.log.open("w") as log:
            training = subprocess.Popen(
                ["python", "stages/train.py", TASK],
                cwd=self.checkout.folder,
                env=environment,
                stdout=log,
                stderr=log,
            )
        sleep = Sleep(training.pid)
        sleep.start()
        if until is not None:
            end = time.monotonic() + PATIENCE
            wait_for(self.has_rows, training, end)
            training.send_signal(signal.SIGSTOP)
            wait_for(until, training, end)
            then()
            training.send_signal(signal.SIGCONT)
        assert training.wait() == 0, self.log.read_text()
        sleep.join()
        return sleep.seconds

    def has_rows(self) -> bool:
        """Whether training has entered an iteration into its event log."""
        logs = (self.checkout.folder / ".checkpoints").glob("*.events")
        return any(b'"rows": [{' in log.read_bytes() for log in logs)

    def is_missed(self) -> bool:
        """Whether the process that shows training has said that it reaches no server."""
        logs = (self.checkout.folder / ".checkpoints").glob("*.log")
        return any(b" failed (" in log.read_bytes() for log in logs)

    def publish(self) -> dict[str, Any]:
        """Publish to the sound server; what the run holds there. The run is deleted then, to be made again."""
        said = self.checkout.run(
            "env", "PYTHONPATH=src", "python", "-m", "ctrnn.tracking", "publish"
        )
        client = self.client()
        (run,) = self.runs("status = 'FINISHED'")
        assert self.runs("status = 'RUNNING'") == []
        points = {
            name: sorted(
                (m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)
            )
            for name in run.data.metrics
        }
        files = [file.path for file in client.list_artifacts(run.info.run_id)]
        client.delete_run(run.info.run_id)
        return {
            "points": points,
            "params": run.data.params,
            "files": files,
            "said": said.split()[-1],
        }

    def client(self) -> Any:
        from mlflow.tracking import MlflowClient

        return MlflowClient(self.server.uri)

    def runs(self, which: str) -> list[Any]:
        client = self.client()
        experiment = client.get_experiment_by_name("ctrnn")
        if experiment is None:
            return []
        return list(client.search_runs([experiment.experiment_id], which))


def wait_for(true: Callable[[], bool], training: subprocess.Popen[bytes], end: float) -> None:
    """Return when it is true, when training has ended, or at the end of this test's patience."""
    while not true() and training.poll() is None and time.monotonic() < end:
        time.sleep(0.2)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab"), server)


Asked = list[object]


@contextmanager
def never_there(asked: Asked) -> Iterator[str]:
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def never_answers(asked: Asked) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    asked.append(server.accept())

        Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@contextmanager
def breaks(asked: Asked) -> Iterator[str]:
    """Answers 500 to everything."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(self.path)
            self.send_response(500)
            self.end_headers()

        do_GET = do_POST = do_PUT = answer

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def assert_unharmed(lab: Lab, seconds: float) -> None:
    """The result is that of an undisturbed training, which waited as long but for a second and the machine's mood."""
    assert lab.hash() == lab.result
    mood = abs(lab.seconds[0] - lab.seconds[1])
    print(f"waited: undisturbed {lab.seconds[0]:.1f} s, {lab.seconds[1]:.1f} s; {seconds:.1f} s")
    assert seconds < max(lab.seconds) + 1 + mood


@pytest.mark.parametrize("fault", [never_there, never_answers, breaks])
def test_a_server_that_fails_from_the_start(
    lab: Lab, fault: Callable[[Asked], AbstractContextManager[str]]
) -> None:
    asked: Asked = []
    with fault(asked) as uri:
        seconds = lab.train(uri, until=lambda: bool(asked) or lab.is_missed())
        assert asked or lab.is_missed()
    assert_unharmed(lab, seconds)
    assert lab.publish() == {**lab.run, "said": "created"}


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_server_that_is_killed_while_training_runs(lab: Lab, comes_back: bool) -> None:
    seen: list[str] = []

    def has_points() -> bool:
        seen.extend(run.info.run_id for run in lab.runs("status = 'RUNNING'") if run.data.metrics)
        return bool(seen)

    def kill() -> None:
        lab.server.kill()
        if comes_back:
            lab.server.start()

    seconds = lab.train(lab.server.uri, until=has_points, then=kill)
    if not comes_back:
        lab.server.start()
    assert seen, "training ended before its run was seen"
    assert_unharmed(lab, seconds)
    assert lab.publish() == {**lab.run, "said": "completed"}
