"""Section `evaluate` of params.yaml."""

from __future__ import annotations

from ctrnn.core.config import Count, Section


class EvaluateSettings(Section):
    """Section `evaluate`."""

    sample_trials: Count
