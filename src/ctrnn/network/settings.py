"""Section `network` of params.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from ctrnn.core.config import LARGEST, Duration, NotNegative, Section, Share
from ctrnn.dynamics.activations import ACTIVATIONS
from ctrnn.dynamics.model import Parameter
from ctrnn.dynamics.models import models, names
from ctrnn.errors import nearest

MOST_UNITS = 46_340  # whose square, the number of places for a synapse, is at most MOST
MOST_STEPS_OF_TAU = 100_000  # the linearisation runs twice as many


Finite = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]


class PairDensities(Section):
    """Densities of the recurrent pattern by pair, the postsynaptic population first: `ei` is from I to E."""

    ee: Share
    ei: Share
    ie: Share
    ii: Share


def _kind(value: Any) -> str:
    return "(section)" if isinstance(value, dict | PairDensities) else "(number)"


# Where the brackets of a tag stand, `errors` knows that it is no key.
Density = Annotated[
    Annotated[Share, Tag("(number)")] | Annotated[PairDensities, Tag("(section)")],
    Discriminator(_kind),
]


class ByPopulation(Section):
    """A parameter's value in excitatory and in inhibitory units."""

    excitatory: Finite
    inhibitory: Finite


def _form(value: Any) -> str:
    if isinstance(value, dict | ByPopulation):
        return "(section)"
    return "(list)" if isinstance(value, list | tuple) else "(number)"


# Of a parameter of the model: of all units, by population, or values that the units take in turn.
ParameterValue = Annotated[
    Annotated[Finite, Tag("(number)")]
    | Annotated[ByPopulation, Tag("(section)")]
    | Annotated[list[Finite], Field(min_length=1, max_length=MOST_UNITS), Tag("(list)")],
    Discriminator(_form),
]


class NetworkSettings(Section):
    """Section `network`: the equations of a network and how its weights start.

    model and parameters may be left out, as in a params.yaml from before there were several models.
    """

    model: Literal[tuple(names())] = "rate"  # type: ignore[valid-type]
    parameters: dict[str, ParameterValue] = Field(default_factory=dict)
    n_units: Annotated[int, Field(ge=1, le=MOST_UNITS)]
    dt: Duration
    tau: Duration
    tau_inh: Duration | None
    activation: Literal[tuple(ACTIVATIONS)]  # type: ignore[valid-type]
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

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, given: Any) -> Any:
        """The parameters that are left out get their defaults, so that weights files hold all of them."""
        if not isinstance(given, Mapping) or not isinstance(given.get("parameters", {}), Mapping):
            return given
        model = models().get(given.get("model", "rate"))
        own = model.parameters if model else {}
        defaults = {
            name: list(p.default) if isinstance(p.default, tuple) else p.default
            for name, p in own.items()
        }
        return {**given, "parameters": {**defaults, **given.get("parameters", {})}}

    @model_validator(mode="after")
    def _parameters(self) -> Self:
        parameters = models()[self.model].parameters
        for name, value in self.parameters.items():
            if name not in parameters:
                remedy = nearest(name, parameters) if parameters else "give {}"
                raise ValueError(
                    f"parameters.{name} is no parameter of {{section}}.model = {self.model!r}; {remedy}"
                )
            for number in numbers_of(value):
                if fault := out_of_range(number, parameters[name], self.dt):
                    raise ValueError(f"parameters.{name} = {number:g} {fault}")
        return self

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


def range_of(parameter: Parameter | None, dt: float, step: float) -> tuple[float, float]:
    """What a parameter may be while it is trained at steps of `step` ms; None: tau. dt: `network.dt`."""
    if parameter is None:
        return step, MOST_STEPS_OF_TAU * dt
    least = step if parameter.at_least == "dt" else parameter.at_least
    return (
        -LARGEST if least is None else least,
        LARGEST if parameter.at_most is None else parameter.at_most,
    )


def numbers_of(value: Any) -> list[float]:
    """Every number in the value of a parameter."""
    if isinstance(value, ByPopulation):
        return [value.excitatory, value.inhibitory]
    return value if isinstance(value, list) else [value]


def out_of_range(number: float, parameter: Parameter, dt: float) -> str | None:
    """What is wrong with a parameter's value, and what is allowed."""
    least = dt if parameter.at_least == "dt" else parameter.at_least
    of_dt = " of {section}.dt" if parameter.at_least == "dt" else ""
    unit = "" if parameter.unit == "1" else f" {parameter.unit}"
    if least is not None and number < least:
        return f"is below {least:g}{unit}{of_dt}; give at least {least:g}"
    if parameter.at_most is not None and number > parameter.at_most:
        return f"is above {parameter.at_most:g}{unit}; give at most {parameter.at_most:g}"
    return None
