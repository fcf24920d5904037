"""What is said when something is wrong: one sentence with key, value, what is allowed and the remedy."""

from __future__ import annotations

import argparse
import difflib
import errno
import gc
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ctypes import CDLL
from inspect import signature
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1  # of prctl(2): the signal that this process gets when its parent ends


LONG = 100  # characters of a value that a sentence shows


class Complaint(Exception):
    """Something the user can mend; its text is one sentence that says how."""


class ParamsError(Complaint, ValueError):
    """A setting is unknown, missing, of the wrong type or out of range."""


@contextmanager
def one_sentence(who: str) -> Iterator[None]:
    """Ends the program with one line instead of a traceback.

    It does so at a Complaint, at Ctrl-C, SIGTERM and SIGHUP, and where the disk is full.
    """
    try:
        with heard((signal.SIGTERM, signal.SIGHUP), interrupt):
            yield
            gc.freeze()  # at its exit Python looks for garbage in all that is left: half a second after torch or MLflow
    except Complaint as complaint:
        raise SystemExit(f"{who}: {complaint}") from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise SystemExit(f"{who}: {error}; make room, then the same command goes on") from None
    except KeyboardInterrupt as stop:
        how = " by ".join(["interrupted", *stop.args])
        raise SystemExit(f"{who}: {how}; the same command starts it again") from None


def interrupt(number: int, frame: Any = None) -> None:
    """As a handler of signals: end what runs as Ctrl-C does, and name the signal if it is another."""
    names = [] if number == signal.SIGINT else [signal.Signals(number).name]
    raise KeyboardInterrupt(*names)


@contextmanager
def heard(signals: Iterable[int], handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Handle these signals meanwhile, except those that this process ignores, as SIGHUP under nohup."""
    before = {number: signal.getsignal(number) for number in signals}
    mine = {number: one for number, one in before.items() if one not in (signal.SIG_IGN, None)}
    if threading.current_thread() is not threading.main_thread():
        mine = {}  # Python lets no other thread set a handler
    for number in mine:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, one in mine.items():
            signal.signal(number, one)


def run_stage(main: Callable[..., None]) -> None:
    """Run a stage's `main` as the command line of its script asks.

    A `main` that takes a task is given it: mante, or train@mante, as DVC names the stage. Ends with one line as
    `one_sentence` does. A stage that DVC runs ends with DVC.
    """
    stage = Path(sys.argv[0]).stem
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    if signature(main).parameters:
        parser.add_argument("task", help=f"a task of params.yaml: mante, or {stage}@mante")
    given = [one.rpartition("@")[2] for one in vars(parser.parse_args()).values()]
    if "DVC_STAGE" in os.environ and sys.platform == "linux":
        CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    told = [task if task.isidentifier() else ascii(task) for task in given]
    with one_sentence("@".join([stage, *told])):
        main(*given)


def nearest(key: str, known: Iterable[str]) -> str:
    """The remedy for an unknown key: "did you mean ...?", or the keys that there are.

    Keys of one section are compared without the section's name, which all have in common.
    """
    known, section = list(known), f"{key.rpartition('.')[0]}."
    same = all(one.startswith(section) for one in known)
    ends = {one.removeprefix(section) if same else one: one for one in known}
    wanted = key.removeprefix(section) if same else key
    close = difflib.get_close_matches(wanted[:LONG], ends, n=1, cutoff=0.5)
    return f"did you mean {ends[close[0]]}?" if close else f"there are {', '.join(known)}"


def shown(value: Any) -> str:
    """A value as it stands in a sentence: on one line, and cut where it is long."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, a list of itself
        text = f"a {type(value).__name__} too long to show"
    return text if len(text) <= LONG else f"{text[: LONG - 20]} ... ({len(text)} characters)"


def shown_key(part: Any) -> str:
    """A part of a dotted key as it stands in a sentence: as it is where it is a word, else in quotes."""
    return str(part) if re.fullmatch(r"[\w-]{1,60}", str(part)) else shown(part)
