"""Pages of the documentation that are made from the code: a hook of mkdocs, which mkdocs.yml names.

`settings_page` lists every setting with its shipped value, what is allowed and its comment in params.yaml.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from ctrnn.errors import allowed, keys_of
from ctrnn.params import Params
from ctrnn.tasks.settings import TaskSettings

ROOT = Path(__file__).parents[1]
HEAD = ("| setting | shipped | allowed | meaning |", "|---|---|---|---|")


def settings_page() -> str:
    """The page of settings as Markdown: a row per setting of params.yaml and of experiments/tasks.yaml."""
    return "\n".join(
        [
            "# Settings",
            "",
            "Every setting of `params.yaml`. Times are in time steps of `network.dt` where nothing else is said.",
            "A setting that may be a section of its own is followed by the keys of this section.",
            *_tables(ROOT / "params.yaml"),
            "",
            "## More tasks",
            "",
            "`experiments/tasks.yaml` has these. Copy one to `tasks` in `params.yaml` to take it through every stage.",
            *_tables(ROOT / "experiments" / "tasks.yaml", "tasks."),
            "",
        ]
    )


def _tables(path: Path, above: str = "") -> Iterator[str]:
    """Lines of the tables of a file. above: what its keys begin with in params.yaml."""
    text = path.read_text(encoding="utf-8")
    section = None  # whose table the last row stands in
    for key, value, comment in _settings(YAML().load(text), text.splitlines(), above):
        if isinstance(value, CommentedMap):
            yield from ("", f"## `{key}`")
            if comment:
                yield from ("", f"{comment[0].upper()}{comment[1:]}.")
            continue
        if key.rpartition(".")[0] != section:
            section = key.rpartition(".")[0]
            yield from ("", *HEAD)
        yield _row(key, f"`{_as_yaml(value)}`", comment)
        for inner in keys_of(Params):
            if inner.startswith(f"{key}."):
                yield _row(inner, "", f"where `{key}` is a section")


def _row(key: str, shipped: str, comment: str) -> str:
    cells = (f"`{key}`", shipped, _allowed(key), comment)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _settings(section: Any, lines: list[str], above: str) -> Iterator[tuple[str, Any, str]]:
    """Dotted key, value and comment of every section and setting below one.

    A comment goes on where the next lines hold nothing else.
    """
    for name, value in section.items():
        key = f"{above}{name}"
        row = section.lc.key(name)[0]
        comments = [lines[row].partition(" #")[2].strip()]
        for line in lines[row + 1 :]:
            if not line.strip().startswith("#"):
                break
            comments.append(line.strip().lstrip("# "))
        of_section = isinstance(value, CommentedMap) and value and not value.fa.flow_style()
        yield key, value if of_section else _plain(value), " ".join(comments).strip()
        if of_section:
            yield from _settings(value, lines, f"{key}.")


def _plain(value: Any) -> Any:
    """A section in braces as the value that it is."""
    return dict(value) if isinstance(value, CommentedMap) else value


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
