"""Training: batches in, networks out. The loop reads from top to bottom."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ctrnn.core.rng import key, network_seeds
from ctrnn.errors import UserError, heard, interrupt
from ctrnn.network import Backend, Network, TaughtTrials
from ctrnn.network.settings import NetworkSettings
from ctrnn.tasks import Task
from ctrnn.training import checkpoint
from ctrnn.training.adam import clip, gradient_norm
from ctrnn.training.curriculum import Lesson, lessons
from ctrnn.training.penalties import with_weight_penalties
from ctrnn.training.settings import TrainSettings
from ctrnn.training.stopping import check_networks, exceeds, is_hopeless, meets_criterion
from ctrnn.training.trainee import Trainee, enrol

# Is told the rows of history that are new, with the name of the checkpoints of this training.
Tell = Callable[[str, Sequence[dict[str, Any]]], None]


class TrainingError(UserError, RuntimeError):
    """Training cannot go on."""


def train(
    task: Task[Any],
    train_table: pd.DataFrame,
    validation_table: pd.DataFrame,
    seed: int,
    network: NetworkSettings,
    settings: TrainSettings,
    backend: Backend,
    store: Path = checkpoint.STORE,
    tell: Tell = lambda name, rows: None,
) -> list[Trainee]:
    """Train `train.n_networks` networks side by side until each, at the end of its curriculum, is good or given up.

    Networks are independent: each has its own seed, and none's result depends on how many others there are. Each goes
    on from its checkpoint in `store`, if there is one of these settings, trials and code. `tell` hears first the rows
    of the checkpoints, then those of every iteration. Raises TrainingError where a loss is not finite, or where a
    network misses the criterion and `train.require_convergence` is set; KeyboardInterrupt at Ctrl-C, SIGTERM and
    SIGHUP, after a checkpoint.
    """
    wanted = settings.trainable.names
    course = lessons(task, train_table, validation_table, seed)
    name = checkpoint_name(task, (train_table, validation_table), network, settings)
    trainees = [
        enrol(course, network, settings, i, own, checkpoint.read(f"{name}-{own}", store))
        for i, own in enumerate(network_seeds(seed, settings.n_networks))
    ]

    def unfinished() -> list[Trainee]:
        return [
            one
            for one in trainees
            if not (one.converged or one.given_up) and one.iteration < settings.max_iterations
        ]

    def save(some: list[Trainee]) -> None:
        for one in some:
            checkpoint.write(f"{name}-{one.seed}", one.state(), store)

    bar = tqdm(
        total=settings.max_iterations,
        initial=max((one.iteration for one in unfinished()), default=0),
        desc=f"train {task.name}",
        unit="it",
        smoothing=0.05,
        mininterval=0.2 if sys.stderr.isatty() else 10,  # a log need not hold every step
    )
    saved = time.monotonic()
    if unfinished():
        tell(name, [row for one in trainees for row in one.history])
    with bar, told_to_stop() as stop:
        while todo := unfinished():
            began = time.monotonic()
            # Who is ahead waits, so that the trials of a step have one shape.
            at = min(one.lesson for one in todo)
            active, lesson = [one for one in todo if one.lesson == at], course[at]
            taught = [
                TaughtTrials(
                    inputs=batch.inputs,
                    noise=key(one.seed, "train", "noise", one.iteration + 1),
                    targets=batch.targets,
                    mask=batch.mask,
                    rate_penalty=settings.penalties.rates,
                )
                for one, batch in ((one, next(one.batches)) for one in active)
            ]
            networks = [one.network for one in active]
            results = backend.loss_and_gradients(networks, taught, wanted)

            for one, result in zip(active, results, strict=True):
                loss, gradients = with_weight_penalties(*result, one.network, settings.penalties)
                norm = gradient_norm(gradients)
                if not math.isfinite(loss) or not math.isfinite(norm):
                    raise TrainingError(diverged(task, one, settings))
                clipped = clip(gradients, norm, settings.clip_norm)
                weights = one.adam.step(one.network.weights, clipped)
                one.network = Network(one.network.wiring, weights)
                one.record(loss, norm)

            due = [one for one in active if one.iteration % settings.check_every == 0]
            check(lesson, due, backend)
            for one in due:
                assert one.last_check is not None
                one.history[-1]["accuracy"] = one.last_check.accuracy
                if lesson.until is not None:
                    if exceeds(one.last_check.accuracy, lesson.until):
                        one.attend(at + 1, course, settings.trials_per_batch)
                    continue
                met = meets_criterion(one.last_check, settings)
                one.met_in_a_row = one.met_in_a_row + 1 if met else 0
                one.converged = one.met_in_a_row >= settings.checks_in_a_row
                one.given_up = is_hopeless(one.last_check, one.iteration, settings.hopeless)
            tell(name, [one.history[-1] for one in active])
            for one in active:
                one.seconds += (time.monotonic() - began) / len(active)

            ended = [one for one in active if one not in unfinished()]
            save(ended)
            if stop or time.monotonic() - saved > settings.checkpoint_every:
                save(unfinished())
                saved = time.monotonic()
            if due:
                bar.set_postfix_str(progress(trainees), refresh=False)
            bar.update()  # after the checkpoint: at SIGHUP the terminal is gone, and this may fail
            if stop:
                interrupt(stop[0])
    checkpoint.prune(store)

    # Networks that ended between two checks or before the last lesson: the check tells how they ended, and is no part
    # of their training.
    last = len(course) - 1
    late = [
        one
        for one in trainees
        if one.iteration % settings.check_every or one.history[-1]["lesson"] < last
    ]
    check(course[last], late, backend)
    for one in trainees:
        print(f"train@{task.name}: {one.ending()}", flush=True)
    missed = [one.index for one in trainees if not one.converged]
    if missed and settings.require_convergence:
        raise TrainingError(
            f"networks {missed} of {task.name} missed the criterion after "
            f"train.max_iterations = {settings.max_iterations}, or were given up; raise it, or set "
            "train.require_convergence: false to go on without"
        )
    return trainees


def check(lesson: Lesson, some: list[Trainee], backend: Backend) -> None:
    """Every one of them on the lesson's validation trials, with noise of its iteration."""
    if some:
        networks, seeds = [one.network for one in some], [one.seed for one in some]
        checks = check_networks(
            lesson.task,
            lesson.validation,
            networks,
            seeds,
            [one.iteration for one in some],
            backend,
        )
        for one, result in zip(some, checks, strict=True):
            one.last_check = result


