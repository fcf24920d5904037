"""Section `report` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ctrnn.core.config import Section


class ReportSettings(Section):
    """Section `report`."""

    figures: bool
    dpi: Annotated[int, Field(ge=40, le=600)]
