"""Section `train` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from ctrnn.core.config import LARGEST, MOST, Count, NotNegative, Positive, Section, Share


def _form(value: Any) -> str:
    return "(word)" if isinstance(value, str) else "(number)"


# Where the brackets of a tag stand, `errors` knows that it is no key.
CoarseStep = Annotated[
    Annotated[Literal["auto"], Tag("(word)")]
    | Annotated[Annotated[float, Field(gt=0, le=MOST)], Tag("(number)")],
    Discriminator(_form),
]


class Trainable(Section):
    """Section `train.trainable`: which arrays of a network are trained.

    tau: every unit's own time constant. parameters: names of those of `network.model`, each unit's own. Both may be
    left out, as in a params.yaml from before there were.
    """

    W_in: bool
    W_rec: bool
    b_rec: bool
    W_out: bool
    b_out: bool
    tau: bool = False
    parameters: list[str] = Field(default_factory=list)

    @property
    def names(self) -> frozenset[str]:
        """Names of the trained arrays."""
        arrays = self.model_dump(exclude={"parameters"})
        return frozenset([*(name for name, trained in arrays.items() if trained), *self.parameters])

    @property
    def of_units(self) -> frozenset[str]:
        """Names of the trained parameters of units."""
        return frozenset(["tau"] * self.tau + self.parameters)

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


class EarlyAbandon(Section):
    """Section `train.early_abandon`: which networks are given up."""

    after: Count
    below: Share


class TrainSettings(Section):
    """Section `train`: how many networks are trained, how, and until when."""

    changes_no_result: ClassVar[frozenset[str]] = frozenset({"threads", "checkpoint_every"})
    renamed: ClassVar[dict[str, str]] = {
        "trials_per_batch": "batch_size",
        "stop_at": "stop_criterion",
        "checks_in_a_row": "patience",
        "hopeless": "early_abandon",
    }
    # Settings that decide which networks there are, or whether the stage fails, and nothing of one network.
    of_the_population: ClassVar[frozenset[str]] = frozenset({"n_networks", "require_convergence"})

    def of_one_network(self) -> dict[str, Any]:
        """The settings that decide how one network is trained, by name."""
        return {k: v for k, v in self.decisive().items() if k not in self.of_the_population}

    n_networks: Count
    backend: Literal["native", "torch", "reference", "reference64"]
    device: Literal["cpu", "cuda", "mps"]
    threads: Count | None
    batch_size: Count
    learning_rate: Positive
    beta_1: Annotated[float, Field(ge=0, lt=1)]
    beta_2: Annotated[float, Field(ge=0, lt=1)]
    epsilon: Annotated[float, Field(ge=1e-30, le=LARGEST)]
    clip_norm: Positive | None
    max_iterations: Count
    check_every: Count
    checkpoint_every: NotNegative
    stop_criterion: Literal["accuracy", "loss", "either", "both"]
    accuracy_criterion: Share
    loss_criterion: NotNegative
    patience: Count
    early_abandon: EarlyAbandon | None
    require_convergence: bool
    trainable: Trainable
    penalties: Penalties
    coarse_dt: CoarseStep | None = (
        None  # may be left out, as in a params.yaml from before there was one
    )

    @model_validator(mode="after")
    def _device(self) -> Self:
        if self.backend != "torch" and self.device != "cpu":
            raise ValueError(
                f"device = {self.device!r} needs {{section}}.backend = 'torch'; "
                f"the {self.backend} backend runs on 'cpu'"
            )
        return self

    @model_validator(mode="after")
    def _criterion(self) -> Self:
        if self.loss_criterion == 0 and self.stop_criterion in ("loss", "both"):
            raise ValueError(
                "loss_criterion = 0 cannot be undercut, which "
                f"{{section}}.stop_criterion = {self.stop_criterion!r} asks for; give a loss_criterion above 0"
            )
        return self
