"""Every analysis of a population, with the arrays and the metrics that it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn.analysis import analyses
from ctrnn.analysis.blas import same_blas
from ctrnn.analysis.recording import Recording
from ctrnn.core.artifacts import rounded


@dataclass(frozen=True)
class Analysis:
    """arrays: of each npz file by its stem; metrics: of reports/analyze/<task>.json."""

    arrays: dict[str, dict[str, np.ndarray]]
    metrics: dict[str, Any]


@same_blas()
def analyze(recording: Recording) -> Analysis:
    """Run every analysis of the registry, and print what is left out of this task.

    Args:
        recording: The networks before and after training, and what they are tested on.

    Returns:
        The arrays of every analysis by its name, and the metrics of all, with six digits.

    Raises:
        ValueError: Two analyses give a metric the same name.
    """
    left_out = recording.task.left_out
    if left_out:
        print(f"analyze@{recording.task.name}: {left_out}", flush=True)
    arrays: dict[str, dict[str, np.ndarray]] = {}
    metrics: dict[str, Any] = {}
    for name, module in analyses().items():
        arrays[name], of_analysis = recording.once(module.compute)
        if taken := sorted(metrics.keys() & of_analysis.keys()):
            raise ValueError(
                f"{name} names a metric {taken[0]}, as another analysis does; rename it"
            )
        metrics |= of_analysis
    return Analysis(arrays, rounded(metrics | ({"left_out": left_out} if left_out else {})))
