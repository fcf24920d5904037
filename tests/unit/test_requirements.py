"""requirements.lock and requirements-torch.lock hold every package of pyproject.toml by hash, and name no index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
ENTRY = re.compile(r"\S+==\S+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+")


def entries(name: str) -> list[str]:
    """The entries of a lock without their comments, each with its hashes."""
    kept = re.sub(r"^ *#.*\n|^\n", "", (ROOT / name).read_text(), flags=re.M)
    return re.split(r"\n(?! )", kept.strip())


REST, TORCH = entries("requirements.lock"), entries("requirements-torch.lock")


def requirements(locked: list[str]) -> dict[str, list[Requirement]]:
    """Package -> its entries, of which a lock has several where versions differ by Python."""
    by_name: dict[str, list[Requirement]] = {}
    for entry in locked:
        requirement = Requirement(entry.partition(" \\")[0])
        by_name.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return by_name


def test_every_entry_is_one_version_by_hash_and_names_no_index():
    assert not [entry for entry in REST + TORCH if not ENTRY.fullmatch(entry)]


def test_every_requirement_of_pyproject_is_locked_in_a_version_that_it_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    locked = requirements(REST + TORCH)
    for wanted in map(Requirement, project["dependencies"] + extras["dev"] + extras["docs"]):
        for entry in locked[canonicalize_name(wanted.name)]:
            (pin,) = entry.specifier
            assert wanted.specifier.contains(pin.version), f"{entry} is not {wanted}: make lock"


def test_a_build_of_torch_without_cuda_gets_no_part_of_cuda():
    names = requirements(REST).keys()
    assert not [name for name in names if re.match("torch$|nvidia-|cuda-|triton", name)]


def test_both_locks_agree_on_what_they_share():
    rest = dict(entry.split(" ", 1) for entry in REST)
    for entry in TORCH:
        pin, hashes = entry.split(" ", 1)
        if re.match("torch=|nvidia-|cuda-|triton=", pin):
            continue
        assert rest[pin] == hashes, pin


def test_cuda_parts_of_torch_are_for_linux_only():
    parts = [
        requirement
        for name, (requirement, *_) in requirements(TORCH).items()
        if re.match("nvidia-|cuda-|triton", name)
    ]
    assert parts
    for part in parts:
        assert part.marker is not None
        assert not part.marker.evaluate({"sys_platform": "darwin"}), part
        for machine in ("x86_64", "aarch64"):
            here = {"sys_platform": "linux", "platform_machine": machine}
            assert part.marker.evaluate(here | {"python_full_version": "3.11.0"}), part
