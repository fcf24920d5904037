"""The schema of params.yaml, and its only reader.

Every key is required and no other is allowed, so that what a run used is what stands in the file. Times are in
time steps of `network.dt` where nothing else is said.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from ctrnn import dialect, streams
from ctrnn.complaints import ParamsError, nearest, shown, shown_key
from ctrnn.schema import first_complaint, keys_of

# Networks calculate with 32-bit floats, which end at 3e38; arrays are counted with 64-bit integers.
LARGEST = 1e30
MOST = 2**31 - 1
MOST_UNITS = 46_340  # whose square, the number of places for a synapse, is at most MOST
MOST_IN_LIST = 10_000
MOST_OF_NAME = 250  # characters of an experiment's name: the column of MLflow's store has 256
MOST_STRENGTHS = 100  # of evidence, of which some tasks show every combination
MOST_STEPS_OF_TAU = 100_000  # the linearisation runs twice as many

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=LARGEST)]
NotNegative = Annotated[float, Field(ge=0, le=LARGEST)]
Duration = Annotated[float, Field(ge=1e-9, le=1e9)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Step = Annotated[int, Field(ge=0, le=MOST)]

S = TypeVar("S", bound="Section")


class Section(BaseModel):
    """A section of params.yaml: strict types, no unknown key, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CurriculumStep(Section):
    """A step of a task's curriculum: settings of the task that it changes, and the accuracy that ends it."""

    settings: dict[str, Any]
    until: Share


class TaskSettings(Section):
    """What every task sets. A task's file in `ctrnn.tasks` derives its own settings from this."""

    registry: ClassVar[dict[str, type[TaskSettings]]] = {}

    T: Count
    loss_over: Literal["trial", "baseline_and_response"]
    train_trials: Count
    validation_trials: Count
    test_trials: Count
    curriculum: Annotated[list[CurriculumStep], Field(max_length=100)]

    def at(self, step: CurriculumStep) -> Self:
        """The settings of a step. Raises pydantic's ValidationError where they are not allowed."""
        return type(self).model_validate({**self.model_dump(), "curriculum": [], **step.settings})

    def __init_subclass__(cls, task: str | None = None, **kwargs: Any) -> None:
        """Enter the settings of `task` into the registry that `load` reads."""
        super().__init_subclass__(**kwargs)
        if task is not None:
            TaskSettings.registry[task] = cls


class PairDensities(Section):
    """Densities of the recurrent pattern by pair, the postsynaptic population first: `ei` is from I to E."""

    ee: Share
    ei: Share
    ie: Share
    ii: Share


def _kind(value: Any) -> str:
    return "(section)" if isinstance(value, dict | PairDensities) else "(number)"


# Where the brackets of a tag stand, `complaints` knows that it is no key.
Density = Annotated[
    Annotated[Share, Tag("(number)")] | Annotated[PairDensities, Tag("(section)")],
    Discriminator(_kind),
]


class NetworkSettings(Section):
    """Section `network`: the equations of a network and how its weights start."""

    n_units: Annotated[int, Field(ge=1, le=MOST_UNITS)]
    dt: Duration
    tau: Duration
    tau_inh: Duration | None
    activation: Literal["sigmoid", "relu"]
    dale: bool
    dale_inputs: bool
    dale_readout: bool
    p_rec: Density
    self_connections: bool
    p_inh: Share
    inhibitory_count: Literal["exact", "random"]
    weight_distribution: Literal["gaussian", "gamma", "lognormal"]
    gamma_shape: Annotated[float, Field(ge=1e-3, le=1e6)]
    lognormal_sigma: Annotated[float, Field(gt=0, le=10)]
    w_gain: NotNegative
    gain: Literal["spectral_radius", "scale"]
    balance_rows: bool
    centring_bias: bool
    W_in_sd: NotNegative
    readout_start: Literal["gaussian", "uniform"]
    readout_sd: NotNegative
    sigma_pre: NotNegative
    sigma_post: NotNegative
    noise_scaling: Literal["stationary", "tutorial"]

    @model_validator(mode="after")
    def _time_constants(self) -> Self:
        for key, tau in (("tau", self.tau), ("tau_inh", self.tau_inh)):
            if tau is not None and tau < self.dt:
                raise ValueError(
                    f"{key} = {tau:g} is shorter than {{section}}.dt = {self.dt:g}; "
                    f"give {key} >= dt"
                )
            if tau is not None and tau > MOST_STEPS_OF_TAU * self.dt:
                raise ValueError(
                    f"{key} = {tau:g} is longer than {MOST_STEPS_OF_TAU} steps of {{section}}.dt = {self.dt:g}, "
                    f"of which one changes next to nothing; give {key} <= {MOST_STEPS_OF_TAU} dt"
                )
        return self


