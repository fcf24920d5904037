"""Pages of the documentation that are made from the code: a hook of mkdocs, which mkdocs.yml names.

`settings_page` lists every setting with its shipped value, what is allowed and its comment in params.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from ctrnn import params
from ctrnn.errors import allowed
from ctrnn.params import Params
from ctrnn.tasks.settings import TaskSettings

ROOT = Path(__file__).parents[1]


def settings_page(path: Path = ROOT / "params.yaml") -> str:
    """The page of settings as Markdown: a table per section, a row per setting of the shipped file."""
    text = path.read_text(encoding="utf-8")
    params.parse(text, path)
    lines = [
        "# Settings",
        "",
        "Every setting of `params.yaml`. Times are in time steps of `network.dt` where nothing else is said.",
    ]
    section = None
    for key, value, comment in _leaves(YAML().load(text), text.splitlines()):
        if key.rpartition(".")[0] != section:
            section = key.rpartition(".")[0]
            lines += ["", f"## {f'`{section}`' if section else 'Top level'}", ""]
            lines += ["| setting | shipped | allowed | meaning |", "|---|---|---|---|"]
        cells = (f"`{key}`", f"`{_as_yaml(value)}`", _allowed(key), comment)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _leaves(section: Any, lines: list[str], above: str = "") -> Iterator[tuple[str, Any, str]]:
    """Dotted key, value and comment of every setting; a comment goes on where the next lines hold nothing else."""
    for name, value in section.items():
        key = f"{above}{name}"
        row = section.lc.key(name)[0]
        if isinstance(value, CommentedMap) and value and not value.fa.flow_style():
            yield from _leaves(value, lines, f"{key}.")
            continue
        comments = [lines[row].partition(" #")[2].strip()]
        for line in lines[row + 1 :]:
            if not line.strip().startswith("#"):
                break
            comments.append(line.strip().lstrip("# "))
        yield key, value, " ".join(comments).strip()


def _allowed(key: str) -> str:
    first, *rest = key.split(".")
    if first == "tasks":
        return allowed(TaskSettings.registry[rest[0]], rest[1:])
    return allowed(Params, [first, *rest])


def _as_yaml(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(list(value) if isinstance(value, list) else value)


def on_files(files: Any, config: Any) -> Any:
    """Add the page of settings to the site. Called by mkdocs."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "reference/settings.md", content=settings_page()))
    return files
