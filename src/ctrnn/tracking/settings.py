"""Section `publish` of params.yaml."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from ctrnn.core.config import Section
from ctrnn.errors import shown

MOST_OF_NAME = 250  # characters of an experiment's name: the column of MLflow's store has 256


class PublishSettings(Section):
    """Section `publish`."""

    changes_no_result: ClassVar[frozenset[str]] = frozenset({"live"})

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
