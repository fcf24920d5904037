"""Training: batches in, networks out. The loop reads from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from tqdm import tqdm

from ctrnn.complaints import Complaint
from ctrnn.network import Backend, Network, TaughtTrials, initialise
from ctrnn.params import Params, TrainSettings
from ctrnn.streams import key
from ctrnn.tasks import Batch, Task, batches
from ctrnn.training.adam import Adam, clip, gradient_norm
from ctrnn.training.stopping import Check, check_networks, meets_criterion


class TrainingError(Complaint, RuntimeError):
    """Training cannot go on."""


@dataclass
class Trainee:
    """One network of the population, in training."""

    index: int
    seed: int
    start: Network
    network: Network
    adam: Adam
    batches: Iterator[Batch]
    history: list[dict[str, Any]] = field(default_factory=list)
    met_in_a_row: int = 0
    last_check: Check | None = None
    converged: bool = False

    def summary(self) -> dict[str, Any]:
        """How training ended."""
        assert self.last_check is not None  # the last iteration is always followed by a check
        return {
            "network": self.index,
            "seed": self.seed,
            "converged": self.converged,
            "iterations": len(self.history),
            "validation_accuracy": self.last_check.accuracy,
            "validation_loss": self.last_check.loss,
        }


def train(
    task: Task[Any],
    train_table: pd.DataFrame,
    validation_table: pd.DataFrame,
    params: Params,
    backend: Backend,
) -> list[Trainee]:
    """Train `train.n_networks` networks side by side until each meets the criterion.

    Networks are independent: each has its own seed, and none's result depends on how many others there are. Raises
    TrainingError where a loss is not finite, or where a network misses the criterion and
    `train.require_convergence` is set.
    """
    settings = params.train
    wanted = settings.trainable.names
    validation = task.render(validation_table)
    trainees = [
        enrol(task, train_table, params, index, seed)
        for index, seed in enumerate(params.network_seeds)
    ]

    bar = tqdm(total=settings.max_iterations, desc=f"train {task.name}", unit="it", smoothing=0.05)
    for iteration in range(1, settings.max_iterations + 1):
        active = [trainee for trainee in trainees if not trainee.converged]
        taught = [
            teach(next(trainee.batches), key(trainee.seed, "train", "noise", iteration))
            for trainee in active
        ]
        networks = [trainee.network for trainee in active]
        results = backend.loss_and_gradients(networks, taught, wanted)

        for trainee, (loss, gradients) in zip(active, results, strict=True):
            norm = gradient_norm(gradients)
            if not math.isfinite(loss) or not math.isfinite(norm):
                raise TrainingError(diverged(task.name, trainee.index, iteration, settings))
            clipped = clip(gradients, norm, settings.clip_norm)
            weights = trainee.adam.step(trainee.network.weights, clipped)
            trainee.network = Network(trainee.network.wiring, weights)
            trainee.history.append(
                {
                    "iteration": iteration,
                    "network": trainee.index,
                    "loss": loss,
                    "accuracy": math.nan,
                    "gradient_norm": norm,
                    "vanished_synapses": trainee.network.vanished_synapses,
                }
            )

        if iteration % settings.check_every == 0 or iteration == settings.max_iterations:
            networks = [trainee.network for trainee in active]
            seeds = [trainee.seed for trainee in active]
            checks = check_networks(task, validation, networks, seeds, iteration, backend)
            for trainee, check in zip(active, checks, strict=True):
                trainee.last_check = check
                trainee.history[-1]["accuracy"] = check.accuracy
                met = meets_criterion(check, settings)
                trainee.met_in_a_row = trainee.met_in_a_row + 1 if met else 0
                trainee.converged = trainee.met_in_a_row >= settings.checks_in_a_row
            bar.set_postfix_str(progress(trainees))
        bar.update()
        if all(trainee.converged for trainee in trainees):
            break
    bar.close()

    missed = [trainee.index for trainee in trainees if not trainee.converged]
    if missed and settings.require_convergence:
        raise TrainingError(
            f"networks {missed} of {task.name} missed the criterion after "
            f"train.max_iterations = {settings.max_iterations}; raise it, or set "
            "train.require_convergence: false to go on without"
        )
    return trainees


def enrol(task: Task[Any], table: pd.DataFrame, params: Params, index: int, seed: int) -> Trainee:
    """A new trainee, with its batches rendered ahead in the background."""
    network = initialise(params.network, len(task.channels), len(task.outputs), seed)
    rows = batches(table, params.train.trials_per_batch, seed)
    rendered = ahead(map(task.render, rows))
    return Trainee(index, seed, network, network, Adam(params.train), rendered)


def ahead(items: Iterator[Batch]) -> Iterator[Batch]:
    """The same items, each made in a thread while the one before is used."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming = pool.submit(next, items)
        while True:
            item = coming.result()
            coming = pool.submit(next, items)
            yield item


def teach(batch: Batch, noise: int) -> TaughtTrials:
    """A batch with the noise stream that it is seen with."""
    return TaughtTrials(inputs=batch.inputs, noise=noise, targets=batch.targets, mask=batch.mask)


def diverged(task: str, network: int, iteration: int, settings: TrainSettings) -> str:
    """The sentence for a loss that is not finite."""
    return (
        f"the loss of network {network} of {task} is not finite at iteration {iteration}; lower "
        f"train.learning_rate = {settings.learning_rate:g}, train.clip_norm = {settings.clip_norm} "
        "or network.w_gain"
    )


def progress(trainees: list[Trainee]) -> str:
    """Mean loss and accuracy of the population, and how many networks are done."""
    checks = [trainee.last_check for trainee in trainees if trainee.last_check]
    loss = sum(trainee.history[-1]["loss"] for trainee in trainees) / len(trainees)
    accuracy = sum(check.accuracy for check in checks) / len(checks)
    done = sum(trainee.converged for trainee in trainees)
    return f"loss {loss:.4f}, accuracy {accuracy:.3f}, {done}/{len(trainees)} done"
