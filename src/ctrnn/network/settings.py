"""Section `network` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from ctrnn.core.config import Duration, NotNegative, Section, Share

MOST_UNITS = 46_340  # whose square, the number of places for a synapse, is at most MOST
MOST_STEPS_OF_TAU = 100_000  # the linearisation runs twice as many


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
