"""A run holds what made its results: what lies on disk is published only where it is what dvc.lock names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ctrnn import lock, params
from ctrnn.errors import UserError
from ctrnn.tracking import checks, payload
from tests.tracked import TASK, fabricate, record

TRAINED = Path("artifacts/train") / TASK


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fabricate(tmp_path)
    return tmp_path


def collect(root: Path, settings: params.Params | None = None) -> payload.Payload:
    """settings: what params.yaml holds, which takes longer to read than all else, where it stays as it is."""
    return payload.collect(TASK, settings or params.read(root / "params.yaml"), root)


def edit(root: Path, key: str, value: Any) -> None:
    """Give a setting of params.yaml another value."""
    settings = yaml.safe_load((root / "params.yaml").read_text())
    *sections, last = key.split(".")
    section = settings
    for name in sections:
        section = section[name]
    section[last] = value
    (root / "params.yaml").write_text(yaml.safe_dump(settings))


def edit_lock(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the entries of dvc.lock."""
    content = yaml.safe_load((root / "dvc.lock").read_text())
    change(content["stages"])
    (root / "dvc.lock").write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("key", "value", "made"),
    [
        ("network.tau", 50, "20.0"),
        ("train.n_networks", 1, "2"),
        ("train.epsilon", 1e-6, "1e-08"),
        ("seed", 7, "1"),
        (f"tasks.{TASK}.evidence", [0.1], "[0.5]"),
        ("evaluate.sample_trials", 9, "4"),
        ("analyze.lesions.doses", [0.5], "[0.02, 0.05, 0.1, 0.2, 0.4]"),
    ],
)
def test_a_run_is_described_by_the_settings_that_made_its_results(
    root: Path, key: str, value: Any, made: str
) -> None:
    before = collect(root)
    edit(root, key, value)
    after = collect(root)
    assert after.edited == (key,)
    assert after.params[key] == made
    assert after.texts["params.yaml"] == before.texts["params.yaml"]
    for field in ("name", "key", "params", "tags", "description", "files", "final", "curves"):
        assert getattr(after, field) == getattr(before, field), field


def test_the_params_yaml_of_a_run_makes_its_results_again(root: Path) -> None:
    edit(root, "network.tau", 50)
    own = params.parse(collect(root).texts["params.yaml"], "params.yaml")
    assert own.network.tau == 20
    assert list(own.tasks) == [TASK]
    assert payload.flat_params(TASK, own) == collect(root).params


def test_settings_that_change_no_result_are_not_told(root: Path) -> None:
    before = collect(root)
    for key, value in (
        ("train.threads", 3),
        ("train.checkpoint_every", 7),
        ("publish.live", False),
    ):
        edit(root, key, value)
    assert collect(root).edited == ()
    assert collect(root).params == before.params


def other(entries: dict[str, Any]) -> None:
    """The entry of evaluate, of a training that there was before."""
    for dep in entries[f"evaluate@{TASK}"]["deps"]:
        if dep["path"] == str(TRAINED):
            dep["md5"] = "0" * 32 + ".dir"


def test_a_stage_that_was_computed_from_another_is_named_with_the_command(root: Path) -> None:
    edit_lock(root, other)
    sentence = (
        rf"evaluate@{TASK} was computed from another {TRAINED} .*; run dvc repro publish@{TASK}$"
    )
    with pytest.raises(lock.LockError, match=sentence):
        collect(root)


def test_stages_of_different_settings_are_named_with_the_command(root: Path) -> None:
    def seed(entries: dict[str, Any]) -> None:
        entries[f"generate@{TASK}"]["params"]["params.yaml"]["seed"] = 2

    edit_lock(root, seed)
    sentence = rf"generate@{TASK} used seed = 2, train@{TASK} 1; run dvc repro publish@{TASK}$"
    with pytest.raises(lock.LockError, match=sentence):
        collect(root)


@pytest.mark.parametrize(
    ("key", "value", "stage"),
    [
        ("network.tau", 50, "train"),
        ("train.learning_rate", 0.5, "train"),
        ("train.n_networks", 1, "train"),
        ("seed", 2, "train"),
        (f"tasks.{TASK}.T", 501, "train"),
        ("evaluate.sample_trials", 9, "evaluate"),
        ("analyze.lesions.draws", 9, "analyze"),
    ],
)
def test_a_params_yaml_that_was_edited_while_a_stage_ran_is_noticed(
    root: Path, key: str, value: Any, stage: str
) -> None:
    """DVC reads it when the stage has ended: dvc.lock then holds what did not make the results."""
    edit(root, key, value)
    record(root, params.read(root / "params.yaml"))
    with pytest.raises(lock.LockError) as caught:
        collect(root)
    name = f"{stage}@{TASK}"
    assert f"params.yaml was edited while {name} ran" in str(caught.value)
    assert f"run dvc repro --force --single-item {name}, then make repro" in str(caught.value)


