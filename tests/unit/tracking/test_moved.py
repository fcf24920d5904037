"""A checkout that is moved or copied takes its runs along, and writes nothing into where it came from."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ctrnn import event_log, params
from ctrnn.tracking import config, publishing, reading, runs, store
from tests.tracked import TASK, all_runs, client_of, fabricate, publish

# Of SQLAlchemy in MLflow.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def addresses(root: Path) -> set[str]:
    """Where a store seeks the files of its experiments and runs."""
    asked = "select artifact_location from experiments union select artifact_uri from runs"
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        return {address for (address,) in connection.execute(asked)}


def files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["moved", "run%20one", "what?ever", "a#b é", "run%one/a/b"])
def test_a_moved_checkout_finds_its_runs_and_adds_to_them(
    checkout: Path, tmp_path: Path, name: str
) -> None:
    first = publish(checkout)
    root = tmp_path / name
    root.parent.mkdir(parents=True, exist_ok=True)
    checkout.rename(root)
    there = set(tmp_path.iterdir())
    assert publish(root).action == "unchanged"
    assert reading.file(first.run_id, "history.csv", root, root).read_text()
    fabricate(root, p_inh=0.3)
    second = publish(root)
    assert (root / "mlartifacts" / second.run_id / "artifacts" / "history.csv").is_file()
    assert {address.startswith(root.as_uri() + "/mlartifacts") for address in addresses(root)} == {
        True
    }
    assert set(tmp_path.iterdir()) == there


def test_a_copy_writes_into_itself_and_leaves_the_original_alone(checkout: Path) -> None:
    first = publish(checkout)
    before = {path: path.read_bytes() for path in files(checkout)}
    copy = checkout.with_name("a copy")
    shutil.copytree(checkout, copy)
    fabricate(copy, p_inh=0.3)
    second = publish(copy)
    assert {path: path.read_bytes() for path in files(checkout)} == before
    assert (copy / "mlartifacts" / second.run_id / "artifacts" / "history.csv").is_file()
    shutil.rmtree(checkout)
    assert reading.file(first.run_id, "history.csv", copy, copy).is_file()


def test_runs_whose_files_were_not_copied_are_told_and_still_read_from_the_original(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = publish(checkout)
    copy = checkout.with_name("a copy")
    shutil.copytree(checkout, copy, ignore=shutil.ignore_patterns("mlartifacts"))
    assert reading.file(first.run_id, "history.csv", copy, copy).is_file()
    sentence = (
        f"The files of 1 run of {copy}/mlflow.db are still in {checkout}/mlartifacts; copy them"
    )
    assert sentence in capsys.readouterr().err
    fabricate(copy, p_inh=0.3)
    assert (copy / "mlartifacts" / publish(copy).run_id).is_dir()


def running(root: Path) -> str:
    """A run that a training of this checkout has left running."""
    client, experiment = client_of(root)
    where = config.resolve(root)
    path = event_log.path(TASK, params.read(root / "params.yaml"), root)
    tags = {runs.OWNER: where.owner, runs.EVENT_LOG: runs.event_log_tag(path, where)}
    return str(client.create_run(experiment, tags=tags).info.run_id)


def init(root: Path) -> list[str]:
    """What the next command makes of the runs of a checkout."""
    publishing.init(params.read(root / "params.yaml"), root)
    return [run.info.status for run in all_runs(root)]


def test_a_moved_checkout_and_a_copy_each_end_what_was_left_running_in_their_own_store(
    checkout: Path,
) -> None:
    running(checkout)
    copy, moved = checkout.with_name("a copy"), checkout.with_name("moved")
    shutil.copytree(checkout, copy)
    assert init(copy) == ["KILLED"]
    assert [run.info.status for run in all_runs(checkout)] == ["RUNNING"]
    checkout.rename(moved)
    assert init(moved) == ["KILLED"]


def test_a_checkout_that_older_code_left_is_recognised_where_it_was_moved(checkout: Path) -> None:
    """Its tags hold a hash of its path, and the whole path of the event log."""
    run_id = running(checkout)
    with store.locked(config.resolve(checkout)):
        (checkout / "mlflow.id").write_text("0" * 32)
        owner = config.resolve(checkout).owner
        (checkout / "mlflow.id").write_text("0" * 32)
    client, _ = client_of(checkout)
    path = checkout / str(client.get_run(run_id).data.tags[runs.EVENT_LOG])
    client.set_tag(run_id, runs.OWNER, owner)
    client.set_tag(run_id, runs.EVENT_LOG, str(path))
    moved = checkout.with_name("moved")
    checkout.rename(moved)
    assert init(moved) == ["KILLED"]


def test_an_experiment_whose_files_lie_elsewhere_by_choice_stays_there(checkout: Path) -> None:
    client, _ = client_of(checkout)
    client.create_experiment("on a large disk", (checkout.parent / "disk").as_uri())
    moved = checkout.with_name("moved")
    checkout.rename(moved)
    init(moved)
    assert (checkout.parent / "disk").as_uri() in addresses(moved)


def test_a_move_keeps_the_identity_and_a_copy_gets_its_own_wherever_it_lies(tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    owner = config.resolve(first).owner
    moved = first.rename(tmp_path / "moved")
    assert config.resolve(moved).owner == owner
    shutil.copytree(moved, first)  # back to where the original was
    assert config.resolve(first).owner not in (owner, config.resolve(tmp_path).owner)
    assert config.resolve(moved).owner == owner
    shutil.copytree(moved, tmp_path / "second")
    assert config.resolve(tmp_path / "second").owner not in (owner, config.resolve(first).owner)


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"7", b"[]", b"{}", b'{"owner": "a"}'])
def test_a_damaged_identity_is_made_anew(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "mlflow.id").write_bytes(text)
    owner = config.resolve(tmp_path).owner
    assert json.loads((tmp_path / "mlflow.id").read_text())["owner"] == owner
    assert config.resolve(tmp_path).owner == owner


def test_a_path_that_sqlite_does_not_take_is_one_sentence_before_anything_is_made(
    tmp_path: Path,
) -> None:
    root = tmp_path
    while len(os.fsencode(root)) < 600:
        root /= "d" * 60
    with pytest.raises(config.TrackingError, match=r"bytes, and SQLite takes 490; move"):
        config.resolve(root)


def test_the_longest_path_that_is_taken_works(tmp_path: Path) -> None:
    root = tmp_path
    while (left := config.LONGEST - len(os.fsencode(root / "mlflow.db")) - 1) > 0:
        root /= "d" * min(left, 100)
    root.mkdir(parents=True)
    database = config.resolve(root).database
    assert database is not None
    with closing(sqlite3.connect(f"{database}.draft")) as connection, connection:
        connection.execute("create table a (b)")  # with a journal beside it
