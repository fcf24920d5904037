"""Arrays -> matplotlib figures: one module a figure. Nothing here reads a file, and only `style.save` writes one.

A module defines TITLE, `draw(results) -> Figure | None` (None: there is nothing to show) and `caption(results) -> str`,
a text with the numbers of this run. It is drawn from the analysis of its name, or SOURCE names another file below
artifacts/. Its place on the page is by PLACE, or else after the others.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

from ctrnn.core.registry import modules_with


@cache
def figures() -> dict[str, ModuleType]:
    """Every figure by its name, which is that of its module, in the order of the report."""
    modules = modules_with(__name__, "draw")
    return dict(sorted(modules.items(), key=lambda item: getattr(item[1], "PLACE", len(modules))))


def source(name: str, task: str) -> str:
    """The file that a figure of a task is drawn from, below the root of the checkout."""
    path: str = getattr(figures()[name], "SOURCE", f"analyze/{{task}}/{name}.npz")
    return f"artifacts/{path.format(task=task)}"
