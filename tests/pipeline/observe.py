"""Notes which files of the checkout a stage reads. As sitecustomize.py on its path, Python runs it before the stage.

CTRNN_READS names the folder that gets a list per process, `<stage>@<task> <its id>.json`; without it nothing is noted.
"""

from __future__ import annotations

import json
import os
import sys
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any


def observe(notes: Path) -> None:
    """Note every file that is opened for reading, and write the list at exit."""
    import safetensors

    root = Path.cwd()
    opened: set[str] = set()

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str):
            path, _, flags = arguments
            if not flags & (os.O_WRONLY | os.O_RDWR) and not path.endswith(".pyc"):
                opened.add(path)

    opens = safetensors.safe_open

    def safe_open(path: str | Path, *args: Any, **more: Any) -> Any:
        opened.add(str(path))  # opened in Rust, where Python hears nothing
        return opens(path, *args, **more)

    def write() -> None:
        script = Path(sys.argv[0])
        if script.parent.name == "stages":
            files = {root / path for path in opened}
            inside = {file.relative_to(root).as_posix() for file in files if root in file.parents}
            name = sys.argv[1] if len(sys.argv) > 1 else script.stem
            (notes / f"{name} {os.getpid()}.json").write_text(json.dumps(sorted(inside)))

    safetensors.safe_open = safe_open  # type: ignore[assignment, misc]
    sys.addaudithook(hear)
    Finalize(
        None, write, exitpriority=0
    )  # at the exit of a process that multiprocessing starts, too


if folder := os.environ.get("CTRNN_READS"):
    observe(Path(folder))
