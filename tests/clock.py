"""How long something waits, whatever else the machine has to do."""

from __future__ import annotations

import time
from pathlib import Path

# Seconds until a test gives up what should come soon, on a machine that has much else to do.
PATIENCE = 300

# Nanoseconds that a thread has run, and that it was ready to and no processor was free.
BUSY = "/proc/{}/schedstat"


def waited(process: int | str = "thread-self") -> float:
    """Seconds that a thread (this one, or the first of a process) was neither computing nor held up by a busy machine.

    Of an unknown start: take differences. Where the system is not Linux, all seconds count.
    """
    now = time.monotonic()
    try:
        ran, queued, _ = map(int, Path(BUSY.format(process)).read_text().split())
    except FileNotFoundError:
        return now
    return now - (ran + queued) / 1e9
