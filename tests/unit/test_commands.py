"""Whatever can be run by hand explains itself, and takes a mistake in its command line with one sentence."""

from __future__ import annotations

import runpy
import socket
import sys
from pathlib import Path

import pytest

from ctrnn.errors import UserError
from ctrnn.tracking import __main__ as tracking_command
from tests.tracked import REPOSITORY

FOLDERS = ("benchmarks", "experiments", "src", "stages", "tests")
SCRIPTS = [
    str(path.relative_to(REPOSITORY))
    for folder in FOLDERS
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
    if '\nif __name__ == "__main__":\n' in path.read_text()
]
STAGES = ("generate", "train", "evaluate", "analyze", "publish")


def run(monkeypatch: pytest.MonkeyPatch, script: str, *arguments: str) -> int | str | None:
    """What a script that ends early exits with."""
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(REPOSITORY / script), run_name="__main__")
    return ended.value.code


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_explains_and_starts_nothing(
    script: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, script, "--help") == 0
    usage, _, rest = capsys.readouterr().out.partition("\n\n")
    assert usage.startswith("usage: ")
    assert len(rest.split()) > 10
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_tells_the_nearest_name_of_an_unknown_task(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((REPOSITORY / "params.yaml").read_text())
    assert run(monkeypatch, f"stages/{stage}.py", "mnate") == (
        f"{stage}@mnate: tasks.mnate is not in params.yaml; did you mean mante?"
    )


def test_a_taken_port_is_told_with_one_that_may_be_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            tracking_command.main(["ui", "--port", str(port)])
    assert ended.value.code == (
        f"tracking ui: port {port} of 127.0.0.1 cannot be used (Address already in use); "
        f"take another: make ui PORT={port + 1}"
    )
    assert "http" not in capsys.readouterr().out


def test_the_page_of_a_server_is_not_opened_a_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with pytest.raises(UserError, match="names a server, which shows its runs itself"):
        tracking_command.open_page(5000)
