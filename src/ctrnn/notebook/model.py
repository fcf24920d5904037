"""A trained network with its task: run it, perturb it, change it, and look into it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from ctrnn import kernel, params
from ctrnn.analysis.dynamics import Dynamics, dynamics_of
from ctrnn.analysis.fixed_points import points_near, visited_states
from ctrnn.analysis.lesions import silenced
from ctrnn.analysis.points import FixedPoints
from ctrnn.core import rng
from ctrnn.dynamics.models import models
from ctrnn.errors import ParamsError, format_validation_error, nearest
from ctrnn.evaluation import by_output
from ctrnn.network import Backend, Network, SupervisedTrials, Trials
from ctrnn.network.native_backend import prepared
from ctrnn.notebook import checks
from ctrnn.notebook.changes import NotebookError, replaced, units_of
from ctrnn.notebook.interventions import Trajectory, simulate
from ctrnn.notebook.planes import Flow, Plane, flow
from ctrnn.notebook.points import search_settings
from ctrnn.notebook.results import Arrays, analysis
from ctrnn.params import memory
from ctrnn.tasks import Batch, Task, trial_table

if TYPE_CHECKING:
    from ctrnn.notebook.torch_module import TorchNetwork
else:
    TorchNetwork = Any


@dataclass(frozen=True)
class NewTrials(Batch):
    """Trials of a task whose settings may differ from those of training; it scores them."""

    task: Task[Any]


@dataclass(frozen=True)
class Model:
    """A trained network with its task; a changed one is a new one.

    settings: sections of params.yaml, and `training`, how its training ended. source: the folder, or the id of the run
    in MLflow, that it was loaded from. changes: what was changed since, in words.
    """

    network: Network
    task: Task[Any]
    settings: dict[str, Any]
    backend: Backend
    source: Path | str | None = None
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
                "run it: trials, run, outcomes; change it: lesion, replace",
                "look into it: fixed_points, jacobian, flow, gradients, analysis, dynamics, network",
                "take it elsewhere: to_torch, to_mat",
            ]
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Without what follows from its fields: the equations are functions that are made, not imported."""
        return Model, tuple(getattr(self, field.name) for field in dataclasses.fields(self))

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
            perturb: Interventions, or one: `ctrnn.Current`, `ctrnn.Clamp`, `ctrnn.Displacement`.

        Returns:
            Rates, outputs and states.

        Raises:
            NotebookError: Something has not the shape that the network or the task gives it.
            ParamsError: A time of an intervention is no whole number of steps.
        """
        inputs, sizes = checks.inputs_of(trials, self.task), (self.dynamics.size, self.states)
        shape = (*inputs.shape[:2], len(self.network.wiring.sign))
        key, normals = checks.noise_of(seed, noise, shape)
        start = None if x0 is None else checks.start_of(x0, shape[1], *sizes)

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

        arrays: weights as trained (W_in, W_rec, b_rec, W_out, b_out), parameters of units (tau, the model's own),
        mask or sign. Under Dale's principle W_eff is relu(W_rec) times the sign, and so follows. Raises NotebookError
        where a name, a shape or a number is not allowed.
        """
        return self._with(replaced(self.network, arrays), *arrays)

    def fixed_points(
        self,
        inputs: Any = None,
        *,
        trials: Batch | None = None,
        visited: Any = None,
        **settings: Any,
    ) -> FixedPoints:
        """Fixed and slow points of the noise-free dynamics, as the analysis looks for them.

        Args:
            inputs: The constant input: [channel], or the name of one of the task's; None for no input.
            trials: Those whose states the search begins at; None for new ones. With the test trials of the checkout, a
                constant input of a task that draws no times has the points of fixed_points.npz.
            visited: Such states of one's own, [..., state], in place of trials.
            settings: Of `analyze.fixed_points` in params.yaml, where they differ from the shipped ones.

        Returns:
            The points: states `x`, `outputs`, which are `stable`, `saddles` or `slow`, `time_constants` and more.

        Raises:
            NotebookError: The input or the states do not fit the network.
            ParamsError: A setting is not allowed.
        """
        constant, search = checks.constant_input(inputs, self.task), search_settings(settings)
        seed = self.settings.get("training", {}).get("seed", 0)
        random = rng.generator(seed, "analyze", "fixed_points", constant.name)
        with threadpool_limits(
            1, "blas"
        ):  # as the analysis does: matrices of this size wait for more
            if visited is None:
                begin, seen = self.task.steps.baseline, trials or self.trials()
                states = visited_states(self.dynamics, constant, seen, begin, random)
            else:
                states = self._states_of(visited, "visited").reshape(-1, self.dynamics.size)
            return points_near(self.dynamics, np.array(constant.inputs), states, search, random)

    def jacobian(self, x: Any) -> Float[np.ndarray, "*point post pre"]:
        """dF/dx at a state [state], or at states [..., state]; F is the velocity per time constant of each unit.

        Of rate units -I + W_eff diag(f'(x)), whatever the input. `dynamics.map_jacobian` is the derivative of a step.
        Raises NotebookError where the state does not fit the network.
        """
        states = self._states_of(x, "x")
        J = self.dynamics.jacobian(states.reshape(-1, states.shape[-1]))
        return J.reshape(*states.shape, states.shape[-1])

    def flow(self, plane: Any, inputs: Any = None, n: int = 21) -> Flow:
        """Where the state moves without noise, at n x n places of a plane of state space.

        Args:
            plane: A `ctrnn.Plane`; or states [..., state], for the plane of their first two principal components.
            inputs: The constant input, as in `fixed_points`.
            n: Places along each axis.

        Returns:
            Velocities along the axes of the plane, per ms.

        Raises:
            NotebookError: The plane or the input does not fit the network.
        """
        constant = checks.constant_input(inputs, self.task)
        if not isinstance(plane, Plane):
            plane = Plane.through(self._states_of(plane, "plane"))
        return flow(self.dynamics, plane, np.array(constant.inputs), n)

    def gradients(
        self,
        trials: Any,
        seed: int | None = 0,
        by: Collection[str] | None = None,
        rate_penalty: float = 0.0,
    ) -> tuple[float, dict[str, np.ndarray]]:
        """Loss on trials, and its gradient by what is trained, as training computes them.

        Args:
            trials: With targets and mask, as `trials` gives them.
            seed: Of the noise, as in `run`; None for no noise.
            by: Weights, and parameters such as tau; None for every weight and the parameters that were trained.
            rate_penalty: Factor of mean(r^2) in the loss.

        Returns:
            The loss of the task where the mask counts, plus the penalty; and its gradients by name.

        Raises:
            NotebookError: The trials have no targets, or a name is none of the network's.
        """
        if not isinstance(trials, Batch):
            raise NotebookError(
                f"gradients takes trials, which have targets, not {type(trials).__name__}; give model.trials()"
            )
        inputs = checks.inputs_of(trials, self.task)
        names = [*self.network.weights, *(self.network.parameters.keys() - {"dt", "sigma"})]
        for name in by or ():
            if name not in names:
                raise NotebookError(f"{name} is nothing to be trained; {nearest(name, names)}")
        key, _ = checks.noise_of(seed, True, (0, 0, 0))
        batch = SupervisedTrials(
            inputs, key, trials.targets, trials.mask, rate_penalty, self.task.loss
        )
        wanted = frozenset(self.network.weights if by is None else by)
        return self.backend.loss_and_gradients([self.network], [batch], wanted)[0]

    def analysis(self, name: str) -> Arrays:
        """The arrays of an analysis of the population that this network is of, such as `fixed_points`; read-only.

        name: of a file artifacts/analyze/<task>/<name>.npz, see docs/reference/files.md. Raises NotebookError where
        there is no such analysis, or where the network was changed since.
        """
        if self.source is None or self.changes:
            why = f"was changed ({', '.join(self.changes)})" if self.changes else "was not loaded"
            raise NotebookError(
                f"the network {why}, and the analyses are of those that were trained; ask a model of ctrnn.load"
            )
        return analysis(self.source, self.task.name, name)

    def to_torch(self) -> TorchNetwork:
        """The network as a module of torch, whose rates are those of `run` to rounding; see `TorchNetwork`."""
        from ctrnn.notebook.torch_module import TorchNetwork  # torch takes seconds to import

        return TorchNetwork(self.network)

    def to_mat(self, path: str | Path) -> None:
        """Write the network as a file of MATLAB: weights as trained and as they act, wiring, parameters, settings.

        path: of the file, `.mat`. W_in_eff, W_eff and W_out_eff are the weights that act; vectors are columns, and
        `settings` is JSON. Raises NotebookError where the file cannot be written.
        """
        from scipy.io import savemat

        network, effective = self.network, self.network.effective_weights
        arrays: dict[str, Any] = {**network.arrays(), **network.parameters}
        arrays |= {f"{name}_eff": effective[name] for name in ("W_in", "W_out")}
        arrays |= {
            "sigma_post": network.wiring.sigma_post,
            "inputs": list(self.task.channels),
            "outputs": list(self.task.outputs),
            "settings": json.dumps(self.settings),
        }
        content = BytesIO()
        savemat(content, arrays, oned_as="column", do_compression=False)
        try:
            Path(path).write_bytes(content.getvalue())
        except OSError as error:
            raise NotebookError(
                f"{path} cannot be written ({error.strerror}); give a file in a folder that there is"
            ) from None

    def _states_of(self, states: Any, name: str) -> Float[np.ndarray, "*any state"]:
        return checks.states_of(states, name, self.dynamics.size, self.states)

    def _with(self, network: Network, *changes: str) -> Model:
        return dataclasses.replace(self, network=network, changes=(*self.changes, *changes))