class Trainable(Section):
    """Section `train.trainable`: which arrays of a network are trained."""

    W_in: bool
    W_rec: bool
    b_rec: bool
    W_out: bool
    b_out: bool

    @property
    def names(self) -> frozenset[str]:
        """Names of the trained arrays."""
        return frozenset(name for name, trained in self.model_dump().items() if trained)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.names:
            raise ValueError("W_rec = False and so are all others; set at least one of them true")
        return self


class Penalties(Section):
    """Section `train.penalties`: what is added to the loss, each a factor times a mean square."""

    rates: NotNegative
    W_rec: NotNegative
    W_out: NotNegative


class Hopeless(Section):
    """Section `train.hopeless`: which networks are given up."""

    after: Count
    below: Share


class TrainSettings(Section):
    """Section `train`: how many networks are trained, how, and until when."""

    n_networks: Count
    backend: Literal["native", "torch"]
    device: Literal["cpu", "cuda", "mps"]
    threads: Count | None
    trials_per_batch: Count
    learning_rate: Positive
    beta_1: Annotated[float, Field(ge=0, lt=1)]
    beta_2: Annotated[float, Field(ge=0, lt=1)]
    epsilon: Annotated[float, Field(ge=1e-30, le=LARGEST)]
    clip_norm: Positive | None
    max_iterations: Count
    check_every: Count
    checkpoint_every: NotNegative
    stop_at: Literal["accuracy", "loss", "either", "both"]
    accuracy_criterion: Share
    loss_criterion: NotNegative
    checks_in_a_row: Count
    hopeless: Hopeless | None
    require_convergence: bool
    trainable: Trainable
    penalties: Penalties

    @model_validator(mode="after")
    def _device(self) -> Self:
        if self.backend == "native" and self.device != "cpu":
            raise ValueError(
                f"device = {self.device!r} needs {{section}}.backend = 'torch'; "
                "the native backend runs on 'cpu'"
            )
        return self

    @model_validator(mode="after")
    def _criterion(self) -> Self:
        if self.loss_criterion == 0 and self.stop_at in ("loss", "both"):
            raise ValueError(
                f"loss_criterion = 0 cannot be undercut, which {{section}}.stop_at = {self.stop_at!r} asks for; "
                "give a loss_criterion above 0"
            )
        return self


class EvaluateSettings(Section):
    """Section `evaluate`."""

    sample_trials: Count


class FixedPointSettings(Section):
    """Section `analyze.fixed_points`."""

    starts: Count
    iterations: Count
    tolerances: Annotated[list[Positive], Field(min_length=1, max_length=100)]
    merge_distance: Positive
    outlier_distance: Positive

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if any(later >= earlier for earlier, later in pairwise(self.tolerances)):
            raise ValueError(
                f"tolerances = {shown(self.tolerances)} do not fall; "
                "give the largest of {section}.tolerances first"
            )
        return self


class RoleSettings(Section):
    """Section `analyze.roles`."""

    permutations: Count
    false_discovery_rate: Share
    silent_rate: NotNegative
    saturated_rate: Positive


class LesionSettings(Section):
    """Section `analyze.lesions`."""

    doses: Annotated[list[Share], Field(min_length=1, max_length=100)]
    draws: Count
    trials_per_condition: Count


class GeneralisationSettings(Section):
    """Section `analyze.generalisation`: values of settings outside training, for the tasks that have the setting."""

    trials_per_condition: Count
    delay: Annotated[list[Step], Field(max_length=MOST_IN_LIST)]
    response_delay: Annotated[list[Step], Field(max_length=MOST_IN_LIST)]
    stim_dur: Annotated[list[Positive], Field(max_length=MOST_IN_LIST)]
    evidence: Annotated[list[Positive], Field(max_length=MOST_STRENGTHS)]
    noise: Annotated[list[NotNegative], Field(max_length=MOST_IN_LIST)]
    bootstraps: Count


class AnalyzeSettings(Section):
    """Section `analyze`."""

    trials_per_condition: Count
    n_components: Count
    weight_bins: Count
    time_bin: Count
    denoise_components: Count
    fixed_points: FixedPointSettings
    roles: RoleSettings
    lesions: LesionSettings
    generalisation: GeneralisationSettings


