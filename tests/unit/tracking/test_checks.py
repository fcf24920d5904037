"""What lies on disk is compared with dvc.lock, file by file and value by value."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from ctrnn.lock import LockError
from ctrnn.tracking import checks


@pytest.mark.parametrize(
    ("kept", "told", "key"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "a.b = 1, and dvc.lock says 2"),
        ({"a": 0.2}, {"a": {"ee": 0.2}}, "a = 0.2, and dvc.lock says {'ee': 0.2}"),
        ({"a": {"ee": 0.2}}, {"a": 0.2}, "a = {'ee': 0.2}, and dvc.lock says 0.2"),
        ({"a": 1, "old": 2}, {"a": 1, "new": 3}, None),
        ({}, {"a": 1}, None),
    ],
)
def test_values_that_both_know_have_to_be_the_same(kept: Any, told: Any, key: str | None) -> None:
    where = Path("settings.json")
    if key is None:
        checks.made_with(where, kept, told, "analyze@xor")
        return
    with pytest.raises(LockError) as caught:
        checks.made_with(where, kept, told, "analyze@xor")
    assert str(caught.value).startswith(f"settings.json was made with {key}: params.yaml was")


def entry(name: str, root: Path) -> dict[str, Any]:
    return {name: {"deps": [{"path": "src/a.py", "md5": checks.hash_of(root / "src/a.py", root)}]}}


def test_code_that_is_gone_or_differs_is_not_that_of_the_results(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    code = tmp_path / "src/a.py"
    code.write_text("a = 1")
    entries = entry("train@xor", tmp_path)
    entries["train@xor"]["deps"].append({"path": "artifacts/gone.csv", "md5": "0"})  # no code
    assert checks.same_code(entries, tmp_path)
    code.write_text("a = 2")
    assert not checks.same_code(entries, tmp_path)
    code.unlink()
    assert not checks.same_code(entries, tmp_path)


def test_what_is_not_there_is_to_be_made_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "gone", tmp_path / "file" / "below"):
        with pytest.raises(
            LockError, match="does not exist; run dvc repro, or dvc checkout, first"
        ):
            checks.regular(path, tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(
        LockError, match=r"loop cannot be read \(.*\); remove it, then run dvc repro"
    ):
        checks.regular(tmp_path / "loop", tmp_path)
    checks.regular(tmp_path / "file", tmp_path)


def test_files_are_compared_where_the_outs_of_an_entry_begin_so(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    for name in ("reports/a.json", "reports/b.json"):
        (tmp_path / name).write_text("{}")
    digest = checks.hash_of(tmp_path / "reports/a.json", tmp_path)

    def outs(**digests: str) -> dict[str, Any]:
        files = [{"path": f"reports/{name}.json", "md5": one} for name, one in digests.items()]
        return {"evaluate@xor": {"outs": files}}

    checks.fit(outs(a=digest, b=digest), tmp_path)
    checks.fit(outs(a=digest, b="0"), tmp_path, outs=("reports/a",))
    with pytest.raises(
        LockError, match=r"b\.json is not what dvc\.lock says that evaluate@xor made"
    ):
        checks.fit(outs(a=digest, b="0"), tmp_path)
    using = {
        "analyze@xor": {
            "deps": [{"path": "reports/a.json", "md5": digest}, {"path": "src", "md5": "0"}]
        }
    }
    checks.fit(using, tmp_path)  # made by no entry: that on disk counts
    checks.fit(outs(a=digest) | using, tmp_path)
    using["analyze@xor"]["deps"][0]["md5"] = "1"
    with pytest.raises(LockError, match=r"analyze@xor was computed from another reports/a\.json"):
        checks.fit(using, tmp_path)


@pytest.mark.parametrize(
    ("says", "status", "cache"),
    [("/a/cache", 0, "/a/cache"), ("/a/cache", 1, ".dvc/cache"), ("", 0, ".dvc/cache")],
)
def test_dvcs_cache_is_where_dvc_says_and_else_in_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, status: int, cache: str
) -> None:
    """Here a program in the place of python says so."""
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert checks._cache(tmp_path) == tmp_path / cache
