"""Runs the small configuration from nothing and keeps its lock and metrics in tests/pipeline/small: `make relock`."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import yaml

from tests.pipeline.checkout import ROOT, Checkout
from tests.pipeline.small import RESULTS


def main() -> None:
    """Write dvc.lock, and of reports/ what git keeps, for the code and settings as they are in this folder."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    tasks = tuple(yaml.safe_load((ROOT / "params.yaml").read_text())["tasks"])
    with tempfile.TemporaryDirectory() as scratch:
        made = Checkout(Path(scratch), tasks)
        made.repro()
        shutil.rmtree(RESULTS, ignore_errors=True)
        ignored = shutil.ignore_patterns("figures", "index.html", ".gitignore")
        shutil.copytree(made.folder / "reports", RESULTS / "reports", ignore=ignored)
        shutil.copy(made.folder / "dvc.lock", RESULTS)
    print(
        f"The lock and the metrics in {RESULTS.relative_to(ROOT)} are those of this code; commit them."
    )


if __name__ == "__main__":
    main()
