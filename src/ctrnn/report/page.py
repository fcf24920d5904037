"""reports/index.html: one page with figures inside it, that opens anywhere without a network."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tqdm import tqdm

from ctrnn.core import artifacts
from ctrnn.core.config import flatten
from ctrnn.figures import figures
from ctrnn.kernel import usable_cores
from ctrnn.params import Params
from ctrnn.report.sections import section

TEMPLATE = Path(__file__).with_name("page.html.j2")


def build(params: Params, root: str | Path = ".") -> None:
    """Draw the figures of every task of params.yaml and write the page, from the stages' files alone."""
    root = Path(root)
    names = list(params.tasks)
    with ExitStack() as stack:
        each: Callable[..., Iterator[dict[str, Any]]] = map
        workers = min(usable_cores(), len(names))  # Matplotlib draws on one core
        if params.report.figures and workers > 1:
            # A process is started anew, since a fork would take the locks of threads along.
            pool = ProcessPoolExecutor(workers, get_context("spawn"), _make_ready)
            each = stack.enter_context(pool).map
        coming = each(section, names, repeat(params), repeat(root))
        sections = list(tqdm(coming, desc="report", unit="task", total=len(names)))
    shared = params.only("seed", "network", "train", "evaluate", "analyze").decisive()
    page = render(TEMPLATE, tasks=sections, settings=flatten(shared))
    artifacts.replace(root / "reports" / "index.html", page + "\n")


def _make_ready() -> None:
    """Import what draws, which only these processes need, and search no garbage in it: a tenth of the time."""
    gc.disable()
    figures()
    gc.freeze()
    gc.enable()


def render(template: Path, **values: Any) -> str:
    """A page from a Jinja template, which may include those of this folder. Raises UndefinedError at unknown names."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, TEMPLATE.parent]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(template.name).render(**values)
