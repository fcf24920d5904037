"""How long something waits, whatever else the machine has to do."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

# Seconds until a test gives up what should come soon, on a machine that has much else to do.
PATIENCE = 300


def waited() -> float:
    """Seconds that this thread was neither computing nor held up by a busy machine, from an unknown start.

    Where the system is not Linux, all seconds count.
    """
    now = time.monotonic()
    try:
        ran, queued, _ = map(int, Path("/proc/thread-self/schedstat").read_text().split())
    except FileNotFoundError:
        return now
    return now - (ran + queued) / 1e9


def states(process: int) -> set[str]:
    """What the threads of a process do, as Linux writes it: R runs, S sleeps, T is stopped, Z has ended."""
    letters = set()
    for thread in Path(f"/proc/{process}/task").glob("*/stat"):
        with suppress(OSError):  # it has ended
            letters.add(thread.read_text().rpartition(")")[2].split()[0])
    return letters


class Sleep(Thread):
    """Counts the seconds that all threads of another process sleep at once, from `start` to its end.

    It waits then, and not for a processor, the disk or a thread of its own. Where the system is not Linux, none count.
    """

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.seconds = 0.0
        self._process = process

    def run(self) -> None:
        slept, last = False, time.monotonic()
        while (now_in := states(self._process)) - {"Z"}:
            sleeps, now = now_in == {"S"}, time.monotonic()
            if sleeps and slept:  # once only may be by chance, in a look that comes late
                self.seconds += now - last
            slept, last = sleeps, now
            time.sleep(0.02)
