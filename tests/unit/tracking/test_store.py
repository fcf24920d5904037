"""The store of runs: its experiments, the version and the addresses of its tables, and how a run is written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ctrnn import params
from ctrnn.event_log import EventLogWriter
from ctrnn.tracking import config, publishing, runs, store
from ctrnn.tracking.config import StoreConfig, TrackingError
from ctrnn.tracking.payload import Table
from tests.tracked import TASK, all_runs, client_of, holdings, publish

# Of SQLAlchemy in MLflow.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Late:
    """A client that first finds no experiment: another process makes it right after. odd: what making one raises."""

    def __init__(self, client: Any, odd: Exception | None = None) -> None:
        self.client, self.odd, self.looked = client, odd, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def get_experiment_by_name(self, name: str) -> Any:
        self.looked += 1
        return None if self.looked == 1 else self.client.get_experiment_by_name(name)

    def create_experiment(self, *args: Any) -> Any:
        if self.odd:
            raise self.odd
        return self.client.create_experiment(*args)


def test_an_experiment_that_another_process_made_meanwhile_is_taken(checkout: Path) -> None:
    from mlflow.exceptions import MlflowException

    client, number = client_of(checkout)
    where = config.resolve(checkout)
    late: Any = Late(client)
    assert store.experiment_id(late, where, "ctrnn") == number
    broken: Any = Late(client, MlflowException("it is broken"))
    with pytest.raises(TrackingError, match="it is broken"):
        store.experiment_id(broken, where, "ctrnn")


def test_an_experiment_that_is_deleted_is_told_with_how_to_restore_it(checkout: Path) -> None:
    client, number = client_of(checkout)
    client.delete_experiment(number)
    with pytest.raises(
        TrackingError, match=rf"is deleted in .* restore it with .* -x {number}` or"
    ):
        store.experiment_id(client, config.resolve(checkout), "ctrnn")


@pytest.mark.parametrize(
    ("uri", "database", "files", "gone"),
    [
        ("postgresql://h/db", None, "nowhere/mlartifacts", True),
        ("postgresql://h/db", None, "mlartifacts", False),  # whose folder is there
        ("http://h", None, "nowhere/mlartifacts", False),  # the files are not of this machine
        ("sqlite:////x.db", Path("/x.db"), "nowhere/mlartifacts", False),  # `moved` sees to it
    ],
    ids=["gone", "there", "elsewhere", "own"],
)
def test_an_experiment_whose_folder_is_gone_is_told_before_anything_is_written(
    checkout: Path, uri: str, database: Path | None, files: str, gone: bool
) -> None:
    client, _ = client_of(checkout)
    number = client.create_experiment("x", (checkout / files).as_uri())
    where = StoreConfig(uri, checkout, database)
    if not gone:
        assert store.experiment_id(client, where, "x") == number
        return
    with pytest.raises(
        TrackingError, match=r"keeps its files in .*nowhere/mlartifacts, which is gone"
    ):
        store.experiment_id(client, where, "x")


def test_the_version_of_a_database_is_that_of_its_one_row(tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("create table runs (a)")
        connection.commit()
        assert store._version(database) is None
        connection.execute("create table alembic_version (version_num)")
        connection.commit()
        assert store._version(database) is None
        connection.execute("insert into alembic_version values ('abc')")
        connection.commit()
        assert store._version(database) == "abc"
    store._check_sound(database)


def test_a_question_that_fails_is_no_damage(tmp_path: Path) -> None:
    with (
        pytest.raises(sqlite3.OperationalError, match="no such table"),
        store._reading(tmp_path / "a.db") as connection,
    ):
        connection.execute("select * from missing")


def test_the_folders_of_a_database_are_made_with_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///a/b/lab.db")
    for _ in range(2):
        with store.locked(config.resolve(tmp_path)):
            assert [path.name for path in (tmp_path / "a/b").iterdir()] == ["mlflow.lock"]


ID = "0123456789abcdef" * 2


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The tables that `moved` looks into, of a store in `here`."""
    (tmp_path / "here").mkdir()
    with closing(sqlite3.connect(tmp_path / "here" / "mlflow.db")) as connection:
        connection.execute("create table experiments (experiment_id, artifact_location)")
        connection.execute("create table runs (run_uuid, artifact_uri)")
        connection.execute("create table tags (key, value, run_uuid)")
        connection.commit()
        yield connection


