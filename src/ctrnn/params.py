"""The schema of params.yaml, and its only reader.

Every key is required and no other is allowed, so that what a run used is what stands in the file. Times are in
time steps of `network.dt` where nothing else is said.
"""

from __future__ import annotations

import importlib
import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from ctrnn.complaints import ParamsError, first_complaint, nearest

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Step = Annotated[int, Field(ge=0)]

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
    curriculum: list[CurriculumStep]

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

    n_units: Count
    dt: Positive
    tau: Positive
    tau_inh: Positive | None
    activation: Literal["sigmoid", "relu"]
    dale: bool
    dale_inputs: bool
    dale_readout: bool
    p_rec: Density
    self_connections: bool
    p_inh: Share
    inhibitory_count: Literal["exact", "random"]
    weight_distribution: Literal["gaussian", "gamma", "lognormal"]
    gamma_shape: Positive
    lognormal_sigma: Positive
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
    epsilon: Positive
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


class EvaluateSettings(Section):
    """Section `evaluate`."""

    sample_trials: Count


class FixedPointSettings(Section):
    """Section `analyze.fixed_points`."""

    starts: Count
    iterations: Count
    tolerances: Annotated[list[Positive], Field(min_length=1)]
    merge_distance: Positive
    outlier_distance: Positive

    @model_validator(mode="after")
    def _falling(self) -> Self:
        if any(later >= earlier for earlier, later in pairwise(self.tolerances)):
            raise ValueError(
                f"tolerances = {self.tolerances} do not fall; "
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

    doses: Annotated[list[Share], Field(min_length=1)]
    draws: Count
    trials_per_condition: Count


class GeneralisationSettings(Section):
    """Section `analyze.generalisation`: values of settings outside training, for the tasks that have the setting."""

    trials_per_condition: Count
    delay: list[Step]
    response_delay: list[Step]
    stim_dur: list[Positive]
    evidence: list[Positive]
    noise: list[NotNegative]
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


class Params(Section):
    """The whole of params.yaml."""

    seed: Annotated[int, Field(ge=0)]
    tasks: dict[str, TaskSettings]
    network: NetworkSettings
    train: TrainSettings
    evaluate: EvaluateSettings
    analyze: AnalyzeSettings
    report: ReportSettings
    publish: PublishSettings

    @property
    def network_seeds(self) -> list[int]:
        """Seeds of the networks 0 .. n_networks - 1."""
        return [self.seed + index for index in range(self.train.n_networks)]

    def task(self, name: str) -> TaskSettings:
        """Settings of a task. Raises ParamsError where params.yaml has no such section."""
        if name not in self.tasks:
            raise ParamsError(f"tasks.{name} is not in params.yaml; {nearest(name, self.tasks)}")
        return self.tasks[name]


class _Loader(yaml.SafeLoader):
    """Reads 1e-05, which DVC writes, as a number: YAML 1.1 wants 1.0e-05."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check a params.yaml.

    Raises ParamsError, with one sentence that names key, value, what is allowed and the nearest key.
    """
    try:
        text = Path(path).read_text()
    except FileNotFoundError:
        raise ParamsError(f"{path} does not exist; run from the folder that holds it") from None
    return parse(text, path)


def parse(text: str, path: str | Path) -> Params:
    """What `load` makes of a file that holds this text; `path` is its name in a sentence."""
    try:
        raw = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ParamsError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ParamsError(f"{path} = {raw!r} is not a mapping; give the sections {_sections()}")
    return check(raw)


def check(raw: dict[str, Any]) -> Params:
    """Params from the mapping that a params.yaml holds. Raises ParamsError as `load` does."""
    importlib.import_module("ctrnn.tasks")  # tasks bring their settings; they import this module
    tasks = raw.get("tasks")
    if "tasks" in raw and (not isinstance(tasks, dict) or not tasks):
        raise ParamsError(f"tasks = {tasks!r} names no task; give at least one of {_known()}")
    checked: dict[str, TaskSettings] = {}
    for name, section in (tasks or {}).items():
        checked[name] = check_task(name, section)
    params = _validate(Params, {**raw, "tasks": checked} if "tasks" in raw else raw, "")
    for name, task in params.tasks.items():
        if task.train_trials < params.train.trials_per_batch:
            raise ParamsError(
                f"tasks.{name}.train_trials = {task.train_trials} is less than "
                f"train.trials_per_batch = {params.train.trials_per_batch}; "
                "give at least one batch of trials"
            )
    return params


def check_task(name: str, section: Any) -> TaskSettings:
    """Settings of a task from the mapping that section tasks.<name> holds. Raises ParamsError as `load` does."""
    if name not in TaskSettings.registry:
        known = TaskSettings.registry
        raise ParamsError(f"tasks.{name} is not a task; {nearest(str(name), known)}")
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


def _validate(section: type[S], raw: Any, where: str) -> S:
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        raise ParamsError(first_complaint(error, section, where)) from None


def _known() -> str:
    return ", ".join(TaskSettings.registry)


def _sections() -> str:
    return ", ".join(Params.model_fields)
