"""An address is parsed, never pasted: user and password reach the store and nobody else; a bad one is a sentence."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy.engine import make_url

from ctrnn.tracking import config
from tests.server import Server, free_port
from tests.tracked import REPOSITORY, all_runs, client_of, holdings, publish

# Of SQLAlchemy in MLflow.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SECRETS = ("alice", "s3cret", "pa%3Ass", "pa:ss")
LOGIN = "alice:s3cret@"


def assert_no_secret(text: str) -> None:
    assert [secret for secret in SECRETS if secret in text] == []


def refusal(root: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a start with this MLFLOW_TRACKING_URI says, within ten seconds."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    start = time.monotonic()
    with pytest.raises(config.TrackingError) as caught:
        publish(root)
    assert time.monotonic() - start < 10
    assert_no_secret(f"{caught.value} {caught.value.__cause__}")
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "uri", "shown"),
    [
        (f"http://{LOGIN}h:5000/mlflow", "http://h:5000/mlflow", "http://h:5000/mlflow"),
        ("https://alice:pa%3Ass@h", "https://h", "https://h"),
        (
            "postgresql+psycopg2://alice:s3cret@h/db?password=s3cret",
            "postgresql+psycopg2://alice:s3cret@h/db?password=s3cret",
            "postgresql+psycopg2://h/db",
        ),
        ("sqlite:////x/lab.db?timeout=60", "sqlite+pysqlite:////x/lab.db?timeout=60", "sqlite:////x/lab.db"),
        ("sqlite:////x/50%25.db", "sqlite+pysqlite:////x/50%25.db", "sqlite:////x/50%.db"),
    ],
)  # fmt: skip
def test_an_address_is_shown_without_what_it_holds_of_user_and_password(
    tmp_path: Path, given: str, uri: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    address = config.resolve(tmp_path)
    assert (address.uri, address.shown) == (uri, shown)
    assert_no_secret(f"{address!r} {address.shown}")


@pytest.mark.parametrize(
    "given", ["http://alice:pa%3Ass@h", "mysql+pymysql://alice:pa%3Ass@h/db?ssl_key=s3cret"]
)
def test_a_reason_that_names_user_or_password_is_told_without(
    tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "s3cret")
    address = config.resolve(tmp_path)
    for reason in (address.uri, f"{address.uri}/", "alice:pa:ss@h"):
        assert_no_secret(config.unreachable(address, reason))
    sentence = config.unreachable(
        address, f"access denied for alice, pa:ss, s3cret at {address.uri}"
    )
    assert_no_secret(sentence)
    assert "(access denied for ***, ***, *** at " in sentence


@pytest.mark.parametrize(
    "given",
    [
        "http://127.0.0.1:abc",
        f"http://{LOGIN}127.0.0.1:abc",
        "http://",
        f"http://{LOGIN}",
        f"{LOGIN}127.0.0.1:5000",
        f"htp://{LOGIN}127.0.0.1",
        f"postgresql://{LOGIN}h:abc/db",
        f"postgresql+psycopg2:/{LOGIN}h/db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x.db?uri=true",
    ],
)
def test_what_is_no_address_is_one_sentence(
    checkout: Path, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "give http://host:port or sqlite:////" in refusal(checkout, given, monkeypatch)


@pytest.fixture
def guarded() -> Iterator[tuple[str, list[str]]]:
    """A server that answers to user and password only, and breaks but for the probe; who asked for what."""
    right = base64.b64encode(b"alice:pa:ss").decode()
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            login = self.headers.get("Authorization") == f"Basic {right}"
            asked.append(f"{self.path} {login}")
            self.send_response(401 if not login else 200 if self.path == config.PROBE else 500)
            self.end_headers()

        do_GET = do_POST = answer

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_user_and_password_of_an_address_reach_the_server(
    checkout: Path, guarded: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, asked = guarded
    sentence = refusal(checkout, f"http://alice:pa%3Ass@{host}", monkeypatch)
    assert f"tracking store http://{host} failed" in sentence
    assert len(asked) > 1  # the probe, and MLflow's client
    assert {request.split()[-1] for request in asked} == {"True"}


def test_a_server_that_wants_another_password_says_where_to_give_it(
    checkout: Path, guarded: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = refusal(checkout, f"http://{LOGIN}{guarded[0]}", monkeypatch)
    assert "give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in sentence


def test_a_database_that_is_down_is_one_sentence(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"postgresql+psycopg2://{LOGIN}127.0.0.1:1/mlflow"
    sentence = refusal(checkout, address, monkeypatch)
    assert "Connection refused" in sentence
    assert "start the database" in sentence


def test_a_database_that_never_answers_is_one_sentence(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "WAIT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql+psycopg2://{LOGIN}127.0.0.1:{silent.getsockname()[1]}/mlflow"
        assert "(no answer in 0.3 s)" in refusal(checkout, address, monkeypatch)


@pytest.mark.parametrize("kind", ["postgresql+pg8000", "mysql+nothing", "mssql+pymssql"])
def test_a_database_without_its_driver_is_one_sentence(
    checkout: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = refusal(checkout, f"{kind}://{LOGIN}h/db", monkeypatch)
    assert "needs a driver that is not installed" in sentence


def test_options_of_an_sqlite_address_are_kept(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db?timeout=60")
    client, _ = client_of(checkout)
    assert client.tracking_uri.endswith("/mlflow.db?timeout=60")
    assert not (checkout / "mlflow.db?timeout=60").exists()


@pytest.mark.slow
def test_a_password_is_not_in_the_run_nor_in_what_was_said(
    checkout: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    address = make_url(server.database).set(username="mlflow", password="s3cret")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.render_as_string(hide_password=False))
    client, experiment = client_of(checkout)
    client.rename_experiment(experiment, str(checkout))
    done = publish(checkout)
    (run,) = all_runs(checkout)
    held = holdings(checkout, done.run_id)
    texts = [path.read_bytes() for path in (checkout / "mlartifacts").rglob("*") if path.is_file()]
    assert_no_secret(f"{run.to_dictionary()} {held} {texts} {capfd.readouterr()}")


def test_the_command_line_of_the_page_holds_no_address(checkout: Path, tmp_path: Path) -> None:
    """It shows in the list of processes: here a program of MLflow's name tells what it was started with."""
    program = tmp_path / "mlflow"
    program.write_text('#!/bin/sh\necho "$@"; echo "$MLFLOW_BACKEND_STORE_URI"\n')
    program.chmod(0o755)
    address, port = f"postgresql+psycopg2://{LOGIN}h/db", str(free_port())
    done = subprocess.run(
        [sys.executable, "-m", "ctrnn.tracking", "ui", "--port", port],
        cwd=checkout,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "src"), *filter(None, sys.path)]),
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "MLFLOW_TRACKING_URI": address,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[1:] == [f"ui --host 127.0.0.1 --port {port}", address]
