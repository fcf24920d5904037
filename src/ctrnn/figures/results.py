"""What the figures of a task are drawn from: arrays and numbers, whoever has read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float


@dataclass(frozen=True)
class Results:
    """Results of a task.

    analysis_arrays: arrays of each analysis by its name. evaluation, analysis: metrics of reports/evaluate and
    reports/analyze. networks: a dict per network, with seed, iterations, converged and accuracies. history: rows of
    history.csv. test: table of the test trials. inputs, targets, labels: one trial of every condition. samples: arrays
    of outputs.npz. channels, outputs: names. window: steps of the response window. seen: whether trials of a condition
    are seen under each constant input. has_every_curve: generalisation leaves nothing out. left_out: what analyses left
    out of the task, as a sentence that follows another one.
    """

    analysis_arrays: Mapping[str, dict[str, np.ndarray]]
    evaluation: dict[str, Any]
    analysis: dict[str, Any]
    networks: list[dict[str, Any]]
    history: pd.DataFrame
    test: pd.DataFrame
    inputs: Float[np.ndarray, "time condition channel"]
    targets: Float[np.ndarray, "time condition output"]
    labels: list[str]
    samples: dict[str, np.ndarray]
    channels: tuple[str, ...]
    outputs: tuple[str, ...]
    window: slice
    evidence_unit: str
    seen: Bool[np.ndarray, "epoch condition"]
    has_every_curve: bool
    left_out: str
    activation: str
    accuracy_criterion: float