class ReportSettings(Section):
    """Section `report`."""

    figures: bool
    dpi: Annotated[int, Field(ge=40, le=600)]


class PublishSettings(Section):
    """Section `publish`."""

    experiment: Annotated[str, Field(min_length=1)]
    live: bool

    @model_validator(mode="after")
    def _one_line(self) -> Self:
        name = self.experiment
        if len(name) > MOST_OF_NAME or not name.isprintable() or name != name.strip():
            raise ValueError(
                f"experiment = {shown(name)} is no name that MLflow shows as it is; give at most {MOST_OF_NAME} "
                "printable characters on one line, without a space at either end"
            )
        return self


class Params(Section):
    """The whole of params.yaml."""

    seed: Annotated[int, Field(ge=0, le=10**18)]
    tasks: dict[str, TaskSettings]
    network: NetworkSettings
    train: TrainSettings
    evaluate: EvaluateSettings
    analyze: AnalyzeSettings
    report: ReportSettings
    publish: PublishSettings

    @property
    def network_seeds(self) -> list[int]:
        """Seeds of the networks 0 .. n_networks - 1: 53 bits, which every float holds exactly.

        Each is a hash of (seed, index), so that populations of neighbouring seeds share no network.
        """
        return [streams.key(self.seed, "network", i) >> 11 for i in range(self.train.n_networks)]

    def task(self, name: str) -> TaskSettings:
        """Settings of a task. Raises ParamsError where params.yaml has no such section."""
        if name not in self.tasks:
            raise ParamsError(f"tasks.{name} is not in params.yaml; {nearest(name, self.tasks)}")
        return self.tasks[name]


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check a params.yaml.

    Raises ParamsError, with one sentence that names key, value, what is allowed and the nearest key.
    """
    return _checked(dialect.read(path), path)


def parse(text: str, path: str | Path) -> Params:
    """What `load` makes of a file that holds this text; `path` is its name in a sentence."""
    return _checked(dialect.parse(text, path), path)


def check(raw: Mapping[str, Any]) -> Params:
    """Params from the mapping that a params.yaml holds. Raises ParamsError as `load` does."""
    there_are = importlib.import_module("ctrnn.tasks")  # which imports this module
    tasks = raw.get("tasks")
    if "tasks" in raw and (not isinstance(tasks, dict) or not tasks):
        raise ParamsError(f"tasks = {shown(tasks)} names no task; give at least one of {_known()}")
    checked = {name: check_task(name, section) for name, section in (tasks or {}).items()}
    params = _validate(Params, {**raw, "tasks": checked} if "tasks" in raw else raw, "")
    for name, task in params.tasks.items():
        there_are.check_trials(there_are.TASKS[name](task), params.train.trials_per_batch)
    return params


def check_task(name: Any, section: Any) -> TaskSettings:
    """Settings of a task from the mapping that section tasks.<name> holds. Raises ParamsError as `load` does."""
    if name not in TaskSettings.registry:
        known = TaskSettings.registry
        raise ParamsError(f"tasks.{shown_key(name)} is not a task; {nearest(str(name), known)}")
    task = _validate(TaskSettings.registry[name], section, f"tasks.{name}")
    for i, step in enumerate(task.curriculum):
        where = f"tasks.{name}.curriculum.{i}.settings"
        if "curriculum" in step.settings:
            raise ParamsError(
                f"{where}.curriculum is not a setting of a step; give the steps in one list"
            )
        own = {**task.model_dump(), "curriculum": []}
        _validate(type(task), {**own, **step.settings}, where)
    return task


@cache
def every_key() -> list[str]:
    """Every setting and section that a params.yaml may hold, by dotted key."""
    of_tasks = (keys_of(one, f"tasks.{name}") for name, one in TaskSettings.registry.items())
    return [*keys_of(Params), *(key for keys in of_tasks for key in keys)]


def _checked(raw: Any, path: str | Path) -> Params:
    if not isinstance(raw, dict):
        raise ParamsError(
            f"{path} holds {shown(raw)}, which is not a mapping; give the sections {_sections()}"
        )
    return check(raw)


def _validate(section: type[S], raw: Any, where: str) -> S:
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        raise ParamsError(first_complaint(error, section, where, every_key())) from None


def _known() -> str:
    return ", ".join(TaskSettings.registry)


def _sections() -> str:
    return ", ".join(Params.model_fields)
