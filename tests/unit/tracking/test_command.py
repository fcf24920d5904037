"""`python -m ctrnn.tracking`: what its commands do and print."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ctrnn import params
from ctrnn.params import Params
from ctrnn.tracking import __main__ as command
from ctrnn.tracking import live, publishing
from ctrnn.tracking.config import TrackingError
from ctrnn.tracking.runs import Published
from tests.tracked import REPOSITORY, client_of


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that is in use."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


@pytest.fixture
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.mark.usefixtures("own_store")
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # of Python's own socket
def test_a_port_that_cannot_be_had_is_told_with_the_next(
    taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = rf"port {taken} of 127\.0\.0\.1 cannot be used \(Address already in use\); .* PORT={taken + 1}$"
    with pytest.raises(TrackingError, match=used):
        command.open_page(taken)
    for none in (65536, 0, -1):
        remedy = r"\(there are 1 to 65535\); take another: make ui PORT=5001$"
        with pytest.raises(TrackingError, match=remedy):
            command.open_page(none)

    def refuse(address: tuple[str, int]) -> Any:
        raise OSError(98, "in use")

    monkeypatch.setattr(socket, "create_server", refuse)
    for port, other in ((65535, 5001), (65534, 65535)):
        with pytest.raises(TrackingError, match=rf"port {port} of .* make ui PORT={other}$"):
            command.open_page(port)


def test_an_address_that_shows_its_runs_itself_is_opened_in_a_browser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://a:b@lab:5000")
    with pytest.raises(
        TrackingError, match=r"names a server, .*; open http://lab:5000 in a browser"
    ):
        command.open_page(1)


def test_commands_are_handed_what_they_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((REPOSITORY / "params.yaml").read_text())
    called: list[Any] = []
    monkeypatch.setattr(command, "open_page", called.append)
    monkeypatch.setattr(live, "follow", called.append)
    monkeypatch.setattr(publishing, "init", lambda settings: f"seed {settings.seed}")
    command.main(["ui"])
    command.main(["ui", "--port", "7"])
    command.main(["live", "a.events"])
    assert called == [5000, 7, Path("a.events")]
    command.main(["init"])
    assert capsys.readouterr().out == "seed 1\n"


def test_publish_tells_every_task_and_settings_that_are_others_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((REPOSITORY / "params.yaml").read_text())

    def publish(task: str, settings: Params) -> Published:
        edited = ("network.tau", "seed") if task == "xor" else ()
        return Published("7", f"{task} a", "created", edited)

    monkeypatch.setattr(publishing, "publish", publish)
    command.main(["publish"])
    lines = capsys.readouterr().out.splitlines()
    expected = []
    for task in params.read().tasks:
        expected.append(f"{task} a: run 7 created")
        if task == "xor":
            expected.append(
                "  of dvc.lock's settings: params.yaml has other values of network.tau, seed now"
            )
    assert lines == expected


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sweeps_are_shown_by_the_page_of_the_checkouts_own_store(checkout: Path) -> None:
    _, experiment = client_of(checkout)
    assert publishing.address("ctrnn", checkout) == ("http://127.0.0.1:5000", experiment)
