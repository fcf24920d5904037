"""A checkout of the project on the small configuration, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.pipeline.small import write_small

ROOT = Path(__file__).parents[2]
TASKS = ("go_nogo", "mante")
PARTS = (".dvcignore", ".gitignore", "dvc.yaml", "params.yaml", "src", "stages")


class Checkout:
    """A git and DVC checkout with the code as it is now, and settings that train in seconds."""

    def __init__(self, folder: Path, tasks: tuple[str, ...] = ()) -> None:
        """The code as it is now and these tasks of params.yaml; without tasks, a folder that is a checkout already."""
        self.folder = folder
        self.shell: dict[str, str] = {}  # what else stands in the environment
        self.umask = -1  # as it is
        self.reads = folder.with_name(f"{folder.name} reads")
        if tasks:
            self._make(tasks)

    def _make(self, tasks: tuple[str, ...]) -> None:
        folder = self.folder
        folder.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / part)
        (folder / ".dvc").mkdir()
        shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc" / "config")
        write_small(folder / "params.yaml")
        self.keep_tasks(tasks)
        self.run("git", "init", "--quiet")
        self.commit("small")

    @property
    def environment(self) -> dict[str, str]:
        """The shell's, with this Python first and MLflow's store in the checkout; bytecode is kept for speed."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        identity = {
            f"GIT_{who}_{what}": "test@localhost" if what == "EMAIL" else "test"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        usual = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONDONTWRITEBYTECODE": ""}
        return {**kept, **identity, **usual, "PATH": path, **self.shell}

    def run(self, *command: str) -> str:
        """Output of a command in the checkout. Fails the test with all of it where the command fails."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            umask=self.umask,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def commit(self, message: str) -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def clone(self, folder: Path) -> Checkout:
        """A git clone of the last commit."""
        self.run("git", "clone", "--quiet", str(self.folder), str(folder))
        return Checkout(folder)

    def repro(self) -> set[str]:
        """`dvc repro`; the stages that ran."""
        lines = self.run("dvc", "repro").splitlines()
        return {line.split("'")[1] for line in lines if line.startswith("Running stage")}

    def keep_tasks(self, names: tuple[str, ...]) -> None:
        """Leave only these tasks in params.yaml."""
        self._edit(
            lambda settings: [
                settings["tasks"].pop(n) for n in list(settings["tasks"]) if n not in names
            ]
        )

    def change(self, key: str, value: Any) -> None:
        """Set a dotted key of params.yaml."""

        def set_key(settings: Any) -> None:
            *path, last = key.split(".")
            for part in path:
                settings = settings[part]
            settings[last] = value

        self._edit(set_key)

    def _edit(self, change: Any) -> None:
        path = self.folder / "params.yaml"
        yaml = YAML()
        yaml.width = 200
        settings = yaml.load(path)
        change(settings)
        yaml.dump(settings, path)
