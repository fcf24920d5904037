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
from ctrnn.dynamics.models import models
from ctrnn.errors import UserError, heard, interrupt, log_event
from ctrnn.network import Backend, Network, SupervisedTrials
from ctrnn.network.settings import NetworkSettings, numbers_of, range_of
from ctrnn.tasks import Task
from ctrnn.training import checkpoint
from ctrnn.training.coarse import coarse_step
from ctrnn.training.curriculum import (
    CurriculumStage,
    beyond_reach,
    build_curriculum,
    check_networks,
    exceeds,
    is_abandoned,
)
from ctrnn.training.optimizer import by_share, clip, gradient_norm, with_weight_penalties
from ctrnn.training.settings import TrainSettings
from ctrnn.training.state import TrainState, init_or_restore

COARSE_AT_MOST = 2000  # iterations at the coarse time step

# Called with the name of the checkpoints of this training, and the rows of history that are new.
OnStep = Callable[[str, Sequence[dict[str, Any]]], None]


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
    on_step: OnStep = lambda name, rows: None,
) -> list[TrainState]:
    """Train `train.n_networks` networks side by side until each converges or is given up.

    Networks are independent: each has its own seed, and its result does not depend on how many others there are. A
    network goes on from its checkpoint where there is one of these settings, trials and code.

    Args:
        task: The task with its settings.
        train_table: Trials to learn from, a row each (`tasks.trial_table`).
        validation_table: Trials that decide when training stops.
        seed: Seed of params.yaml; `rng.network_seeds` gives those of the networks.
        network: Section `network`.
        settings: Section `train`.
        backend: Computes losses and gradients.
        store: Folder of the checkpoints.
        on_step: Called with the name of the checkpoints and rows of the history: first those of the checkpoints, then
            those of every iteration.

    Returns:
        The networks, with their histories.

    Raises:
        TrainingError: A loss is not finite, or a network misses the criterion and `train.require_convergence` is set.
        KeyboardInterrupt: At Ctrl-C, SIGTERM and SIGHUP, after a checkpoint.

    """
    if bound := beyond_reach(task, settings):
        print(f"train@{task.name}: {bound}", flush=True)
    trainable = settings.trainable.names
    coarse_dt = coarse_step(task, network, settings)
    curriculum = build_curriculum(
        task,
        train_table,
        validation_table,
        seed,
        settings.check_every,
        settings.batch_size,
        coarse_dt,
    )
    parameters = models()[network.model].parameters
    ranges = {
        step: {
            n: range_of(parameters.get(n), network.dt, step) for n in settings.trainable.of_units
        }
        for step in {stage.task.dt for stage in curriculum}
    }
    last = len(curriculum) - 1
    name = checkpoint_name(task, (train_table, validation_table), network, settings)
    states = [
        init_or_restore(
            curriculum, network, settings, i, own, checkpoint.read(f"{name}-{own}", store)
        )
        for i, own in enumerate(network_seeds(seed, settings.n_networks))
    ]

    def unfinished() -> list[TrainState]:
        return [
            state
            for state in states
            if not (state.converged or state.given_up) and state.iteration < settings.max_iterations
        ]

    def save(those: list[TrainState]) -> None:
        for state in those:
            checkpoint.write(f"{name}-{state.seed}", state.to_checkpoint(), store)

    bar = tqdm(
        total=settings.max_iterations,
        initial=max((state.iteration for state in unfinished()), default=0),
        desc=f"train {task.name}",
        unit="it",
        smoothing=0.05,
        mininterval=0.2 if sys.stderr.isatty() else 10,  # a log need not hold every step
    )
    saved = time.monotonic()
    if unfinished():
        on_step(name, [row for state in states for row in state.history])
    with bar, stop_signals() as stop:
        while todo := unfinished():
            began = time.monotonic()
            # Who is ahead waits, so that the trials of a step have one shape.
            at = min(state.stage for state in todo)
            active, stage = [state for state in todo if state.stage == at], curriculum[at]
            taught = [
                SupervisedTrials(
                    inputs=batch.inputs,
                    noise=key(state.seed, "train", "noise", state.iteration + 1),
                    targets=batch.targets,
                    mask=batch.mask,
                    rate_penalty=settings.penalties.rates,
                    loss=stage.task.loss,
                )
                for state, batch in ((state, next(state.batches)) for state in active)
            ]
            networks = [state.at(stage.task.dt) for state in active]
            results = backend.loss_and_gradients(networks, taught, trainable)

            for state, result in zip(active, results, strict=True):
                loss, gradients = with_weight_penalties(*result, state.network, settings.penalties)
                gradients = by_share(gradients, state.network)
                norm = gradient_norm(gradients)
                if not math.isfinite(loss) or not math.isfinite(norm):
                    raise TrainingError(diverged(task, state, settings, "loss"))
                clipped = clip(gradients, norm, settings.clip_norm)
                weights = state.adam.step(state.network.weights, clipped, ranges[stage.task.dt])
                for trained, array in weights.items():
                    if not np.isfinite(array).all():
                        raise TrainingError(diverged(task, state, settings, trained))
                state.network = Network(state.network.wiring, weights)
                state.record(loss, norm, stage.task.dt)

            due = [
                s
                for s in active
                if (s.iteration - s.began) % stage.until_check(s.met_in_a_row) == 0
            ]
            check(stage, due, backend)
            for state in due:
                assert state.last_check is not None
                state.history[-1]["accuracy"] = state.last_check.accuracy
                if stage.until is not None:
                    ended = exceeds(state.last_check.accuracy, stage.until)
                else:
                    state.count(state.last_check, settings)
                    state.given_up = is_abandoned(
                        state.last_check, state.iteration, settings.early_abandon
                    )
                    # What the coarse time step does not teach, the network's own may.
                    ended = state.converged or state.iteration - state.began >= COARSE_AT_MOST
                if ended and at < last:
                    state.met_in_a_row, state.converged = 0, False
                    state.start_stage(at + 1, curriculum, settings.batch_size)
            arrived = [state for state in due if state.stage > at and curriculum[at + 1].verifies]
            check(curriculum[last], arrived, backend)
            for state in arrived:
                assert state.last_check is not None
                state.count(state.last_check, settings)
            on_step(name, [state.history[-1] for state in active])
            for state in active:
                state.seconds += (time.monotonic() - began) / len(active)

            save([state for state in active if state not in unfinished()])
            if stop or time.monotonic() - saved > settings.checkpoint_every:
                save(unfinished())
                saved = time.monotonic()
            if due:
                bar.set_postfix_str(progress(states), refresh=False)
            bar.update()  # after the checkpoint: at SIGHUP the terminal is gone, and this may fail
            if stop:
                interrupt(stop[0])
    checkpoint.prune(store)

    # Networks that ended between two checks or before the last stage: the check tells how they ended, and is no part
    # of their training.
    final = curriculum[last]
    late = [
        state
        for state in states
        if state.stage < last
        or (state.iteration - state.began) % final.check_every
        or (state.iteration == state.began and not final.verifies)
    ]
    check(final, late, backend)
    for state in states:
        print(f"train@{task.name}: {state.summary_line()}", flush=True)
        log_event(f"train@{task.name}", "trained", network=state.index, seconds=state.seconds)
    missed = [state.index for state in states if not state.converged]
    if missed and settings.require_convergence:
        raise TrainingError(
            f"networks {missed} of {task.name} missed the criterion after "
            f"train.max_iterations = {settings.max_iterations}, or were given up; raise it, or set "
            "train.require_convergence: false to go on without"
        )
    return states


