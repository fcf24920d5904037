"""What `make repro` does before it calls DVC: python -m ctrnn.tidy puts right what DVC stumbles over.

DVC writes dvc.lock and its note of locks in place: a process that is killed in that moment leaves them torn, and DVC
then refuses to go on. It also leaves the results of a task that params.yaml no longer names where they are, and the
report depends on whole folders of results.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from ctrnn import lock, params
from ctrnn.complaints import one_sentence
from ctrnn.params import Params, TaskSettings


def tidy(root: Path, settings: Params) -> Iterator[str]:
    """Remove torn files of DVC's, and results of tasks that are not in params.yaml; a sentence for each."""
    if torn(root / "dvc.lock"):
        (root / "dvc.lock").unlink()
        yield "dvc.lock was torn and is removed; DVC writes it anew, from its cache where it can"
    locks = root / ".dvc" / "tmp" / "rwlock"
    if torn(locks):
        locks.unlink()
        yield f"{locks.relative_to(root)} was torn and is removed"
    for path in strangers(root, settings):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        yield f"{path.relative_to(root)} is removed; params.yaml does not name its task"


def torn(path: Path) -> bool:
    """Whether dvc.lock or DVC's note of locks is there and is not what DVC can read."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return False
    try:
        content = yaml.load(text, Loader=lock.FAST) if path.suffix == ".lock" else json.loads(text)
    except (yaml.YAMLError, ValueError):
        return True
    return not isinstance(content, dict) or (path.suffix == ".lock" and "schema" not in content)


def strangers(root: Path, settings: Params) -> list[Path]:
    """Results of tasks that there are and that params.yaml does not name."""
    gone = set(TaskSettings.registry) - set(settings.tasks)
    folders = [root / place / stage for place in ("artifacts", "reports") for stage in lock.STAGES]
    return [path for folder in folders for path in sorted(folder.glob("*")) if path.stem in gone]


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m ctrnn.tidy", description=__doc__).parse_args()
    with one_sentence("tidy"):
        for sentence in tidy(Path(), params.load()):
            print(sentence)
