"""reports/index.html: one page with figures inside it, that opens anywhere without a network."""

from __future__ import annotations

import base64
import gc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tqdm import tqdm

from ctrnn.core import artifacts
from ctrnn.kernel import usable_cores
from ctrnn.params import Params
from ctrnn.report.results import Results, read
from ctrnn.report.words import headline, shortfall

if TYPE_CHECKING:
    from ctrnn.report.drawings import Drawing
else:
    Drawing = Any

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
        coming = each(_section, names, repeat(params), repeat(root))
        sections = list(tqdm(coming, desc="report", unit="task", total=len(names)))
    shared = params.only("seed", "network", "train", "evaluate", "analyze").decisive()
    page = render(TEMPLATE, tasks=sections, settings=flat(shared))
    artifacts.replace(root / "reports" / "index.html", page + "\n")


def _make_ready() -> None:
    """Import what draws, which only these processes need, and search no garbage in it: a tenth of the time."""
    gc.disable()
    import ctrnn.report.drawings  # noqa: F401

    gc.freeze()
    gc.enable()


def _section(name: str, params: Params, root: Path) -> dict[str, Any]:
    results = read(name, params, root)
    return {
        "name": name,
        "headline": headline(results),
        "shortfall": shortfall(results),
        "left_out": results.left_out,
        "evaluation": results.evaluation,
        "networks": results.networks,
        "mechanism": mechanism(results.analysis),
        "selects": "selection_ratio" in results.analysis,
        "settings": flat(params.tasks[name].model_dump()),
        "figures": [
            {
                "title": drawing.title,
                "shows": drawing.shows,
                "source": drawing.source,
                "data": base64.b64encode(drawing.png).decode(),
            }
            for drawing in _drawn(results, root)
        ],
    }


def _drawn(results: Results, root: Path) -> list[Drawing]:
    """The task's figures; where `report.figures` is false, a note in their folder, and what draws is not imported."""
    if results.params.report.figures:
        from ctrnn.report.drawings import draw

        return draw(results, root)
    note = artifacts.figures_folder(results.name, root) / artifacts.NO_FIGURES
    artifacts.replace(note, "report.figures is false in params.yaml\n")
    return []


def mechanism(analysis: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row per constant input and network: its fixed points, and the point at which it was linearised."""
    ratios = analysis.get("selection_ratio", {})
    return [
        {
            "input": name.replace("_", " "),
            "network": i,
            **{kind: report[kind][i] for kind in ("stable", "saddle", "slow", "verdict")},
            **{key: report[key][i] for key in ("linearised_at", "rate", "time_constant")},
            "selection_ratio": ratios[name][i] if name in ratios else None,
        }
        for name, report in analysis["fixed_points"].items()
        for i in range(len(report["stable"]))
    ]


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


def flat(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key."""
    rows: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            rows.update(flat(value, f"{prefix}{key}."))
        else:
            rows[f"{prefix}{key}"] = value
    return rows
