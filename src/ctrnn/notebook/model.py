"""A trained network with its task: run it, perturb it, change it, and look into it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from pydantic import ValidationError

from ctrnn import kernel, params
from ctrnn.analysis.dynamics import Dynamics, dynamics_of
from ctrnn.analysis.lesions import silenced
from ctrnn.core import rng
from ctrnn.dynamics.models import models
from ctrnn.errors import ParamsError, format_validation_error, shown
from ctrnn.evaluation import by_output
from ctrnn.network import Backend, Network, Trials
from ctrnn.network.native_backend import prepared
from ctrnn.notebook.changes import NotebookError, replaced, units_of
from ctrnn.notebook.interventions import Normals, Trajectory, simulate
from ctrnn.params import memory
from ctrnn.tasks import Batch, Task, trial_table


@dataclass(frozen=True)
class NewTrials(Batch):
    """Trials of a task whose settings may differ from those of training; it scores them."""

    task: Task[Any]


@dataclass(frozen=True)
class Model:
    """A trained network with its task; a changed one is a new one.

    settings: sections of params.yaml, and `training`, how its training ended. changes: what was changed since it was
    loaded, in words.
    """

    network: Network
    task: Task[Any]
    settings: dict[str, Any]
    backend: Backend
    changes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """What it is, and what it does, in some ten lines."""
        task, training, settings = (
            self.task,
            self.settings["training"],
            self.network.wiring.settings,
        )
        ended = "converged after" if training["converged"] else "did not converge in"
        return "\n".join(
            [
                f"Model of {task.name}, network {training['network']}, seed {training['seed']}",
                f"{self.network}",
                f"states of a unit: {', '.join(self.states)} (model {settings.model}); dt {settings.dt:g} ms",
                f"inputs: {', '.join(task.channels)}; outputs: {', '.join(task.outputs)}",
                f"training {ended} {training['iterations']} iterations; "
                f"{training['validation_accuracy']:.3f} of validation trials correct",
                *([f"changed since: {', '.join(self.changes)}"] if self.changes else []),
                "run: trials, run, outcomes; change: lesion, replace",
            ]
        )

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the state variables of a unit, in the order in which a state has them."""
        return models()[self.network.wiring.settings.model].states

    @cached_property
    def dynamics(self) -> Dynamics:
        """The equations of the network without noise, in float64."""
        return dynamics_of(self.network)

    @property
    def start(self) -> Float[np.ndarray, " state"]:
        """The state before the first step of a trial."""
        return self.dynamics.start

    def trials(self, seed: int = 0, **changes: Any) -> NewTrials:
        """New trials, balanced over conditions. changes: settings of the task that differ from those of training.

        `test_trials` is their number. Trials are as much longer or shorter as the changes make them, unless T is given.
        Raises ParamsError where a setting is not allowed, or asks for more than the memory of this machine.
        """
        settings = self.task.settings
        try:
            task = self.task.with_settings(settings.varied(**changes))
        except ValidationError as error:
            where = f"tasks.{self.task.name}"
            sentence = format_validation_error(error, type(settings), where, params.every_key())
            raise ParamsError(sentence) from None
        memory.check_task(task)
        batch = task.render(trial_table(task, "test", seed))
        return NewTrials(batch.inputs, batch.targets, batch.mask, batch.conditions, task)

    def run(
        self,
        trials: Any = None,
        seed: int | None = 0,
        *,
        x0: Any = None,
        noise: Any = True,
        perturb: Any = (),
    ) -> Trajectory:
        """Run the network.

        Trials and inputs alone are run by the kernel, with the bits of the pipeline, in float32. With x0, perturb or
        noise of one's own a plain loop in float64 runs them. The same seed gives both the same noise.

        Args:
            trials: As `trials` and read_test give them, or inputs of one's own [time, trial, channel].
            seed: Of the noise; None for no noise.
            x0: State to start from, [state] or [trial, state], such as a row of `fixed_points(...).x` or of
                `run(...).states[-1]`; None for `start`.
            noise: True for that of the seed; a seed; None or False for no noise; or standard normals
                [time, trial, unit] of the currents, or a pair of these and of those of the rates.
            perturb: Interventions: `ctrnn.Current`, `ctrnn.Clamp`, `ctrnn.Displacement`.

        Returns:
            Rates, outputs and states.

        Raises:
            NotebookError: Something has not the shape that the network or the task gives it.
            ParamsError: A time of an intervention is no whole number of steps.
        """
        inputs = self._inputs(trials)
        shape = (*inputs.shape[:2], len(self.network.wiring.sign))
        key, normals = self._noise(seed, noise, shape)
        start = None if x0 is None else self._state(x0, shape[1])

        def loop() -> tuple[np.ndarray, np.ndarray]:
            drawn = normals
            if key is not None:
                drawn = kernel.noise(prepared(self.network.wiring), key, *shape[:2])
            return simulate(self.dynamics, inputs, start, drawn, perturb)

        if x0 is None and not perturb and normals is None:
            activity = self.backend.activity([self.network], [Trials(inputs, key)])[0]
            return Trajectory(activity.rates, activity.outputs, self.states, lambda: loop()[0])
        states, rates = loop()
        outputs = rates @ self.dynamics.W_out.T + self.dynamics.b_out
        return Trajectory(rates, outputs, self.states, lambda: states)

    def outcomes(self, trials: Any, seed: int | None = 0, **how: Any) -> pd.DataFrame:
        """A row per trial: condition, `response` (mean output in the response window), `choice`, `correct`.

        how: what else `run` takes: x0, noise, perturb. Of several outputs, response_<output> and choice_<output>. The
        response window is that of the settings that `trials` was given, of other trials that of training. Raises
        NotebookError where inputs end before it does, or are without conditions.
        """
        if not isinstance(trials, Batch):
            raise NotebookError(
                f"outcomes takes trials, which have conditions, not {type(trials).__name__}; give model.trials()"
            )
        outputs = self.run(trials, seed, **how).outputs
        task = trials.task if isinstance(trials, NewTrials) else self.task
        end = task.steps.window.stop
        if len(outputs) < end:
            raise NotebookError(
                f"the inputs have {len(outputs)} steps, and the response window of {task.name} ends with step {end}; "
                "give trials as long as that"
            )
        score = task.score(outputs, trials.conditions)
        return trials.conditions.assign(
            **by_output("response", score.response, task.outputs),
            **by_output("choice", score.choice, task.outputs),
            correct=score.correct,
        )

    def lesion(self, units: Any) -> Model:
        """The model whose units send nothing: their recurrent and readout weights are 0, as in the analysis of lesions.

        units: a number, a list of numbers, or a mask [unit] such as `model.network.wiring.sign < 0`. Raises
        NotebookError where it chooses no units of the network.
        """
        chosen = units_of(units, len(self.network.wiring.sign))
        return self._with(silenced(self.network, chosen), f"lesion of {len(chosen)} units")

    def replace(self, **arrays: Any) -> Model:
        """The model with other arrays; a number stands for all of an array.

        arrays: weights as trained (W_in, W_rec, b_rec, W_out, b_out), parameters of units (tau, those of the model),
        mask or sign. Under Dale's principle W_eff is relu(W_rec) times the sign, and so follows. Raises NotebookError
        where a name, a shape or a number is not allowed.
        """
        return self._with(replaced(self.network, arrays), *arrays)

    def _with(self, network: Network, *changes: str) -> Model:
        return dataclasses.replace(self, network=network, changes=(*self.changes, *changes))

    def _inputs(self, trials: Any) -> Float[np.ndarray, "time trial channel"]:
        """The inputs of trials, or one's own, in float32."""
        channels = self.task.channels
        remedy = (
            f"give [time, trial, channel] with the {len(channels)} channels {', '.join(channels)}"
        )
        if not isinstance(trials, Batch | np.ndarray | list):
            raise NotebookError(
                f"run takes trials or inputs, not {type(trials).__name__}; give model.trials(), or {remedy[5:]}"
            )
        given = trials.inputs if isinstance(trials, Batch) else trials
        try:
            inputs = np.asarray(given, np.float32)
        except (ValueError, TypeError):
            raise NotebookError(f"the inputs are no array of numbers; {remedy}") from None
        if inputs.ndim != 3 or inputs.shape[2] != len(channels) or not inputs.size:
            raise NotebookError(f"the inputs have shape {list(inputs.shape)}; {remedy}")
        if not np.isfinite(inputs).all():
            raise NotebookError("the inputs have numbers that are not finite; give others")
        return inputs

    def _state(self, x0: Any, trials: int) -> Float[np.ndarray, "trial state"]:
        """A state for every trial."""
        size = self.dynamics.size
        try:
            state = np.asarray(x0, np.float64)
        except (ValueError, TypeError):
            state = np.empty(0)
        if state.shape not in ((size,), (trials, size)) or not np.isfinite(state).all():
            of = f"{', '.join(self.states)} of {len(self.network.wiring.sign)} units"
            raise NotebookError(
                f"x0 has shape {list(state.shape)}; give [state] or [trial, state] of {trials} trials with {size} "
                f"finite numbers, {of}"
            )
        return np.broadcast_to(state, (trials, size))

    def _noise(
        self, seed: int | None, noise: Any, shape: tuple[int, int, int]
    ) -> tuple[int | None, Normals | None]:
        """The key of the noise, or the normals that were given; neither for no noise."""
        if noise is True or noise is False or noise is None:
            noise = seed if noise else None
        if noise is None or isinstance(noise, int | np.integer):
            return None if noise is None else rng.key(int(noise), "notebook"), None
        pair = noise if isinstance(noise, tuple) else (noise, np.zeros(shape))
        if len(pair) == 2 and all(np.shape(part) == shape for part in pair):
            return None, (np.asarray(pair[0]), np.asarray(pair[1]))
        what = f"of shape {list(np.shape(pair[0]))}" if np.ndim(pair[0]) else f"= {shown(noise)}"
        raise NotebookError(
            f"noise {what} is not allowed; give a seed, None, or standard normals [time, trial, unit], here "
            f"{list(shape)}, or a pair of them"
        )