def checkpoint_name(
    task: Task[Any],
    tables: tuple[pd.DataFrame, pd.DataFrame],
    network: NetworkSettings,
    settings: TrainSettings,
) -> str:
    """Name of the checkpoints of these settings, trials and this code; a network adds its seed."""
    decisive = {
        "task": {"name": task.name, **task.settings.model_dump()},
        "network": network.decisive(),
        # Without max_iterations: more of them go on from where fewer ended.
        "train": settings.of_one_network() | {"max_iterations": None},
    }
    trials = (table.to_csv().encode() for table in tables)
    return f"{task.name}-{checkpoint.key(decisive, trials)[:32]}"


@contextmanager
def told_to_stop() -> Iterator[list[int]]:
    """A list that is empty until Ctrl-C, SIGTERM or SIGHUP; a Ctrl-C that is not the first interrupts at once."""
    told: list[int] = []

    def note(number: int, frame: Any) -> None:
        if told and number == signal.SIGINT:
            interrupt(number)
        told.append(number)

    with heard((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), note):
        yield told


def diverged(task: Task[Any], one: Trainee, settings: TrainSettings) -> str:
    """The sentence for a loss that is not finite, with settings that have acted by then."""
    network = one.network.wiring.settings
    if one.iteration:
        told = {"train.learning_rate": settings.learning_rate, "network.w_gain": network.w_gain}
        if settings.clip_norm is not None:
            told["train.clip_norm"] = settings.clip_norm
    else:  # before the first step of training: what is largest of what the network starts with and is given
        keys = ("w_gain", "W_in_sd", "readout_sd", "sigma_pre", "sigma_post")
        acted = {f"network.{key}": getattr(network, key) for key in keys}
        acted |= {f"train.penalties.{key}": value for key, value in settings.penalties}
        acted |= {f"tasks.{task.name}.{k}": v for k, v in task.settings if "evidence" in k}
        told = dict(sorted(acted.items(), key=lambda one: -np.max(one[1]))[:3])
    return (
        f"the loss of network {one.index} of {task.name} is not finite at iteration {one.iteration + 1}; "
        f"lower {' or '.join(f'{key} = {value}' for key, value in told.items())}"
    )


def progress(trainees: list[Trainee]) -> str:
    """Mean loss and accuracy of the population, and how many networks are done."""
    checks = [one.last_check for one in trainees if one.last_check]
    losses = [one.history[-1]["loss"] for one in trainees if one.history]
    done = sum(one.converged for one in trainees)
    return (
        f"loss {sum(losses) / len(losses):.4f}, "
        f"accuracy {sum(one.accuracy for one in checks) / len(checks):.3f}, "
        f"{done}/{len(trainees)} done"
    )
