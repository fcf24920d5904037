"""How a sweep stands, while it runs."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from ctrnn.sweep.plan import Plan, duration


class Progress:
    """A table that stays in its place on a terminal; elsewhere a line for every point that ends."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._began = time.monotonic()
        self._running = 0
        self.done: list[dict[str, Any]] = []
        self.failed: list[dict[str, Any]] = [
            {"name": point.name, "failure": point.complaint} for point in plan.refused
        ]
        self._console = Console(file=sys.stderr)
        self._live = Live(
            self._table(), console=self._console, refresh_per_second=2, transient=True
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._live.update(self._table())
            self._live.stop()
        self._console.print(self._table())

    def update(self, running: int, ended: list[dict[str, Any]]) -> None:
        """Enter the points that have ended."""
        self._running = running
        for one in ended:
            (self.failed if one["failure"] else self.done).append(one)
            how = f"failed: {one['failure']}" if one["failure"] else "done"
            took = f"{duration(one['seconds'])}, {len(self.done) + len(self.failed)} of {self._total} ended"
            self._console.print(f"{one['name']}: {how} ({took})", highlight=False, soft_wrap=True)
        if self._console.is_terminal:
            self._live.update(self._table())

    @property
    def _total(self) -> int:
        return len(self._plan.todo) + len(self._plan.refused)

    def _table(self) -> Group | Table:
        table = Table(box=None, pad_edge=False)
        ended = len(self.done)
        left = self._total - ended - len(self.failed)
        cells = {
            "done": str(ended),
            "running": str(self._running if left else 0),
            "failed": str(len(self.failed)),
            "cached": str(len(self._plan.cached)),
            "left": str(left),
            "time left": self._time_left(left),
        }
        for name in cells:
            table.add_column(name, justify="right", min_width=8)
        table.add_row(*cells.values())
        return table

    def _time_left(self, left: int) -> str:
        if not left:
            return "0 s"
        if self.done:
            return duration(left * (time.monotonic() - self._began) / len(self.done))
        if self._plan.seconds is not None:
            return duration(self._plan.seconds * -(-left // self._plan.at_once))
        return "–"
