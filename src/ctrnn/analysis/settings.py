"""Section `analyze` of params.yaml."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from ctrnn.core.config import MOST_IN_LIST, Count, NotNegative, Positive, Section, Share, Step
from ctrnn.errors import shown
from ctrnn.tasks.settings import MOST_STRENGTHS


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
