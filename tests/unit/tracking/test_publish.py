"""The MLflow link on real SQLite stores: one finished run per content key, whatever happens."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ctrnn import lock, params
from ctrnn.tracking import config, payload, publishing, runs, store
from tests.clock import waited
from tests.tracked import (
    FIGURES,
    REPOSITORY,
    TASK,
    all_runs,
    client_of,
    fabricate,
    holdings,
    publish,
    record,
    start_in_a_fork,
    status_of,
)

# Of SQLAlchemy in MLflow, and of forking a process that has threads (Python 3.12).
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

WRITES = ("create_run", "log_batch", "log_inputs", "log_artifacts", "set_tag")


def killed_after(writes: int, root: Path) -> None:
    """Publish, and die by SIGKILL right after that many writes to the store."""
    from mlflow.tracking import MlflowClient

    left = writes

    def dying(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            result = method(*args, **kwargs)
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for name in WRITES:
        setattr(MlflowClient, name, dying(getattr(MlflowClient, name)))
    publish(root)


def test_a_run_holds_settings_curves_results_files_and_tables(anywhere: Path) -> None:
    done = publish(anywhere)
    held = holdings(anywhere, done.run_id)
    assert (done.action, held["status"]) == ("created", "FINISHED")
    assert held["params"]["network.p_inh"] == "0.2"
    assert held["params"]["network.tau_inh"] == "null"
    assert held["params"]["tasks.mante.T"] == "500"
    assert held["points"]["loss/network_0"] == [(1, 1.0), (2, 0.5)]
    assert held["points"]["loss/mean"] == [(1, 1.5), (2, 1.0), (3, pytest.approx(0.3))]
    assert held["points"]["validation_accuracy/network_1"] == [(2, 0.5), (3, 0.99)]
    assert held["points"]["accuracy/mean"] == [(0, 0.985)]
    assert held["points"]["accuracy/network_1"] == [(0, 0.99)]
    assert "accuracy_by_condition/context:motion motion:0.5 colour:-0.5" in held["points"]
    assert held["tags"]["mlflow.runName"] == "mante p_inh=0.2 tau=20"
    trained = lock.out_hashes(lock.chain(TASK, anywhere))["artifacts/train/mante"]
    assert held["tags"]["dvc.out/artifacts/train/mante"] == trained
    assert "**2 of 2 converged**" in held["tags"]["mlflow.note.content"]
    assert held["datasets"] == [f"mante trials {s}" for s in ("test", "train", "validation")]
    assert held["files"] == sorted(
        [
            *("dvc.lock", "params.yaml", "history.csv", "outcomes.csv", "training.json"),
            *("metrics/evaluate.json", "metrics/analyze.json", "analysis/fixed_points.npz"),
            *(f"weights/{stem}-{i}.safetensors" for stem in ("network", "initial") for i in (0, 1)),
            *(f"figures/{name}.png" for name in FIGURES),
        ]
    )


def test_publishing_again_changes_nothing(anywhere: Path) -> None:
    first = publish(anywhere)
    before = holdings(anywhere, first.run_id)
    assert publish(anywhere) == first._replace(action="unchanged")
    assert holdings(anywhere, first.run_id) == before
    assert len(all_runs(anywhere)) == 1


def test_another_setting_is_another_run_and_going_back_adds_none(anywhere: Path) -> None:
    first = publish(anywhere)
    fabricate(anywhere, p_inh=0.3)
    second = publish(anywhere)
    fabricate(anywhere, p_inh=0.2)
    assert publish(anywhere).run_id == first.run_id != second.run_id
    assert len(all_runs(anywhere)) == 2


def test_a_run_whose_figures_were_not_wanted_has_none_until_they_are(anywhere: Path) -> None:
    drawn = anywhere / "reports" / "figures" / TASK
    kept = {path.name: path.read_bytes() for path in drawn.iterdir()}
    for path in drawn.iterdir():
        path.unlink()
    with pytest.raises(config.TrackingError, match="holds no figures"):
        publish(anywhere)
    (drawn / "none.txt").touch()
    record(anywhere, made := params.read(anywhere / "params.yaml"))
    first = publish(anywhere)
    for name, png in kept.items():
        (drawn / name).write_bytes(png)
    (drawn / "none.txt").unlink()
    record(anywhere, made)
    again = publish(anywhere)
    assert (first.action, again.action) == ("created", "redrawn")
    assert first.run_id == again.run_id


def test_new_figures_replace_those_of_the_finished_run(anywhere: Path) -> None:
    first = publish(anywhere)
    fabricate(anywhere, figure=b"drawn anew")
    assert publish(anywhere) == first._replace(action="redrawn")
    client, _ = client_of(anywhere)
    figure = client.download_artifacts(first.run_id, "figures/weights.png")
    assert Path(figure).read_bytes() == b"drawn anew"


def test_killed_after_any_write_and_repeated_leaves_one_complete_run(anywhere: Path) -> None:
    held = {}
    for writes in range(1, 9):
        child = start_in_a_fork(lambda: killed_after(writes, anywhere))  # noqa: B023  it runs at once
        assert status_of(child) == -signal.SIGKILL
        done = publish(anywhere)
        assert done.action == "completed"
        assert len(all_runs(anywhere)) == 1
        held[writes] = holdings(anywhere, done.run_id)
        shutil.rmtree(anywhere / "mlartifacts", ignore_errors=True)
        client_of(anywhere)[0].delete_run(done.run_id)
    undisturbed = holdings(anywhere, publish(anywhere).run_id)
    assert held == dict.fromkeys(held, undisturbed)


def test_the_loss_of_files_is_made_good(anywhere: Path) -> None:
    run_id = publish(anywhere).run_id
    before = holdings(anywhere, run_id)
    files = [path for path in anywhere.glob(f"mlartifacts/**/{run_id}/**/*") if path.is_file()]
    if not files:  # a server keeps them
        assert publish(anywhere).action == "unchanged"
        return
    names = ("network-1.safetensors", "params.yaml", f"{FIGURES[0]}.png")
    gone = [path for path in files if path.name in names]
    assert len(gone) == len(names)
    for path in gone:
        path.unlink()
    assert publish(anywhere).action == "completed"
    assert all(path.is_file() for path in files)
    assert holdings(anywhere, run_id) == before
    assert publish(anywhere).action == "unchanged"


def test_the_files_of_another_store_are_left_to_it(checkout: Path) -> None:
    publish(checkout)
    client, number = client_of(checkout)
    (run,) = client.search_runs([number])
    place = config.resolve(checkout)
    assert runs._lost(run, place, ["gone"]) == {"gone"}
    elsewhere = dataclasses.replace(place, database=checkout.parent / "mlflow.db")
    assert runs._lost(run, elsewhere, ["gone"]) == set()


def test_the_loss_of_a_point_is_made_good_without_doubling_others(anywhere: Path) -> None:
    """A run that something else opened and half filled, at other times, is completed."""
    client, experiment = client_of(anywhere)
    what = payload.collect(TASK, params.read(anywhere / "params.yaml"), anywhere)
    run_id = client.create_run(experiment, tags={runs.KEY: what.key}).info.run_id
    client.log_metric(run_id, "loss/network_0", 1.0, timestamp=5, step=1)
    client.set_terminated(run_id, "FAILED")
    assert publish(anywhere).run_id == run_id
    assert holdings(anywhere, run_id)["points"]["loss/network_0"] == [(1, 1.0), (2, 0.5)]


def test_doubles_of_a_key_are_removed(anywhere: Path) -> None:
    first = publish(anywhere)
    client, experiment = client_of(anywhere)
    client.create_run(experiment, start_time=1, tags=client.get_run(first.run_id).data.tags)
    assert publish(anywhere).run_id == first.run_id
    assert len(all_runs(anywhere)) == 1


def test_a_deleted_run_does_not_count(anywhere: Path) -> None:
    first = publish(anywhere)
    client_of(anywhere)[0].delete_run(first.run_id)
    assert publish(anywhere).action == "created"


def test_an_experiment_of_another_kind_keeps_its_kind(checkout: Path) -> None:
    client, _ = client_of(checkout)
    where, kind = config.resolve(checkout), "mlflow.experimentKind"
    theirs = client.create_experiment("theirs", tags={kind: "genai_development"})
    plain = client.create_experiment("plain")
    for name, number in (("theirs", theirs), ("plain", plain)):
        assert store.experiment_id(client, where, name) == number
    assert client.get_experiment(theirs).tags[kind] == "genai_development"
    assert client.get_experiment(plain).tags[kind] == "custom_model_development"


def test_what_the_shell_exports_of_other_runs_is_ignored(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = client_of(checkout)
    foreign = client.create_experiment("foreign")
    victim = client.create_run(foreign, tags={"mine": "yes"}).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", victim)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", foreign)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "foreign")
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true")
    done = publish(checkout)
    assert [run.info.run_id for run in all_runs(checkout)] == [done.run_id]
    assert not client.search_runs(["0"])
    assert holdings(checkout, done.run_id)["status"] == "FINISHED"
    assert client.get_run(victim).data.params == {}
    assert "MLFLOW_RUN_ID" not in os.environ


def test_a_temporary_experiment_writes_to_the_main_checkout(anywhere: Path) -> None:
    temporary = anywhere / ".dvc" / "tmp" / "exps" / "standalone" / "tmp1"
    temporary.mkdir(parents=True)
    fabricate(temporary, p_inh=0.4)
    done = publish(temporary)
    shutil.rmtree(temporary)
    assert [run.info.run_id for run in all_runs(anywhere)] == [done.run_id]
    assert "history.csv" in holdings(anywhere, done.run_id)["files"]


def test_eight_first_ever_starts_at_once_make_one_sound_store(tmp_path: Path) -> None:
    settings = fabricate(tmp_path)
    starts = [start_in_a_fork(lambda: publishing.init(settings, tmp_path)) for _ in range(8)]
    assert [status_of(start) for start in starts] == [0] * 8
    client, _ = client_of(tmp_path)
    assert {e.name for e in client.search_experiments()} == {"Default", "ctrnn"}
    assert publish(tmp_path).action == "created"


def test_eight_publications_at_once_leave_one_run(anywhere: Path) -> None:
    starts = [start_in_a_fork(lambda: publish(anywhere)) for _ in range(8)]
    assert [status_of(start) for start in starts] == [0] * 8
    assert [run.info.status for run in all_runs(anywhere)] == ["FINISHED"]


def test_the_command_line_prints_the_store(checkout: Path) -> None:
    path = os.pathsep.join([str(REPOSITORY / "src"), *filter(None, sys.path)])
    command = [sys.executable, "-m", "ctrnn.tracking", "init"]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"sqlite:///{checkout}/mlflow.db\n"), done.stderr


def test_an_environment_below_a_percent_sign_is_one_sentence(checkout: Path) -> None:
    environment = checkout / "50%" / "venv"
    environment.parent.mkdir()
    environment.symlink_to(sys.prefix)
    (checkout / "mlflow.db").unlink()
    shutil.copy(REPOSITORY / "params.yaml", checkout)
    command = [str(environment / "bin" / "python"), "-m", "ctrnn.tracking", "init"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        f"tracking init: MLflow makes no store where {environment}, the environment, has a % in its path; "
        "rename the folder"
    )


def test_an_older_database_is_upgraded_and_a_copy_kept(checkout: Path) -> None:
    import mlflow.store.db.utils as database
    import sqlalchemy
    from alembic import command

    where = config.resolve(checkout)
    alembic = database._get_alembic_config(where.uri)
    engine = sqlalchemy.create_engine(where.uri)
    with engine.begin() as connection:
        alembic.attributes["connection"] = connection
        command.downgrade(alembic, "-2")
    engine.dispose()
    assert publish(checkout).action == "created"
    assert (checkout / "mlflow.db.before-upgrade").exists()


def test_a_file_that_is_no_database_is_one_sentence(checkout: Path) -> None:
    (checkout / "mlflow.db").write_text("no database " * 100)
    with pytest.raises(config.TrackingError, match=r"is not a database, .* move it away"):
        publish(checkout)


def test_a_folder_in_the_databases_place_is_one_sentence(checkout: Path) -> None:
    (checkout / "mlflow.db").unlink()
    (checkout / "mlflow.db").mkdir()
    with pytest.raises(config.TrackingError, match=r"mlflow.db is not a file; move it away"):
        publish(checkout)


def test_an_empty_file_becomes_a_database(checkout: Path) -> None:
    (checkout / "mlflow.db").write_bytes(b"")
    assert publish(checkout).action == "created"


@pytest.mark.parametrize("table", ["runs", "metrics", "tags"])
def test_a_database_with_garbage_in_a_table_is_one_sentence_at_the_start(
    checkout: Path, table: str
) -> None:
    publish(checkout)
    with closing(sqlite3.connect(checkout / "mlflow.db")) as connection:
        (size,) = connection.execute("pragma page_size").fetchone()
        asked = "select rootpage from sqlite_master where name = ?"
        (page,) = connection.execute(asked, (table,)).fetchone()
    with (checkout / "mlflow.db").open("r+b") as file:
        file.seek(size * (page - 1))
        file.write(b"garbage!" * 25)
    with pytest.raises(config.TrackingError, match=r"is damaged .* put a copy in its place"):
        publishing.init(params.read(checkout / "params.yaml"), checkout)


@pytest.mark.parametrize("name", ["mlflow.lock", "mlflow.id", "mlartifacts"])
def test_what_has_another_kind_than_it_should_is_named(checkout: Path, name: str) -> None:
    path = checkout / name
    path.unlink(missing_ok=True)
    path.touch() if name == "mlartifacts" else path.mkdir()
    with pytest.raises(config.TrackingError, match=rf"tracking store .* failed .*{name}"):
        publish(checkout)


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "mlruns", "databricks"])
def test_an_address_that_cannot_hold_runs_is_refused(
    checkout: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(config.TrackingError, match=r"MLFLOW_TRACKING_URI = .* give http"):
        publish(checkout)


def test_a_relative_database_is_that_of_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///lab.db")
    assert config.resolve(tmp_path / ".dvc/tmp/exps/x").database == tmp_path / "lab.db"


def test_a_server_that_is_gone_is_one_sentence(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    start = waited()
    with pytest.raises(config.TrackingError, match=r"Connection refused.*start the server"):
        publish(checkout)
    assert waited() - start < 2


@pytest.mark.parametrize("habit", ["never answers", "hangs after it was found well", "breaks"])
def test_a_sick_server_is_one_sentence_within_ten_seconds(
    checkout: Path, habit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            healthy = self.path == config.PROBE and habit != "never answers"
            if not healthy and habit != "breaks":
                time.sleep(12)
            self.send_response(200 if healthy else 500)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    start = waited()
    with pytest.raises(config.TrackingError, match=r"tracking store http.* failed"):
        publish(checkout)
    assert waited() - start < 10
    server.shutdown()
    server.server_close()


def test_a_sweep_is_registered_with_its_regular_files_only(checkout: Path) -> None:
    folder = checkout / "reports" / "sweeps" / "a"
    folder.mkdir(parents=True)
    (folder / "networks.csv").write_text("a\n")
    (folder / "link").symlink_to(checkout / "params.yaml")
    run_id = publishing.register("a", "ctrnn", {"x": "1" * 7000}, {"n": 1.0}, folder, checkout)
    assert holdings(checkout, run_id)["files"] == ["networks.csv"]
    assert publishing.register("a", "ctrnn", {}, {}, folder, checkout) == run_id


def test_a_missing_file_is_named_before_anything_is_written(checkout: Path) -> None:
    (checkout / "artifacts/train/mante/history.csv").unlink()
    with pytest.raises(lock.LockError, match=r"history.csv does not exist; run dvc repro"):
        publish(checkout)
    assert all_runs(checkout) == []


def test_a_task_that_has_not_run_is_named(checkout: Path) -> None:
    with pytest.raises(lock.LockError, match=r"no entry generate@xor; run dvc repro"):
        lock.chain("xor", checkout)


def test_the_key_is_that_of_this_task_whatever_the_order(checkout: Path) -> None:
    entries = lock.chain(TASK, checkout)
    key = lock.content_key(entries)
    assert lock.content_key(dict(reversed(entries.items()))) == key
    entries[f"train@{TASK}"]["cmd"] += " --more"
    assert lock.content_key(entries) != key


def test_names_that_mlflow_does_not_take_are_made_legal() -> None:
    assert payload.legal("a/context=motion motion=+0.5%") == "a/context:motion motion:0.5_"


def test_the_main_checkout_is_found_from_a_temporary_experiment(tmp_path: Path) -> None:
    assert config.main_checkout(tmp_path / ".dvc/tmp/exps/standalone/tmpx") == tmp_path
    assert config.main_checkout(tmp_path) == tmp_path
