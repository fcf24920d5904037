"""What dvc.lock says of a task's results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ctrnn import lock

STAGES = {
    f"{stage}@{task}": {
        "cmd": stage,
        "outs": [{"path": f"artifacts/{stage}/{task}", "hash": "md5", "md5": f"{stage}-{task}"}],
    }
    for stage in ("analyze", "evaluate", "train", "generate", "report")
    for task in ("xor", "mante")
}
FIGURES = [{"path": "reports/figures/xor", "nfiles": 3}, {"path": "params.yaml"}]


def write(root: Path, stages: dict[str, Any]) -> Path:
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    return root


def test_a_chain_is_the_stages_that_lead_to_the_results_of_a_task(tmp_path: Path) -> None:
    chain = lock.chain("xor", write(tmp_path, STAGES))
    assert list(chain) == ["generate@xor", "train@xor", "evaluate@xor", "analyze@xor"]
    assert chain == lock.chain_of(STAGES, "xor")
    assert chain["train@xor"] == STAGES["train@xor"]


def test_a_chain_that_is_not_whole_names_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(lock.LockError, match=r"dvc\.lock does not exist; run dvc repro first"):
        lock.chain("xor", tmp_path)
    part = {name: entry for name, entry in STAGES.items() if name != "train@xor"}
    for stages in (part, {}):
        with pytest.raises(lock.LockError, match=r"has no entry .*@xor; run dvc repro .*@xor"):
            lock.chain("xor", write(tmp_path, stages))
    (tmp_path / "dvc.lock").write_text("")
    with pytest.raises(lock.LockError, match="has no entry"):
        lock.chain("xor", tmp_path)


def test_figures_are_counted_in_the_tasks_folder_only(tmp_path: Path) -> None:
    write(tmp_path, {"publish@xor": {"deps": FIGURES}})
    assert lock.n_figures("xor", tmp_path) == 3


def test_a_key_is_that_of_the_content_whatever_its_order() -> None:
    entries = lock.chain_of(STAGES, "xor")
    key = lock.content_key(entries)
    assert len(key) == 32
    assert key == lock.content_key(dict(reversed(entries.items())))
    assert key != lock.content_key(lock.chain_of(STAGES, "mante"))


def test_every_out_has_the_hash_of_its_kind() -> None:
    entries: dict[str, Any] = {
        "a": {"outs": [{"path": "x", "hash": "etag", "etag": 5}]},
        "b": {"cmd": "b"},
    }
    assert lock.out_hashes(entries) == {"x": "5"}
    assert lock.out_hashes({"a": {"outs": [{"path": "x", "md5": "6"}]}}) == {"x": "6"}


def test_entries_are_a_lock_of_their_own(tmp_path: Path) -> None:
    entries = lock.chain_of(STAGES, "xor")
    (tmp_path / "dvc.lock").write_text(lock.as_text(entries))
    assert lock.chain("xor", tmp_path) == entries
    assert list(yaml.safe_load(lock.as_text(entries))["stages"]) == list(entries)


def test_numbers_are_read_as_dvc_writes_them() -> None:
    values = {
        "a": ["1e-08", "-2.5E+3", "+1.e1"],
        "b": {"c": "1e", "d": "e5", "e": "0.1", "f": 1, "g": True},
    }
    assert lock.numbers(values) == {
        "a": [1e-8, -2500.0, 10.0], "b": {"c": "1e", "d": "e5", "e": "0.1", "f": 1, "g": True},
    }  # fmt: skip


def test_settings_are_those_of_all_stages_where_they_agree() -> None:
    def entry(**values: Any) -> dict[str, Any]:
        return {"params": {"params.yaml": values}}

    entries = {"generate@xor": entry(seed=1), "train@xor": entry(seed=1, rate="1e-3"), "x": {}}
    assert lock.settings(entries) == {"seed": 1, "rate": 1e-3}
    entries["evaluate@xor"] = entry(rate=1e-3, seed=2)
    told = (
        r"different settings: train@xor used seed = 1, evaluate@xor 2; run dvc repro publish@xor$"
    )
    with pytest.raises(lock.LockError, match=told):
        lock.settings(entries)


def test_what_makes_an_entry_anew_is_the_stage_or_all_of_its_task() -> None:
    assert lock.remedy("report") == "run dvc repro report"
    assert lock.remedy("train@xor") == "run dvc repro publish@xor"


@pytest.mark.parametrize(
    "stages",
    [5, {"train@xor": 5}, {"train@xor": {"outs": 3}}, {"train@xor": {"deps": [{"path": 3}]}},
     {"train@xor": {"outs": [{"hash": "md5"}]}}, {"train@xor": {"params": {"params.yaml": 3}}}],
)  # fmt: skip
def test_a_lock_of_another_form_is_told_as_damaged(tmp_path: Path, stages: Any) -> None:
    write(tmp_path, stages if not isinstance(stages, dict) else {**STAGES, **stages})
    with pytest.raises(lock.LockError, match=r"dvc\.lock is damaged; take it from git"):
        lock.chain("xor", tmp_path)


@pytest.mark.parametrize(
    "make", [Path.mkdir, lambda path: path.write_text("a: ["), lambda path: path.write_text("[a]")]
)
def test_what_is_no_lock_is_told_as_damaged(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "dvc.lock")
    with pytest.raises(lock.LockError, match=r"dvc\.lock is damaged; take it from git"):
        lock.report(tmp_path)


def test_the_report_is_an_entry_without_a_task(tmp_path: Path) -> None:
    assert lock.report(write(tmp_path, {"report": {"cmd": "a"}})) == {"report": {"cmd": "a"}}
