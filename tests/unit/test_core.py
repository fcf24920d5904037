"""What every stage uses: reported numbers, random streams, sections of settings, files beside those of a stage."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
import safetensors.numpy
from pydantic import TypeAdapter, ValidationError

from ctrnn.core import artifacts, config, rng
from ctrnn.core.artifacts import ArtifactError, mean_sd, rounded
from ctrnn.core.config import Section, modules_with


def test_a_population_is_told_by_mean_spread_and_every_network() -> None:
    assert mean_sd([1.0, None, 3.0]) == {
        "mean": 2.0, "sd": math.sqrt(2), "per_network": [1.0, None, 3.0],
    }  # fmt: skip
    assert mean_sd([5.0]) == {"mean": 5.0, "sd": None, "per_network": [5.0]}
    assert mean_sd([None]) == {"mean": None, "sd": None, "per_network": [None]}


def test_a_reported_number_has_six_digits_and_is_null_where_it_is_not_finite() -> None:
    metrics = {
        "a": [1.23456789, 1234567.8, {"b": math.nan}],
        "c": [3, "x", True, None],
        "d": -math.inf,
    }
    assert rounded(metrics) == {
        "a": [1.23457, 1234570.0, {"b": None}], "c": [3, "x", True, None], "d": None,
    }  # fmt: skip
    assert rounded(1.23456789, 3) == 1.23


def test_a_stream_is_the_same_in_every_release() -> None:
    """All results follow from these."""
    assert rng.key(1, "train", "noise", 7) == 6655701648086121451
    assert rng.generator(1, "trials", "xor").integers(0, 2**63, size=2).tolist() == [
        525666334812888345,
        2928470887033537509,
    ]
    assert rng.network_seeds(1, 2) == [5007737005996433, 2514916594808545]
    assert max(rng.network_seeds(1, 1000)) < 2**53 < 2 * max(rng.network_seeds(1, 1000))


class Sample(Section):
    """A section as rooms have them."""

    changes_no_result: ClassVar[frozenset[str]] = frozenset({"threads"})
    renamed: ClassVar[dict[str, str]] = {"cores": "threads"}
    threads: int
    tau: float


def test_a_section_has_exactly_its_settings_of_exactly_their_kinds() -> None:
    sample = Sample(threads=1, tau=2.0)
    assert sample.decisive() == {"tau": 2.0}
    assert Sample.with_names_of_now({"cores": 1, "tau": 2}) == {"threads": 1, "tau": 2}
    with pytest.raises(ValidationError, match="frozen"):
        sample.tau = 3.0
    for wrong in (
        {"threads": 1, "tau": 2.0, "more": 3},
        {"threads": "1", "tau": 2.0},
        {"tau": 2.0},
    ):
        with pytest.raises(ValidationError):
            Sample.model_validate(wrong)


@pytest.mark.parametrize(
    ("kind", "smallest", "below", "largest", "above"),
    [
        (config.Share, 0.0, -1e-9, 1.0, 1 + 1e-9),
        (config.Positive, 1e-300, 0.0, 1e30, 1.1e30),
        (config.NotNegative, 0.0, -1e-9, 1e30, 1.1e30),
        (config.Duration, 1e-9, 0.9e-9, 1e9, 1e9 + 1),
        (config.Count, 1, 0, 2**31 - 1, 2**31),
        (config.Time, 0, -1, 2**31 - 1, 2**31),
        (config.Length, 1e-9, 0, 2**31 - 1, 2**31),
    ],
)
def test_a_kind_of_setting_goes_from_its_smallest_to_its_largest(
    kind: Any, smallest: float, below: float, largest: float, above: float
) -> None:
    check = TypeAdapter(Annotated[kind, "as a section has it"])
    for allowed in (smallest, largest):
        assert check.validate_python(allowed) == allowed
    for refused in (below, above):
        with pytest.raises(ValidationError):
            check.validate_python(refused)


def test_modules_are_found_by_their_function_in_alphabetical_order() -> None:
    assert list(modules_with("ctrnn.core", "mean_sd")) == ["artifacts"]
    assert list(modules_with("ctrnn.tasks", "TwoStimuli")) == sorted(
        modules_with("ctrnn.tasks", "TwoStimuli")
    )


def test_files_that_a_stage_reports_lie_below_reports(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    assert artifacts.metrics_path("analyze", "xor", tmp_path) == reports / "analyze" / "xor.json"
    assert artifacts.curve_path("xor", tmp_path) == reports / "train" / "xor.csv"
    assert artifacts.figures_folder("xor", tmp_path) == reports / "figures" / "xor"
    assert sorted(path.name for path in reports.iterdir()) == ["analyze", "figures", "train"]
    assert artifacts.folder("train", "xor", tmp_path) == artifacts.folder("train", "xor", tmp_path)


def test_a_damaged_file_elsewhere_is_to_be_copied_anew(tmp_path: Path) -> None:
    with pytest.raises(
        ArtifactError, match="does not exist; take a copy of it that is whole"
    ) as caught:
        artifacts.read_json(tmp_path / "a.json")
    assert caught.value.fault == "does not exist"


def test_json_is_indented_and_ends_with_its_line(tmp_path: Path) -> None:
    artifacts.write_json(tmp_path / "a.json", {"a": [1]})
    assert (tmp_path / "a.json").read_text() == '{\n  "a": [\n    1\n  ]\n}\n'


def test_settings_in_a_weights_file_are_covered_by_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    arrays = {"b": np.zeros(2, np.float32), "a": np.arange(4.0).reshape(2, 2).T}

    def write(settings: dict[str, Any]) -> None:
        path.write_bytes(
            safetensors.numpy.save({"a": np.ones(1)}, {"settings": json.dumps(settings)})
        )

    artifacts.write_weights(path, arrays, {"kind": "trained", "seed": 1})
    back, settings = artifacts.read_weights(path)
    assert settings == {"kind": "trained", "seed": 1}
    np.testing.assert_array_equal(back["a"], arrays["a"])
    first = path.read_bytes()
    artifacts.write_weights(path, dict(reversed(arrays.items())), {"seed": 1, "kind": "trained"})
    assert path.read_bytes() == first  # whatever the order
    assert b"6f78fc33a6e34c678cf7767b44ddacfbcdb4e8df07c8b57335ae0458d24c8c2f" in first
    write({"seed": 1})  # of before there were digests
    assert artifacts.read_weights(path)[1] == {"seed": 1}
    for odd in ({"seed": 1, "kind": "trained"}, {"seed": 1, "digest": "0"}):
        write(odd)
        with pytest.raises(ArtifactError, match="the digest in it is not that of its arrays"):
            artifacts.read_weights(path)


def test_digests_are_of_files_and_not_of_folders_beside_them(tmp_path: Path) -> None:
    folder = artifacts.folder("train", "xor", tmp_path)
    (folder / "inner").mkdir()
    (folder / "a.csv").write_text("a\n")
    for _ in range(2):
        artifacts.write_sums(folder)
        (line,) = (folder / artifacts.SUMS).read_text().splitlines()
        assert line.endswith("  artifacts/train/xor/a.csv")