def follow(root: Path) -> None:
    database = root / "mlflow.db"
    store.follow(database, StoreConfig(f"sqlite:///{database}", root, database))


def test_addresses_are_mended_where_their_files_are_not_elsewhere_alone(
    tmp_path: Path, tables: sqlite3.Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    ids = {
        name: f"{number:032x}" for number, name in enumerate(("neither", "both", "left", "more"))
    }
    address = {name: f"{there.as_uri()}/mlartifacts/{one}/artifacts" for name, one in ids.items()}
    for name in ("both", "left", "more"):
        (there / "mlartifacts" / ids[name] / "artifacts").mkdir(parents=True)
    (here / "mlartifacts" / ids["both"] / "artifacts").mkdir(parents=True)
    tables.execute("insert into experiments values (7, ?)", (f"{there.as_uri()}/mlartifacts/7",))
    tables.execute("insert into experiments values (8, ?)", (f"{there.as_uri()}/elsewhere",))
    tables.executemany(
        "insert into runs values (?, ?)", [(ids[name], address[name]) for name in ids]
    )
    tables.commit()
    follow(here)
    asked = tables.execute("select experiment_id, artifact_location from experiments")
    assert dict(asked) == {7: f"{here.as_uri()}/mlartifacts/7", 8: f"{there.as_uri()}/elsewhere"}
    mended = {
        name: f"{here.as_uri()}/mlartifacts/{ids[name]}/artifacts" for name in ("neither", "both")
    }
    addresses = dict(tables.execute("select run_uuid, artifact_uri from runs"))
    assert {name: addresses[ids[name]] for name in ids} == address | mended
    assert capsys.readouterr().err == (
        f"The files of 2 runs of {here}/mlflow.db are still in {there}/mlartifacts; copy them to "
        f"{here}/mlartifacts, where the next command finds them\n"
    )


def test_a_folder_that_is_seen_by_two_paths_keeps_its_addresses(
    tmp_path: Path, tables: sqlite3.Connection
) -> None:
    here, link = tmp_path / "here", tmp_path / "link"
    link.symlink_to(here)
    (here / "mlartifacts").mkdir()
    address = f"{link.as_uri()}/mlartifacts/{ID}/artifacts"
    tables.execute("insert into runs values (?, ?)", (ID, address))
    tables.commit()
    follow(here)
    assert tables.execute("select artifact_uri from runs").fetchall() == [(address,)]


@pytest.mark.parametrize("own", [True, False])
def test_runs_of_the_checkout_that_was_moved_become_those_of_this_one(
    tmp_path: Path, tables: sqlite3.Connection, own: bool
) -> None:
    """Where the database is its own: another may be shared by several checkouts."""
    here, there = tmp_path / "here", tmp_path / "there"
    tables.execute("insert into experiments values (7, ?)", (f"{there.as_uri()}/mlartifacts/7",))
    log = f"{there}/.checkpoints/a.events"
    tables.executemany(
        "insert into tags values (?, ?, ?)",
        [
            (runs.OWNER, "old", "a"), (runs.EVENT_LOG, log, "a"),
            (runs.OWNER, "other", "b"), (runs.EVENT_LOG, "/x/.checkpoints/a.events", "b"),
        ],
    )  # fmt: skip
    tables.commit()
    database = here / "mlflow.db"
    root = here if own else tmp_path
    store.follow(database, place := StoreConfig(f"sqlite:///{database}", root, database))
    asked = "select key || ' ' || run_uuid, value from tags"
    tags = dict(tables.execute(asked))
    assert tags[f"{runs.OWNER} b"] == "other"
    assert tags[f"{runs.EVENT_LOG} b"] == "/x/.checkpoints/a.events"
    assert tags[f"{runs.OWNER} a"] == (place.owner if own else "old")
    assert tags[f"{runs.EVENT_LOG} a"] == (".checkpoints/a.events" if own else log)


def test_every_call_returns_when_the_store_has_what_it_was_given(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow can also take it and write it later, which a program that ends does not wait for."""
    from mlflow.tracking import MlflowClient

    log_batch, later = MlflowClient.log_batch, list[Any]()

    def logged(*args: Any, **how: Any) -> Any:
        result = log_batch(*args, **how)
        later.append(result)
        return result

    monkeypatch.setattr(MlflowClient, "log_batch", logged)
    publish(checkout)
    folder = checkout / "sweep"
    folder.mkdir()
    (folder / "a.csv").write_text("a\n")
    run_id = publishing.register("a", "ctrnn", {"x": "1" * 7000}, {"n": 2.0}, folder, checkout)
    assert len(later) > 3
    assert set(later) == {None}
    held = holdings(checkout, run_id)
    assert held["points"] == {"n": [(0, 2.0)]}
    assert len(held["params"]["x"]) == 6000
    assert len(held["tags"][runs.KEY]) == 32


def test_a_publication_that_is_interrupted_leaves_a_killed_run_that_the_next_completes(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs, "_fill", stop)
        with pytest.raises(KeyboardInterrupt):
            publish(checkout)
    assert [run.info.status for run in all_runs(checkout)] == ["KILLED"]
    assert publish(checkout).action == "completed"
    assert [run.info.status for run in all_runs(checkout)] == ["FINISHED"]


def test_files_and_texts_lie_under_their_paths_in_the_run(checkout: Path) -> None:
    client, experiment = client_of(checkout)
    run_id = client.create_run(experiment).info.run_id
    runs.upload(client, run_id, {"a/b/c.yaml": checkout / "params.yaml"}, {"a/told.txt": "told"})
    folder = Path(client.download_artifacts(run_id, ""))
    assert (folder / "a/b/c.yaml").read_bytes() == (checkout / "params.yaml").read_bytes()
    assert (folder / "a/told.txt").read_text() == "told"


def test_a_trial_table_is_described_as_a_dataset() -> None:
    dataset_input = runs._dataset(
        Table("xor trials", "test", "0a", "a/test.csv", 8, (("trial", "long"),))
    )
    dataset: Any = dataset_input.dataset
    (tag,) = dataset_input.tags
    assert (dataset.name, dataset.digest, tag.value) == ("xor trials test", "0a", "test")
    assert json.loads(dataset.source) == {"uri": "a/test.csv"}
    assert json.loads(dataset.profile) == {"num_rows": 8}
    assert json.loads(dataset.schema) == {
        "mlflow_colspec": [{"type": "long", "name": "trial", "required": True}]
    }


def test_a_list_is_cut_into_parts_of_at_most_so_many() -> None:
    assert list(runs._parts([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(runs._parts([], 2)) == []


def test_a_run_that_ended_well_waits_only_while_its_settings_can_be_read(checkout: Path) -> None:
    settings = params.read(checkout / "params.yaml")
    client, experiment = client_of(checkout)
    where = config.resolve(checkout)
    with EventLogWriter(TASK, settings, root=checkout) as training:
        training.write("a", [])
        tags = {runs.OWNER: where.owner, runs.EVENT_LOG: runs.event_log_tag(training.path, where)}
        client.create_run(experiment, tags=tags)

    def status() -> str:
        publishing.init(settings, checkout)
        return str(all_runs(checkout)[0].info.status)

    assert (status(), status()) == ("SCHEDULED", "SCHEDULED")
    (checkout / "params.yaml").write_text("seed: [")
    assert status() == "KILLED"


def test_of_runs_with_one_key_a_finished_one_comes_first_and_else_the_oldest(
    checkout: Path,
) -> None:
    client, experiment = client_of(checkout)

    def make(start: int, status: str) -> str:
        run_id: str = client.create_run(experiment, start, tags={runs.KEY: "k"}).info.run_id
        client.set_terminated(run_id, status)
        return run_id

    made = [make(3, "KILLED"), make(2, "FAILED"), make(5, "FINISHED"), make(4, "FINISHED")]
    client.create_run(experiment, 1, tags={runs.KEY: "another"})
    ids = [run.info.run_id for run in runs.find(client, experiment, "k")]
    assert ids == [made[3], made[2], made[1], made[0]]
