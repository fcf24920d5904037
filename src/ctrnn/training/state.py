"""A network in training: everything that training changes, what a checkpoint keeps of it, and the files left of it.

The files are weights before and after, history, summary and learning curve.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ctrnn.core import artifacts
from ctrnn.network import KINDS, Network, Wiring, initialise
from ctrnn.network.settings import NetworkSettings
from ctrnn.tasks import Batch, Task, batches
from ctrnn.training.checkpoint import Checkpoint
from ctrnn.training.curriculum import Check, CurriculumStage, meets_criterion
from ctrnn.training.optimizer import Adam
from ctrnn.training.settings import TrainSettings

HISTORY = (
    "iteration",
    "network",
    "loss",
    "accuracy",
    "gradient_norm",
    "vanished_synapses",
    "lesson",  # 0, 1, ...: steps of the curriculum, then the task itself, first at the coarse time step, if any
    "dt",  # time step, ms
)


@dataclass
class TrainState:
    """One network of the population, in training."""

    index: int
    seed: int
    start: Network
    network: Network
    adam: Adam
    stage: int = 0
    began: int = 0  # iterations done when the stage began
    batches: Iterator[Batch] = field(default_factory=lambda: iter(()))
    history: list[dict[str, Any]] = field(default_factory=list)
    met_in_a_row: int = 0
    last_check: Check | None = None
    converged: bool = False
    given_up: bool = False
    seconds: float = 0.0  # its share of the time of the loop; told, but part of no result

    @property
    def iteration(self) -> int:
        """Iterations done."""
        return len(self.history)

    def start_stage(
        self, stage: int, curriculum: Sequence[CurriculumStage], batch_size: int
    ) -> None:
        """Take batches of a stage of the curriculum, rendered ahead in the background, from this iteration on."""
        self.stage = stage
        self.began = sum(row["lesson"] < stage for row in self.history)
        own = curriculum[stage]
        rows = batches(own.trials, batch_size, self.seed, start=self.iteration)
        self.batches = ahead(map(own.task.render, rows))

    @property
    def dt(self) -> float:
        """The network's own time step, ms."""
        return self.start.wiring.settings.dt

    @cached_property
    def _wirings(self) -> dict[float, Wiring]:
        """The wiring at every time step that it was asked for."""
        return {self.dt: self.start.wiring}

    def at(self, dt: float) -> Network:
        """The network at a time step, ms."""
        if dt not in self._wirings:
            self._wirings[dt] = self.start.wiring.at(dt)
        return Network(self._wirings[dt], self.network.weights)

    def record(self, loss: float, gradient_norm: float, dt: float) -> None:
        """Enter an iteration into the history; its accuracy is blank until a check."""
        row = (
            self.iteration + 1,
            self.index,
            loss,
            math.nan,
            gradient_norm,
            self.network.zero_weight_fraction,
            self.stage,
            dt,
        )
        self.history.append(dict(zip(HISTORY, row, strict=True)))

    def count(self, check: Check, settings: TrainSettings) -> None:
        """Count a check that meets the criterion, with those in a row before it: enough of them end training."""
        self.met_in_a_row = self.met_in_a_row + 1 if meets_criterion(check, settings) else 0
        self.converged = self.met_in_a_row >= settings.patience

    def summary(self) -> dict[str, Any]:
        """How training ended."""
        assert self.last_check is not None  # the loop ends with a check
        return {
            "network": self.index,
            "seed": self.seed,
            "converged": self.converged,
            "iterations": self.iteration,
            "coarse_iterations": sum(row["dt"] != self.dt for row in self.history),
            "validation_accuracy": self.last_check.accuracy,
            "validation_loss": self.last_check.loss,
        }

    def summary_line(self) -> str:
        """How training ended, and how long it took, in words."""
        how = "converged after" if self.converged else "did not converge in"
        how = "was given up after" if self.given_up else how
        return (
            f"network {self.index} (seed {self.seed}): {how} {self.iteration} iterations, "
            f"{self.seconds:.1f} s"
        )

    def to_checkpoint(self) -> Checkpoint:
        """What a checkpoint keeps."""
        moments = {"first": self.adam.first, "second": self.adam.second}
        arrays = {f"weights/{name}": array for name, array in self.network.weights.items()}
        for moment, stored in moments.items():
            arrays |= {f"{moment}/{name}": array for name, array in stored.items()}
        return Checkpoint(
            arrays,
            {
                "history": self.history,
                "stage": self.stage,
                "met_in_a_row": self.met_in_a_row,
                "last_check": asdict(self.last_check) if self.last_check else None,
                "converged": self.converged,
                "given_up": self.given_up,
                "seconds": self.seconds,
                "beta_1_power": self.adam.beta_1_power,
                "beta_2_power": self.adam.beta_2_power,
            },
        )