def check(stage: CurriculumStage, states: list[TrainState], backend: Backend) -> None:
    """Check networks on the stage's validation trials, with noise of their iterations."""
    if states:
        networks = [state.at(stage.task.dt) for state in states]
        seeds = [state.seed for state in states]
        checks = check_networks(
            stage.task,
            stage.validation,
            networks,
            seeds,
            [state.iteration for state in states],
            backend,
        )
        for state, result in zip(states, checks, strict=True):
            state.last_check = result


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
def stop_signals() -> Iterator[list[int]]:
    """A list that is empty until Ctrl-C, SIGTERM or SIGHUP; a Ctrl-C that is not the first interrupts at once."""
    received: list[int] = []

    def receive(number: int, frame: Any) -> None:
        if received and number == signal.SIGINT:
            interrupt(number)
        received.append(number)

    with heard((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), receive):
        yield received


def diverged(task: Task[Any], state: TrainState, settings: TrainSettings, what: str) -> str:
    """The sentence for a loss, or weights, that are not finite, with settings that have acted by then."""
    network = state.network.wiring.settings
    raised = {
        f"network.parameters.{name}": value
        for name, parameter in models()[network.model].parameters.items()
        if parameter.at_least != "dt"  # a time constant
        and (value := max(numbers_of(network.parameters[name]))) > np.max(parameter.default)
    }
    if state.iteration:
        suspects = {"train.learning_rate": settings.learning_rate, "network.w_gain": network.w_gain}
        if settings.clip_norm is not None:
            suspects["train.clip_norm"] = settings.clip_norm
        suspects = {k: v for k, v in raised.items() if v > max(suspects.values())} | suspects
    else:  # before the first step of training: what is largest of what the network starts with and is given
        keys = ("w_gain", "W_in_sd", "readout_sd", "sigma_pre", "sigma_post")
        acted = raised | {f"network.{key}": getattr(network, key) for key in keys}
        acted |= {f"train.penalties.{key}": value for key, value in settings.penalties}
        acted |= {f"tasks.{task.name}.{k}": v for k, v in task.settings if "evidence" in k}
        suspects = dict(sorted(acted.items(), key=lambda item: -np.max(item[1]))[:3])
    return (
        f"the {what} of network {state.index} of {task.name} is not finite at iteration {state.iteration + 1}; "
        f"lower {' or '.join(f'{key} = {value}' for key, value in suspects.items())}"
    )


def progress(states: list[TrainState]) -> str:
    """Mean loss and accuracy of the population, and how many networks are done."""
    checks = [state.last_check for state in states if state.last_check]
    losses = [state.history[-1]["loss"] for state in states if state.history]
    done = sum(state.converged for state in states)
    return (
        f"loss {sum(losses) / len(losses):.4f}, "
        f"accuracy {sum(state.accuracy for state in checks) / len(checks):.3f}, "
        f"{done}/{len(states)} done"
    )
