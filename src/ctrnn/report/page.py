"""reports/index.html: one page with figures inside it, that opens anywhere without a network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tqdm import tqdm

from ctrnn.params import Params
from ctrnn.report.drawings import Results, draw, read
from ctrnn.report.words import headline

TEMPLATE = "page.html.j2"


def build(params: Params, root: str | Path = ".") -> None:
    """Draw the figures of every task of params.yaml and write the page, from the files of the stages alone."""
    root = Path(root)
    sections = []
    for name in tqdm(params.tasks, desc="report", unit="task"):
        results = read(name, root)
        sections.append(_section(results, params, root))
    shared = params.model_dump(include={"seed", "network", "train"})
    shared["train"].pop("threads")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    page = environment.get_template(TEMPLATE).render(tasks=sections, settings=flat(shared))
    (root / "reports" / "index.html").write_text(page + "\n", encoding="utf-8")


def _section(results: Results, params: Params, root: Path) -> dict[str, Any]:
    evaluation = results.evaluation
    networks = [
        {**run, "accuracy": accuracy}
        for run, accuracy in zip(
            results.summary, evaluation["accuracy"]["per_network"], strict=True
        )
    ]
    return {
        "name": results.name,
        "headline": headline(results.summary, evaluation, params.train.accuracy_criterion),
        "evaluation": evaluation,
        "networks": networks,
        "settings": flat(params.tasks[results.name].model_dump()),
        "figures": [
            {
                "title": drawing.title,
                "shows": drawing.shows,
                "source": drawing.source,
                "data": base64.b64encode(drawing.path.read_bytes()).decode(),
            }
            for drawing in draw(results, params, root)
        ],
    }


def flat(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted key."""
    rows: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, Mapping):
            rows.update(flat(value, f"{prefix}{key}."))
        else:
            rows[f"{prefix}{key}"] = value
    return rows
