"""Where benchmarks write what they measure: reports/benchmarks, with the commit and the machine beside the numbers."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

FOLDER = Path("reports/benchmarks")


def measured_on() -> dict[str, Any]:
    """The commit of the checkout ("-dirty" where files differ from it), the CPU's name and the number of its cores."""
    command = ["git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"commit": done.stdout.strip() or None, "cpu": cpu(), "cores": os.cpu_count()}


def cpu() -> str:
    """The CPU's name, as Linux or else Python tells it."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", info.read_text(), re.M) if info.exists() else []
    return str(names[0]) if names else platform.processor() or platform.machine()


def write(name: str, results: Any, text: str = "") -> None:
    """Write <name>.json, which holds commit, cpu, cores and results, and <name>.md where there is a text."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    on = measured_on()
    whole = json.dumps({**on, "results": results}, indent=1) + "\n"
    (FOLDER / f"{name}.json").write_text(whole)
    if text:
        where = f"Measured at commit {on['commit']} on {on['cpu']}, {on['cores']} cores."
        (FOLDER / f"{name}.md").write_text(f"{where}\n\n{text}")


def read(name: str) -> Any:
    """The results that `write` wrote; None where there are none."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text())["results"] if path.exists() else None
