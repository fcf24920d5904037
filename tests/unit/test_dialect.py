"""params.yaml is read as DVC reads it, and what reads otherwise than it looks is refused with what to write."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.serialize import parse_yaml
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ctrnn.errors import ParamsError
from ctrnn.params import dialect

pytestmark = pytest.mark.filterwarnings("ignore")  # of DVC's own imports

AS_IT_LOOKS = {
    "100": 100,
    "-3": -3,
    "+1": 1,
    "0": 0,
    "0x1F": 31,
    "0o17": 15,
    "1e-05": 1e-5,  # as DVC writes it
    "2.5e3": 2500.0,
    ".5": 0.5,
    "1.": 1.0,
    "-.inf": -math.inf,
    "true": True,
    "False": False,
    "null": None,
    "~": None,
    "": None,
    "yes": "yes",  # true in YAML 1.1
    "off": "off",
    "1:40": "1:40",  # 100 in YAML 1.1
    "190:20:30": "190:20:30",
    "1,000": "1,000",
    "tRUE": "tRUE",
    "'017'": "017",
    '"2001-01-01"': "2001-01-01",
    "[1, 2.0, x]": [1, 2.0, "x"],
    "{b: 1}": {"b": 1},
}
REFUSED = {  # what to write instead
    "0b11": "write 3",
    "1_000": "write 1000",
    "1_0.5": "write 10.5",
    "+0x1F": "write 31",
    "017": "write 17",
    "08": "write 8",
    "-_": "write it in quotes",
    "2001-01-01": "is a date to DVC; write it in quotes",
    "2001-01-01T10:00:00": "is a date to DVC; write it in quotes",
    "=": "write it in quotes",
    "<<": "write it in quotes",
    "9" * 500: "is a number of 500 digits; give one of at most 60",
    "&x 3": "has an anchor (&x); take it out",
    "*x": "refers to an anchor (*x); write the value out",
    '!!int "3"': "has a tag (tag:yaml.org,2002:int); take it out",
    "!!python/name:os.system ''": "has a tag",
    "! 3": "has a tag",
    "{b: 1, b: 2}": "a.b is given twice, in lines 1 and 1; keep one of them",
    "{<<: {b: 1}}": "merges another section (<<); write its settings out",
    "{1: 2}": "has the key '1'; give a name",
    "{null: 2}": "has the key 'null'; give a name",
    "{[1]: 2}": "has a section or a list for a key; give a name",
    "[" * 25 + "]" * 25: "is more than 20 levels deep",
    "[" * 100_000: "is more than 20 levels deep",
}


@pytest.mark.parametrize("written", AS_IT_LOOKS)
def test_what_is_accepted_is_what_dvc_reads(written: str) -> None:
    text = f"a: {written}\n"
    read = dialect.parse(text, "params.yaml")
    assert read == parse_yaml(text, "params.yaml") == {"a": AS_IT_LOOKS[written]}
    assert type(read["a"]) is type(AS_IT_LOOKS[written])


@pytest.mark.parametrize("written", REFUSED, ids=lambda text: text[:20])
def test_what_reads_otherwise_than_it_looks_is_refused(written: str) -> None:
    assert REFUSED[written] in refusal(f"a: {written}\n")


def refusal(text: str) -> str:
    with pytest.raises(ParamsError) as caught:
        dialect.parse(text, "params.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_refusal_names_key_line_and_remedy() -> None:
    assert refusal("network:\n  tau: 0b11\n") == (
        "network.tau (line 2 of params.yaml) = 0b11 is 3 to DVC and not to every reader of YAML; write 3"
    )
    assert refusal("network:\n  tau: 20\n  dt: 1\n  tau: 50\n") == (
        "network.tau is given twice, in lines 2 and 4; keep one of them"
    )
    assert refusal("a:\n  - {}\n  - b: [1, 0b1]\n").startswith("a.1.b.1 (line 3 of params.yaml)")
    assert refusal("a: [1, 2\nb: 3\n") == (
        "params.yaml is not YAML: did not find expected ',' or ']' in line 2; correct it there"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("%YAML 1.1\n---\na: yes\n", "has a directive (%); take it out"),
        ("a: 1\n---\nb: 2\n", "line 2 of params.yaml begins a second document"),
        ("a: \x01\n", "is not YAML: unacceptable character #x0001"),
        ("a: |\n" + "  word\n" * 200_000, "give settings of at most 262144"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_settings_is_refused(text: str, said: str) -> None:
    assert said in refusal(text)


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_loop(path: Path) -> None:
    path.symlink_to(path)


def latin_1(path: Path) -> None:
    path.write_bytes(b"seed: 1\npublish: {experiment: caf\xe9}\n")


def nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (a_folder, "is not a file"),
        (a_pipe, "is not a file"),
        (a_loop, "cannot be read"),
        (latin_1, "is not UTF-8 in line 2 (byte 0xe9); save it as UTF-8"),
        (nothing, "does not exist; run from the folder that holds it"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(make: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    make(path)
    with pytest.raises(ParamsError) as caught:
        dialect.read(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_text_a_number_and_a_nesting_may_be_as_long_as_the_refusal_says() -> None:
    def text(characters: int) -> str:
        return "a: 1 #".ljust(characters, "x")

    assert dialect.parse(text(2**18), "params.yaml") == {"a": 1}
    assert "has 262145 characters; give settings of at most 262144" in refusal(text(2**18 + 1))
    assert dialect.parse(f"a: {'9' * 60}", "params.yaml") == {"a": int("9" * 60)}
    assert "is a number of 61 digits; give one of at most 60" in refusal(f"a: {'9' * 61}")
    assert dialect.parse("a: " + "[" * 19 + "]" * 19, "params.yaml")  # with the section, 20 levels
    assert "is more than 20 levels deep" in refusal("a: " + "[" * 20 + "]" * 20)


NOT_TO_ALL = "to DVC and not to every reader of YAML"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("&x\na: 1\n", "line 1 of params.yaml has an anchor (&x); take it out"),
        ("a: 1\n1: 2\n", "line 2 of params.yaml has the key '1'; give a name"),
        ("a: [x, {b: [1, 0b1]}]", f"a.1.b.1 (line 1 of params.yaml) = 0b1 is 1 {NOT_TO_ALL}; write 1"),
        ("a: [[1], [2, [], 08]]", f"a.1.2 (line 1 of params.yaml) = 08 is 8 {NOT_TO_ALL}; write 8"),
        ("a: {b: 1, c: {b: 1}, c: 2}", "a.c is given twice, in lines 1 and 1; keep one of them"),
        ("a:\n  '08': 1\n  c: 017\n", f"a.c (line 3 of params.yaml) = 017 is 17 {NOT_TO_ALL}; write 17"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(text: str, said: str) -> None:
    assert refusal(text) == said


def test_what_the_parser_says_without_a_place_is_told_on_one_line() -> None:
    assert dialect._problem(YAMLError("a\n  b" + "c" * 300)) == "a b" + "c" * 197
    assert dialect._problem(MarkedYAMLError(problem="odd")) == "odd"
    assert refusal("a: \x01\n").endswith("correct it there")


def test_a_byte_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(b"\xe9: 1\n")
    with pytest.raises(ParamsError, match=r"is not UTF-8 in line 1 \(byte 0xe9\)"):
        dialect.read(path)
    with pytest.raises(ParamsError, match="cannot be read"):
        dialect.read("a\0b")
