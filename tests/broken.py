"""Broken params.yaml without end, each by a seed: `python -m tests.broken --count 15000` tries them and counts.

Each is refused in one line, or accepted with the values that DVC reads from it, within seconds.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ctrnn import params, tasks  # noqa: F401  (imported late by params, which takes a second)
from ctrnn.core.rng import generator
from ctrnn.errors import ParamsError
from ctrnn.sweep.plan import dumped

FILE = Path(__file__).parents[1] / "params.yaml"
SECONDS, WAITED = 5.0, 60.0
# Tokens between spaces; a comma stands for a space as well.
NUMBERS = """0 1 -1 2 3 0.5 -0.0 1.0 1e-5 1.e5 .5 1e400 -1e400 1e308 1e-320 1e300 1e-300 2147483647 2147483648
4294967296 9223372036854775807 9223372036854775808 1180591620717411303424 -9223372036854775809 .inf
-.inf .nan 0x10 0o17 017 08 0b11 1_000 1_0.0 1:40 190:20:30 1,000 1e 1e+ +1 +-1 -_ 0x_ 0.1.2 1e99999
99999999999999999999999999999999999999999999999999
""".split()  # noqa: SIM905
WORDS = """yes no on off y n true false True TRUE null ~ Null = << - ? : & * ! % @ ` # | > x sigmoid relu torch
cuda trial '' "" ' " '017' "\\0" "a\\nb" "\\ud800" "\\U0001F600" "\\e[31m" é \u202eabc \u200b \ufeff
½ ١٢ 二 2001-01-01 2001-01-01T10:00:00Z !!int !!float,3 !!str,3 !!python/object/apply:os.system
!!binary,aGk= &a &a,3 *a [] {} [[]] [null] [1,2,3] [a,b] {a:,1} [1,[2]] {<<:,{}} {1:,2} [.nan] [0]
[-1] [1e400] ${seed} ${oc.env:HOME} $(id) ../../x
""".split()  # noqa: SIM905
KEYS = """'' ' ' a.b train.learning_rate network.p_inh 1 1.5 null true ~ yes <<, =, ? "a\\nb" "\\0" "\\ud800"
é \u202e x[0] ../../x -x #x &k *k !!str [a] {a:,1} tau p_ihn T seed tasks curriculum settings "a:,b"
2001-01-01 0b11 constructor __class__ model_config registry
""".split()  # noqa: SIM905
Make = Callable[[np.random.Generator, list[str]], list[str] | bytes]


def base(short: bool = True) -> list[str]:
    """Lines of a sound params.yaml: two tasks without comments, or the shipped file as it is."""
    text = FILE.read_text()
    if short:
        raw = yaml.safe_load(text)
        raw["tasks"] = {name: raw["tasks"][name] for name in ("go_nogo", "mante")}
        text = yaml.safe_dump(raw, sort_keys=False, default_flow_style=None, width=200)
    return text.splitlines()


def pick(random: np.random.Generator, some: list[str]) -> str:
    return some[int(random.integers(len(some)))].replace(",", ", ") if some else ""


def settings_in(lines: list[str]) -> list[int]:
    """Places of lines with a key and a value."""
    return [i for i, line in enumerate(lines) if ":" in line and not line.rstrip().endswith(":")]


def other_value(random: np.random.Generator, lines: list[str]) -> list[str]:
    i = int(random.choice(settings_in(lines)))
    key, _, _ = lines[i].partition(":")
    return [*lines[:i], f"{key}: {pick(random, NUMBERS + WORDS)}", *lines[i + 1 :]]


def other_number(random: np.random.Generator, lines: list[str]) -> list[str]:
    i = int(random.choice(settings_in(lines)))
    key, _, _ = lines[i].partition(":")
    return [*lines[:i], f"{key}: {pick(random, NUMBERS)}", *lines[i + 1 :]]


def other_key(random: np.random.Generator, lines: list[str]) -> list[str]:
    i = int(random.integers(len(lines)))
    indent = lines[i][: len(lines[i]) - len(lines[i].lstrip())]
    _, _, value = lines[i].partition(":")
    return [*lines[:i], f"{indent}{pick(random, KEYS)}:{value}", *lines[i + 1 :]]


def misspelled(random: np.random.Generator, lines: list[str]) -> list[str]:
    i = int(random.integers(len(lines)))
    at = int(random.integers(len(lines[i]) + 1))
    return [*lines[:i], lines[i][:at] + lines[i][at + 1 :], *lines[i + 1 :]]


def without(random: np.random.Generator, lines: list[str]) -> list[str]:
    i = int(random.integers(len(lines)))
    return lines[:i] + lines[i + int(random.integers(1, 6)) :]


def twice(random: np.random.Generator, lines: list[str]) -> list[str]:
    i = int(random.integers(len(lines)))
    n = int(random.integers(1, 20))
    j = int(random.integers(len(lines)))
    return lines[:j] + lines[i : i + n] + lines[j:]


def one_more(random: np.random.Generator, lines: list[str]) -> list[str]:
    i = int(random.integers(len(lines)))
    indent = " " * int(random.choice([0, 0, 2, 4]))
    return [
        *lines[:i],
        f"{indent}{pick(random, KEYS)}: {pick(random, NUMBERS + WORDS)}",
        *lines[i:],
    ]


def moved(random: np.random.Generator, lines: list[str]) -> list[str]:
    i, j = (int(random.integers(len(lines))) for _ in range(2))
    rest = lines[:i] + lines[i + 1 :]
    return [*rest[:j], lines[i], *rest[j:]]


def indented(random: np.random.Generator, lines: list[str]) -> list[str]:
    i = int(random.integers(len(lines)))
    indent = pick(random, [" ", "  ", "    ", "\t", "- ", "? ", "  - "])
    return [*lines[:i], indent + lines[i], *lines[i + 1 :]]


def cut(random: np.random.Generator, lines: list[str]) -> bytes:
    text = "\n".join(lines).encode()
    return text[: int(random.integers(len(text)))]


def noise(random: np.random.Generator, lines: list[str]) -> bytes:
    text = bytearray("\n".join(lines).encode())
    for _ in range(int(random.integers(1, 5))):
        at = int(random.integers(len(text)))
        text[at : at + int(random.integers(2))] = random.bytes(int(random.integers(1, 4)))
    return bytes(text)


def coded(random: np.random.Generator, lines: list[str]) -> bytes:
    text = "\n".join([*lines, "# é"])
    return text.encode(pick(random, ["utf-16", "utf-8-sig", "latin-1", "utf-32"]), "replace")


def nested(random: np.random.Generator, lines: list[str]) -> list[str]:
    n = int(random.choice([5, 19, 20, 21, 200, 3000, 100_000]))
    kind = int(random.integers(5))
    if kind == 4:
        deep = [" " * i + "a:" for i in range(min(n, 1000))]
        return [*lines, *deep]
    return other_line(random, lines, ["[" * n + "]" * n, "[" * n, "{a: " * n, "- " * n][kind])


def other_line(random: np.random.Generator, lines: list[str], value: str) -> list[str]:
    i = int(random.choice(settings_in(lines)))
    key, _, _ = lines[i].partition(":")
    return [*lines[:i], f"{key}: {value}", *lines[i + 1 :]]


def laughs(random: np.random.Generator, lines: list[str]) -> list[str]:
    more = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    return more + lines if random.random() < 0.5 else lines + more


def large(random: np.random.Generator, lines: list[str]) -> list[str]:
    kind = int(random.integers(6))
    step = "{settings: {stim_dur: 5}, until: 0.9}"
    value = [
        f"[{', '.join([step] * 10_000)}]",
        f"[{', '.join(['1'] * 100_000)}]",
        "9" * 100_000,
        f"{{{', '.join(f'k{i}: 1' for i in range(20_000))}}}",
        "x" * 900_000,
        f"'{'é' * 2_000_000}'",
    ][kind]
    if kind == 0:
        places = [i for i, line in enumerate(lines) if "curriculum:" in line] or settings_in(lines)
        i = int(random.choice(places))
        return [*lines[:i], f"{lines[i].partition(':')[0]}: {value}", *lines[i + 1 :]]
    return other_line(random, lines, value)


def curriculum(random: np.random.Generator, lines: list[str]) -> list[str]:
    key = pick(random, ["stim_dur", "T", "train_trials", "evidence", "curriculum", *KEYS])
    until = pick(random, ["0.9", "1.0", *NUMBERS])
    step = f"[{{settings: {{{key}: {pick(random, NUMBERS + WORDS)}}}, until: {until}}}]"
    places = [i for i, line in enumerate(lines) if "curriculum:" in line]
    if not places:
        return lines
    i = int(random.choice(places))
    return [*lines[:i], f"{lines[i].partition(':')[0]}: {step}", *lines[i + 1 :]]


def another_task(random: np.random.Generator, lines: list[str]) -> list[str]:
    return [
        f"  {pick(random, ['xor', 'dmts', *KEYS, *WORDS])}:" if line == "  go_nogo:" else line
        for line in lines
    ]


def something_else(random: np.random.Generator, lines: list[str]) -> list[str]:
    whole = pick(
        random, ["", "[]", "3", "- 1", "null", "---", "...", "--- 1\n---", "%YAML 1.1\n---"]
    )
    return [whole, *lines] if random.random() < 0.5 else [whole]


MUTATIONS: tuple[Make, ...] = (
    other_value, other_value, other_number, other_number, other_number, other_key, misspelled, misspelled, without,
    twice, one_more, moved, indented, cut, noise, coded, nested, laughs, large, curriculum, curriculum, another_task,
    something_else,
)  # fmt: skip
PLACES: tuple[Callable[[Path], None], ...] = (
    Path.mkdir,
    os.mkfifo,
    lambda path: path.symlink_to(path),
    lambda path: path.symlink_to("nowhere"),
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: None,
)


def write_broken(seed: int, path: Path, lines: list[str]) -> str:
    """Put a broken params.yaml, decided by the seed, at `path`; the names of what was done to the lines."""
    random = generator(seed, "broken params.yaml")
    if random.random() < 0.01:
        kind = int(random.integers(len(PLACES)))
        PLACES[kind](path)
        return f"place {kind}"
    content: list[str] | bytes = lines
    done = []
    for _ in range(int(random.choice([1, 1, 1, 2, 3]))):
        if isinstance(content, bytes) or not settings_in(content):
            break
        change = MUTATIONS[int(random.integers(len(MUTATIONS)))]
        done.append(change.__name__)
        content = change(random, content)
    path.write_bytes(
        content if isinstance(content, bytes) else "\n".join(content).encode("utf-8", "replace")
    )
    return " ".join(done)


@contextmanager
def time_limit() -> Iterator[None]:
    """Raises TimeoutError in what takes SECONDS of the processor, or WAITED in all, as on a busy machine."""

    def stop(number: int, frame: Any) -> None:
        raise TimeoutError

    limits = {signal.ITIMER_PROF: SECONDS, signal.ITIMER_REAL: WAITED}
    before = [signal.signal(number, stop) for number in (signal.SIGPROF, signal.SIGALRM)]
    for timer, seconds in limits.items():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer in limits:
            signal.setitimer(timer, 0)
        for number, handler in zip((signal.SIGPROF, signal.SIGALRM), before, strict=True):
            signal.signal(number, handler)


def outcome(path: Path) -> tuple[str, str]:
    """What becomes of a params.yaml: refused, accepted, changed, hung, or the traceback; with what was said."""
    from dvc.utils.serialize import load_yaml

    try:
        with time_limit():
            settings = params.read(path)
    except ParamsError as error:
        said = str(error)
        sound = said.isprintable() and len(said) < 1500 and ";" in said
        return ("refused" if sound else "unclear"), said
    except TimeoutError:
        return "hung", ""
    except Exception:
        return "traceback", traceback.format_exc()
    told = load_yaml(str(path))
    return ("accepted", "") if same(dumped(settings), told) else ("changed", str(told))


def same(one: Any, other: Any) -> bool:
    """Whether settings are equal, whole numbers as floats where they are read as such."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and type(other) is int:
        return one == float(other)
    return type(one) is type(other) and bool(one == other)


def main() -> None:
    """Try so many, and tell how many came to what; those that came to no good with their seeds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=15_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    given = parser.parse_args()
    bases = [base(), base(short=False)]
    found: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.first, given.first + given.count):
            path = Path(folder) / str(seed)
            done = write_broken(seed, path, bases[seed % 8 == 0])
            began = time.process_time()
            came_to, said = outcome(path)
            slowest = max(slowest, time.process_time() - began)
            found[came_to] += 1
            if came_to not in ("refused", "accepted"):
                print(f"seed {seed} ({done}): {came_to} {said}", flush=True)
            if path.is_symlink() or path.is_fifo() or path.is_file():
                path.unlink()
    counts = ", ".join(f"{n} {came_to}" for came_to, n in found.most_common())
    print(f"of {given.count}: {counts}; the slowest took {slowest:.1f} s of the processor")


if __name__ == "__main__":
    main()
