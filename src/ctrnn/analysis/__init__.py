"""What is inside trained networks: one module an analysis, which defines `compute(recording) -> arrays, metrics`.

`arrays` become artifacts/analyze/<task>/<module>.npz; `metrics` go into reports/analyze/<task>.json and MLflow. A
module may define a Section, which becomes section `analyze.<module>` of params.yaml, and MEASURES for pages of sweeps.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

from ctrnn.core.config import modules_with


@cache
def analyses() -> dict[str, ModuleType]:
    """Every analysis by its name, which is that of its module."""
    return modules_with(__name__, "compute")


def sweep_measures() -> dict[str, tuple[str, str]]:
    """MEASURES of all analyses: for each column of a sweep's tables its metrics and its words.

    Returns:
        By column: a regular expression of the metrics' names in MLflow, where {} is the number of a network and of
        several metrics the mean counts; and what the column holds, in words.
    """
    return {
        name: measure
        for module in analyses().values()
        for name, measure in getattr(module, "MEASURES", {}).items()
    }
