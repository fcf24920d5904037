"""Sections of params.yaml: strict types, no unknown key, immutable. Each room brings the sections that it uses.

Every setting is required, so that what a run used is what stands in the file. Times are in time steps of `network.dt`
where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

# Networks calculate with 32-bit floats, which end at 3e38; arrays are counted with 64-bit integers.
LARGEST = 1e30
MOST = 2**31 - 1
MOST_IN_LIST = 10_000

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=LARGEST)]
NotNegative = Annotated[float, Field(ge=0, le=LARGEST)]
Duration = Annotated[float, Field(ge=1e-9, le=1e9)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Step = Annotated[int, Field(ge=0, le=MOST)]


class Section(BaseModel):
    """A section of params.yaml.

    changes_no_result: names of settings that decide how fast a result comes, or what is shown on the way, and never
    the result. No stage names them in dvc.yaml, and none writes them into a file. renamed: names of before -> names of
    now; weights files and runs of before are read with them, a params.yaml is told the new name.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    changes_no_result: ClassVar[frozenset[str]] = frozenset()
    renamed: ClassVar[dict[str, str]] = {}

    @classmethod
    def with_names_of_now(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The same settings, each under the name that it has now."""
        return {cls.renamed.get(name, name): value for name, value in settings.items()}

    def decisive(self) -> dict[str, Any]:
        """The settings that decide a result, by name."""
        return self.model_dump(exclude=set(self.changes_no_result))
