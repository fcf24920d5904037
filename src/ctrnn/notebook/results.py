"""The runs of a checkout as a table, and what the analyses left of a population, by name."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from ctrnn import params
from ctrnn.core import artifacts
from ctrnn.core.artifacts import ArtifactError
from ctrnn.errors import nearest
from ctrnn.notebook.changes import NotebookError
from ctrnn.tracking import reading


class Arrays(dict[str, np.ndarray]):
    """The arrays of an analysis by name, read-only, of all networks of a population.

    docs/reference/files.md says what each holds. Raises NotebookError where there is none of a name.
    """

    def __init__(self, analysis: str, arrays: dict[str, np.ndarray]) -> None:
        super().__init__(arrays)
        self.analysis = analysis

    def __missing__(self, name: str) -> np.ndarray:
        """Say which there are."""
        raise NotebookError(f"{name} is no array of {self.analysis}; {_meant(name, [*self])}")

    def __repr__(self) -> str:
        """Names, types and shapes."""
        lines = [f"  {name}: {array.dtype} {list(array.shape)}" for name, array in self.items()]
        return "\n".join([f"arrays of {self.analysis}", *lines])


def analysis(source: Path | str, task: str, name: str) -> Arrays:
    """The arrays of an analysis of the population in a folder artifacts/train/<task>, or of a run in MLflow.

    Raises NotebookError where there is no such analysis, ArtifactError where its file is damaged.
    """
    if isinstance(source, Path):
        stage = source.absolute().parent
        folder = stage.parent / "analyze" / task
        if (stage.parent.name, stage.name) != ("artifacts", "train"):
            raise NotebookError(
                f"{source} is not artifacts/train/{task} of a checkout, beside which the analyses lie; load that "
                "folder, or a run"
            )
        path = folder / f"{_known(name, [p.stem for p in folder.glob('*.npz')], folder, task)}.npz"
        return Arrays(name, artifacts.read_arrays(path))
    root = checkout()
    names = [Path(path).stem for path in reading.files(source, "analysis", root)]
    target = f"analysis/{_known(name, names, f'run {source}', task)}.npz"
    with TemporaryDirectory() as temporary:
        try:
            return Arrays(
                name, artifacts.read_arrays(reading.file(source, target, temporary, root))
            )
        except ArtifactError as error:
            raise NotebookError(
                f"{target} of run {source} {error.fault}; load artifacts/train/{task} of its checkout, or delete the "
                "run and publish its results again with make publish"
            ) from None


def runs() -> pd.DataFrame:
    """The finished runs of this checkout's store, a row each: settings and metrics; see `reading.table`."""
    root = checkout()
    experiment = params.read(root / "params.yaml").publish.experiment
    return reading.table(experiment, root)


def checkout() -> Path:
    """The checkout that the current folder lies in: a notebook may be anywhere below it."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").exists() and (folder / "params.yaml").exists():
            return folder
    raise NotebookError(f"{here} is not in a checkout; start the notebook in one, or use os.chdir")


def _known(name: str, names: list[str], where: Path | str, task: str) -> str:
    """The name, if there is such an analysis."""
    if not names:
        raise NotebookError(
            f"{where} holds no arrays of analyses; run dvc repro analyze@{task}, then make publish, first"
        )
    if name not in names:
        raise NotebookError(f"{name} is no analysis of {task}; {_meant(name, sorted(names))}")
    return name


def _meant(name: str, names: list[str]) -> str:
    return nearest(str(name), names) if names else "it has none"