def test_figures_of_other_results_are_noticed(root: Path) -> None:
    def stale(entries: dict[str, Any]) -> None:
        entries["report"]["deps"][1]["md5"] = "0" * 32 + ".dir"

    edit_lock(root, stale)
    with pytest.raises(lock.LockError, match=r"report was computed .*; run dvc repro report$"):
        collect(root)
    record(root, params.read(root / "params.yaml"))
    (root / "reports/figures" / TASK / "weights.png").write_bytes(b"another")
    with pytest.raises(lock.LockError, match=r"figures is not what .*; run dvc repro report$"):
        collect(root)


def test_what_dvc_ignores_does_not_count(root: Path) -> None:
    (root / ".dvcignore").write_text("*.swp\n.DS_Store\n")
    (root / TRAINED / ".DS_Store").write_text("of a file manager")
    collect(root)
    (root / TRAINED / "more.csv").touch()
    with pytest.raises(lock.LockError, match=f"{TRAINED} is not what dvc.lock says"):
        collect(root)


def test_a_commit_is_told_only_where_the_code_is_that_of_the_results(root: Path) -> None:
    def code(entries: dict[str, Any]) -> None:
        digest = checks.hash_of(root / "src", root)
        entries[f"train@{TASK}"]["deps"].append({"path": "src", "md5": digest})

    (root / "src").mkdir()
    (root / "src/a.py").write_text("a = 1")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for command in (["init", "--quiet"], ["add", "src"], ["commit", "--quiet", "-m", "a"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    edit_lock(root, code)
    assert f"Commit `{collect(root).tags['git.commit'][:10]}`" in collect(root).description
    (root / "src/a.py").write_text("a = 2")
    assert collect(root).tags["git.commit"] == "none"
    assert "mlflow.source.git.commit" not in collect(root).tags
    assert "Commit not known: the code has changed since;" in collect(root).description


def outside(root: Path, name: str = "secret") -> Path:
    path = root.with_name(f"{root.name} outside") / name
    path.parent.mkdir()
    return path


@pytest.mark.parametrize(
    "name",
    [f"{TRAINED}/history.csv", f"reports/evaluate/{TASK}.json", f"reports/figures/{TASK}/weights.png"],
)  # fmt: skip
def test_a_link_to_elsewhere_is_not_followed_even_where_dvc_lock_has_its_hash(
    root: Path, name: str
) -> None:
    path = root / name
    shutil.move(path, outside(root))
    path.symlink_to(outside_file := root.with_name(f"{root.name} outside") / "secret")
    assert outside_file.exists()
    with pytest.raises(lock.LockError, match=rf"{name} is no regular file of the checkout"):
        collect(root)


@pytest.mark.parametrize("name", [TRAINED, Path("artifacts"), Path("reports")])
def test_a_folder_that_is_a_link_is_not_followed(root: Path, name: Path) -> None:
    shutil.move(root / name, target := outside(root, "folder"))
    (root / name).symlink_to(target)
    with pytest.raises(lock.LockError, match=r"is no regular file of the checkout"):
        collect(root)


def test_links_into_dvcs_cache_are_published(root: Path) -> None:
    """As `cache.type symlink` makes them, here into a cache that several checkouts share."""
    cache = root.with_name(f"{root.name} cache")
    for command in (["init", "--no-scm", "--quiet"], ["cache", "dir", str(cache)]):
        subprocess.run([sys.executable, "-m", "dvc", *command], cwd=root, check=True)
    cached = cache / "files" / "md5" / "ab" / "cdef"
    cached.parent.mkdir(parents=True)
    shutil.move(root / TRAINED / "history.csv", cached)
    (root / TRAINED / "history.csv").symlink_to(cached)
    assert collect(root).files["history.csv"].read_text().startswith("iteration")


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    payload = bytearray(path.read_bytes())
    payload[len(payload) // 2] ^= 1
    path.write_bytes(payload)


def replace(by: Callable[[Path], Any]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        path.unlink()
        by(path)

    return damage


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": cut,
    "a bit flipped": flip,
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "random": lambda path: path.write_bytes(np.random.default_rng(0).bytes(100)),
    "another file": lambda path: path.write_text("[1, 2"),
    "gone": Path.unlink,
    "a folder": replace(Path.mkdir),
    "a pipe": replace(os.mkfifo),
    "a link to nothing": replace(lambda path: path.symlink_to("nothing")),
    "a link to itself": replace(lambda path: path.symlink_to(path.name)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_input_that_is_damaged_is_one_sentence(root: Path, damage: str) -> None:
    kept = root.with_name(f"{root.name} kept")
    shutil.copytree(root, kept)
    files = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    assert len(files) > 15
    settings = params.read(root / "params.yaml")
    for name in files:
        if str(name) == "params.yaml":  # has tests of its own
            continue
        if str(name) == "dvc.lock" and damage in ("a bit flipped", "longer"):  # see the next test
            continue
        DAMAGES[damage](root / name)
        with pytest.raises(UserError) as caught:
            collect(root, settings)
        assert "\n" not in str(caught.value), name
        if (root / name).is_dir():
            (root / name).rmdir()
        (root / name).unlink(missing_ok=True)
        shutil.copy(kept / name, root / name)
    collect(root)


def test_a_lock_with_a_bit_flipped_is_one_sentence_or_describes_the_same_run(root: Path) -> None:
    settings = params.read(root / "params.yaml")
    before, whole = collect(root, settings), (root / "dvc.lock").read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for position in random.integers(len(whole), size=30):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << random.integers(8)
        (root / "dvc.lock").write_bytes(flipped)
        try:
            after = collect(root, settings)
        except UserError:
            refused += 1
        else:
            assert (after.params, after.files) == (before.params, before.files)
    assert refused > 20


@pytest.mark.parametrize(
    "text",
    ["", "[]", "a", "stages: 5", "stages: [a]", "stages: {generate@mante: [1]}", "stages: {generate@mante: {outs: 3}}"],
)  # fmt: skip
def test_a_lock_of_another_form_is_one_sentence(root: Path, text: str) -> None:
    (root / "dvc.lock").write_text(text)
    with pytest.raises(lock.LockError, match=r"run (make repro|dvc repro generate@mante first)$"):
        collect(root)


def test_a_hash_is_dvcs(tmp_path: Path) -> None:
    """Of a folder, that of its listing; taken from what DVC 3.67 wrote."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "x.txt").write_text("x\n")
    (tmp_path / "a" / "b" / "é.txt").write_text("y\n")
    assert checks.hash_of(tmp_path / "a" / "x.txt", tmp_path) == "401b30e3b8b5d629635a5c613cdb7919"
    assert checks.hash_of(tmp_path / "a", tmp_path) == "dce56e4c4731d3ff4ebd9130240dacc9.dir"


@pytest.mark.parametrize(
    ("key", "value"),
    [("seed.a", 1), ("seed.a.b", 1), ("network.tau", "long"), ("network.more", 1)],
)
def test_settings_of_other_code_are_one_sentence(root: Path, key: str, value: Any) -> None:
    def change(entries: dict[str, Any]) -> None:
        entries[f"train@{TASK}"]["params"]["params.yaml"][key] = value

    edit_lock(root, change)
    sentence = rf"^dvc\.lock is of other code: .*; run dvc repro publish@{TASK}$"
    with pytest.raises(lock.LockError, match=sentence):
        collect(root)


def test_a_run_is_gathered_whole(root: Path) -> None:
    what = collect(root)
    assert list(yaml.safe_load(what.texts["params.yaml"]))[:2] == ["seed", "tasks"]
    assert (len(what.key), len(what.figures_digest)) == (32, 32)
    assert what.start is None  # there is no event log
    train, validation, test = what.tables
    assert [table.split for table in what.tables] == ["train", "validation", "test"]
    assert (test.name, test.rows, test.source) == (
        f"{TASK} trials", 2, f"artifacts/generate/{TASK}/test.csv",
    )  # fmt: skip
    assert len({train.digest, validation.digest, test.digest}) == 3
    assert len(test.digest) == 32
    assert test.columns == (
        ("trial", "long"), ("motion", "double"), ("condition", "string"), ("split", "string"),
    )  # fmt: skip
    final = {point.name: point.value for point in what.final}
    assert final["iterations/mean"] == 2.5
    assert (final["iterations/network_0"], final["iterations/network_1"]) == (2, 3)
    assert what.tags["p_inh"] == "0.2"


def test_a_run_is_named_by_what_is_mostly_compared(root: Path) -> None:
    made = params.read(root / "params.yaml")
    assert payload.run_name(TASK, made) == "mante p_inh=0.2 tau=20"
    edit(root, "network.tau_inh", 10)
    assert (
        payload.run_name(TASK, params.read(root / "params.yaml"))
        == "mante p_inh=0.2 tau=20 tau_inh=10"
    )


def test_nested_settings_go_by_dotted_keys_with_values_as_in_json() -> None:
    assert payload.as_texts({"a": {"b": [1, "x"], "c": {"d": None}}, "e": "text", "f": True}) == {
        "a.b": '[1, "x"]', "a.c.d": "null", "e": "text", "f": "true",
    }  # fmt: skip