def init_or_restore(
    curriculum: Sequence[CurriculumStage],
    network: NetworkSettings,
    settings: TrainSettings,
    index: int,
    seed: int,
    saved: Checkpoint | None = None,
) -> TrainState:
    """A network at the start of training, or where a checkpoint left it."""
    task, stage = curriculum[-1].task, 0
    start = initialise(network, len(task.channels), len(task.outputs), seed)
    trained = {name: start.wiring.parameters[name] for name in settings.trainable.of_units}
    start = Network(start.wiring, {**start.weights, **trained})
    state = TrainState(index, seed, start, start, Adam(settings))
    if saved is not None:
        parts: dict[str, dict[str, Any]] = {"weights": {}, "first": {}, "second": {}}
        for name, array in saved.arrays.items():
            part, _, own = name.partition("/")
            parts[part][own] = array
        powers = (saved.rest["beta_1_power"], saved.rest["beta_2_power"])
        state.network = Network(start.wiring, parts["weights"])
        state.adam = Adam(settings, parts["first"], parts["second"], *powers)
        state.history = [{**row, "network": index} for row in saved.rest["history"]]
        stage = saved.rest["stage"]
        state.met_in_a_row = saved.rest["met_in_a_row"]
        check = saved.rest["last_check"]
        state.last_check = Check(**check) if check else None
        state.converged = saved.rest["converged"]
        state.given_up = saved.rest["given_up"]
        state.seconds = saved.rest["seconds"]
    state.start_stage(stage, curriculum, settings.batch_size)
    return state


def ahead(items: Iterator[Batch]) -> Iterator[Batch]:
    """The same items, each made in a thread while the one before is used."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, items)
        while True:
            item = coming.result()
            coming = pool.submit(next, items)
            yield item


def save(
    folder: Path,
    task: Task[Any],
    states: Sequence[TrainState],
    network: NetworkSettings,
    settings: TrainSettings,
) -> None:
    """Write the weights, before and after, history.csv, summary.json and reports/train/<task>.csv.

    Beside its settings a weights file says which network it is: task.name, training (with number and seed), kind.
    """
    for state in states:
        made_with: dict[str, Any] = {
            "task": {"name": task.name, **task.settings.model_dump()},
            "network": network.decisive(),
            "train": settings.decisive(),
            "training": state.summary(),
        }
        for stem, network_then in (("network", state.network), ("initial", state.start)):
            path = folder / f"{stem}-{state.index}.safetensors"
            artifacts.write_weights(path, network_then.arrays(), {**made_with, "kind": KINDS[stem]})
    rows = [row for state in states for row in state.history]
    history = pd.DataFrame(rows).sort_values(["iteration", "network"], kind="stable")
    artifacts.write_table(folder / "history.csv", history)
    artifacts.write_table(artifacts.curve_path(task.name), learning_curve(history))
    summary = {"networks": [state.summary() for state in states]}
    artifacts.write_json(folder / "summary.json", summary)
    artifacts.write_sums(folder)


def learning_curve(history: pd.DataFrame) -> pd.DataFrame:
    """Loss and accuracy on validation trials at every check, means over networks.

    A network that has finished counts with its last values, so that the curve does not jump when it leaves.
    """
    columns = ["loss", "accuracy"]
    checks = history.dropna(subset=["accuracy"])
    if checks.empty:  # training ended before the first check
        return checks[["iteration", *columns]]
    wide = checks.pivot_table(index="iteration", columns="network", values=columns)
    return wide.ffill().T.groupby(level=0).mean().T[columns].reset_index()
