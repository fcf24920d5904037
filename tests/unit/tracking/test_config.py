"""Where the files of a store lie, how it is asked whether it is well, and what is said where it is not."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from ctrnn.tracking import config
from ctrnn.tracking.config import StoreConfig, TrackingError


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        (None, "."),
        ("sqlite:///elsewhere/lab.db", "elsewhere"),
        ("postgresql://localhost/runs", "."),
        ("http://localhost:5000", "."),
    ],
)
def test_files_lie_beside_the_database_or_in_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str | None, folder: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    where, beside = config.resolve(tmp_path), tmp_path.resolve() / folder
    assert where.lock == beside / "mlflow.lock"
    decided_by_the_server = where.is_server
    assert where.artifacts == (None if decided_by_the_server else (beside / "mlartifacts").as_uri())
    assert decided_by_the_server == (address == "http://localhost:5000")


def test_an_experiments_folder_is_below_the_checkout_wherever_it_lies(tmp_path: Path) -> None:
    for name in (".dvc/tmp/exps", ".dvc/tmp/exps/tmp1", ".dvc/tmp/exps/standalone/tmp1/src"):
        assert config.main_checkout(tmp_path / name) == tmp_path
    for name in (".dvc/tmp", "tmp/exps", ".dvc/exps/tmp"):
        assert config.main_checkout(tmp_path / name) == tmp_path / name


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://alice:pw@h/a?token=1", "http://h/a"),
        ("HTTP://alice:pw@h", "HTTP://h"),
        ("http://alice:p\nw@h", "http://h"),
        ("alice:pw@h", "h"),
        ("http://h:5000", "http://h:5000"),
    ],
)
def test_an_address_is_shown_without_secrets(address: str, shown: str) -> None:
    assert config._without_secrets(address) == shown


def test_a_secret_that_holds_another_is_hidden_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret-and-more")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "")
    place = StoreConfig("http://h", tmp_path, login=("bob", "secret"))
    hidden = place.hide("secret-and-more, secret, bob, bobby and abob")
    assert hidden == "***, ***, ***, bobby and abob"
    assert StoreConfig("http://h", tmp_path).hide("bob") == "bob"
    database = StoreConfig("postgresql://al:pa%3Ass@h/db?sslkey=s3cret", tmp_path)
    assert database.hide(f"{database.uri} pa%3Ass pa:ss al s3cret h") == "*** *** *** *** *** h"
    assert StoreConfig("sqlite:///x", tmp_path, tmp_path / "x").hide("sqlite:///x") == "sqlite:///x"


@pytest.mark.parametrize(
    "address", ["sqlite://h/x.db", "sqlite:///:memory:", "sqlite:///", "sqlite:////"]
)
def test_an_address_of_sqlite_names_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(TrackingError, match=r"names no file; give http"):
        config.resolve(tmp_path)


def test_a_path_that_is_no_utf_8_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root = tmp_path / os.fsdecode(b"caf\xe9")
    with pytest.raises(TrackingError, match=r"is not UTF-8, .*; rename its folders"):
        config.resolve(root)


def test_a_checkout_is_known_by_16_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    owner, before = config.resolve(tmp_path).identity
    assert (len(owner), before) == (16, None)
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.id"]


def test_mlflow_waits_as_long_as_we_do_and_tries_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(os.environ)
    try:
        for name in list(os.environ):
            if name.startswith("MLFLOW_"):
                del os.environ[name]
        os.environ["MLFLOW_RUN_ID"] = "7"
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "3"  # who says so is heeded
        config.prepare_environment(StoreConfig("http://h", tmp_path, login=("bob", "pw")))
        variables = {
            name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")
        }
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert variables == {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "4",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
        "MLFLOW_TRACKING_USERNAME": "bob",
        "MLFLOW_TRACKING_PASSWORD": "pw",
    }


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """With what an address is asked whether it is well; `status` is what it answers."""
    asked: dict[str, Any] = {"status": 200}

    def get(url: str, **how: Any) -> Any:
        asked.update(url=url, **how)
        return SimpleNamespace(status_code=asked["status"])

    for name in ("USERNAME", "PASSWORD", "TOKEN", "INSECURE_TLS", "SERVER_CERT_PATH"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setattr(requests, "get", get)
    return asked


BEARER = {"Authorization": "Bearer t"}


@pytest.mark.parametrize(
    ("login", "shell", "auth", "headers", "verify"),
    [
        (None, {}, None, None, True),
        (("a", "b"), {"USERNAME": "c", "PASSWORD": "d"}, ("a", "b"), None, True),
        (None, {"USERNAME": "c", "PASSWORD": "d"}, ("c", "d"), None, True),
        (None, {"USERNAME": "c"}, None, None, True),
        (None, {"PASSWORD": "d"}, None, None, True),
        (None, {"TOKEN": "t"}, None, BEARER, True),
        (None, {"TOKEN": "t", "USERNAME": "c", "PASSWORD": "d"}, ("c", "d"), None, True),
        (None, {"INSECURE_TLS": "True"}, None, None, False),
        (None, {"INSECURE_TLS": "1", "SERVER_CERT_PATH": "/c"}, None, None, False),
        (None, {"INSECURE_TLS": "no", "SERVER_CERT_PATH": "/c"}, None, None, "/c"),
    ],
)
def test_whether_it_is_well_is_asked_as_mlflow_will_ask(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
    login: tuple[str, str] | None,
    shell: dict[str, str],
    auth: tuple[str, str] | None,
    headers: dict[str, str] | None,
    verify: bool | str,
) -> None:
    for name, value in shell.items():
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", value)
    config.check(StoreConfig("http://h:1/", tmp_path, login=login))
    assert asked == {
        "status": 200, "url": f"http://h:1{config.PROBE}", "auth": auth, "headers": headers, "verify": verify,
        "timeout": 4,
    }  # fmt: skip


@pytest.mark.parametrize(("status", "well"), [(401, True), (499, True), (500, False), (503, False)])
def test_who_answers_below_500_is_well(
    tmp_path: Path, asked: dict[str, Any], status: int, well: bool
) -> None:
    asked["status"] = status
    place = StoreConfig("http://h:1", tmp_path)
    if well:
        config.check(place)
        return
    with pytest.raises(
        TrackingError, match=rf"http://h:1 failed \(HTTP {status}\); start the server"
    ):
        config.check(place)


def test_who_does_not_answer_is_told_with_the_cause_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(url: str, **how: Any) -> Any:
        raise requests.ConnectionError("Max retries (Caused by it is (Caused by gone")

    monkeypatch.setattr(requests, "get", get)
    with pytest.raises(TrackingError, match=r"http://h:1 failed \(gone\); start the server"):
        config.check(StoreConfig("http://h:1", tmp_path))


SERVER = StoreConfig("http://h", Path())
DATABASE = StoreConfig("postgresql://h/db", Path())
OWN = StoreConfig("sqlite:////x/y.db", Path(), Path("/x/y.db"))


@pytest.mark.parametrize(
    ("place", "reason", "unknown", "remedy"),
    [
        (SERVER, "gone", True, "take a run of ctrnn.runs()"),
        (OWN, "database or disk is full", False, "make room"),
        (OWN, "[Errno 28] No space left on device", False, "make room"),
        (SERVER, "HTTP 401", False, "give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD that it takes"),
        (SERVER, "error 403", False, "give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD that it takes"),
        (SERVER, "HTTP 4010", False, "start the server, or unset MLFLOW_TRACKING_URI to use the checkout's own store"),
        (DATABASE, "401", False, "start the database, or unset MLFLOW_TRACKING_URI to use the checkout's own store"),
        (OWN, "401", False, "see that the file is writable and not in use"),
    ],
    ids=[str(i) for i in range(8)],
)  # fmt: skip
def test_what_to_do_about_a_store_follows_from_its_kind_and_the_reason(
    place: StoreConfig, reason: str, unknown: bool, remedy: str
) -> None:
    assert config.unreachable(place, reason, unknown) == (
        f"The tracking store {place.shown} failed ({reason}); {remedy}, then repeat the command."
    )


def test_a_long_reason_is_cut_and_stands_on_one_line() -> None:
    sentence = config.unreachable(OWN, "a\n  b" + "c" * 300 + "[SQL: select 1]")
    assert f"failed (a b{'c' * 197}); see" in sentence
    assert "failed (locked);" in config.unreachable(OWN, "locked\n[SQL: select 1]")


def test_what_still_waits_for_a_database_ends_with_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "WAIT", 0.1)
    release = threading.Event()

    def connect(*args: Any, **how: Any) -> None:
        release.wait()
        raise OSError

    import sqlalchemy

    monkeypatch.setattr(sqlalchemy, "create_engine", connect)
    before = set(threading.enumerate())
    with pytest.raises(TrackingError, match=r"failed \(no answer in 0\.1 s\); start the database"):
        config.check(DATABASE)
    (waiting,) = set(threading.enumerate()) - before
    assert waiting.daemon
    release.set()
    waiting.join()
