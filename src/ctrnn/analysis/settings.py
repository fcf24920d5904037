"""Section `analyze` of params.yaml: the settings that analyses share, and a section for each that has its own."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from pydantic import create_model

from ctrnn.analysis import analyses
from ctrnn.analysis.recording import SharedSettings
from ctrnn.core.config import Section


def section_of(module: ModuleType) -> type[Section] | None:
    """The Section that an analysis defines, as opposed to those that it imports; None where it has no settings."""
    own = (
        kind for kind in vars(module).values() if getattr(kind, "__module__", "") == module.__name__
    )
    return next(
        (kind for kind in own if isinstance(kind, type) and issubclass(kind, Section)), None
    )


if TYPE_CHECKING:

    class AnalyzeSettings(SharedSettings):
        """Section `analyze`."""

        def __getattr__(self, name: str) -> Any:
            """The section of an analysis."""
else:
    AnalyzeSettings = create_model(
        "AnalyzeSettings",
        __base__=SharedSettings,
        __doc__="Section `analyze`.",
        __module__=__name__,
        **{
            name: (kind, ...) for name, module in analyses().items() if (kind := section_of(module))
        },
    )
