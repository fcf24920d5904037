"""Every analysis of a population, with the arrays and the metrics that it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn.analysis.connectivity import connectivity_metrics, spectra, weight_distributions
from ctrnn.analysis.state_space import condition_averages, principal_components
from ctrnn.network import Backend, Network
from ctrnn.params import AnalyzeSettings
from ctrnn.statistics import spread
from ctrnn.tasks import Batch


@dataclass(frozen=True)
class Analysis:
    """arrays: of each npz file by its stem; metrics: of reports/analyze/<task>.json."""

    arrays: dict[str, dict[str, np.ndarray]]
    metrics: dict[str, Any]


def analyze(
    test: Batch,
    before: Sequence[Network],
    after: Sequence[Network],
    seeds: Sequence[int],
    settings: AnalyzeSettings,
    backend: Backend,
) -> Analysis:
    """State space of the test trials, spectrum and weights of the networks before and after training."""
    labels, rates = condition_averages(test, after, seeds, settings.trials_per_condition, backend)
    spaces = [principal_components(one, settings.n_components) for one in rates]
    arrays = {
        "state_space": {
            "conditions": np.array(labels),
            "projections": np.stack([space.projections for space in spaces]),
            "explained_variance": np.stack([space.explained_variance for space in spaces]),
        },
        "spectrum": {"before": spectra(before), "after": spectra(after)},
        "weights": weight_distributions(before, after, settings.weight_bins),
    }
    metrics = {
        "explained_variance": [space.explained_variance.tolist() for space in spaces],
        "participation_ratio": spread([space.participation_ratio for space in spaces]),
        "mean_rate": spread(rates.mean(axis=(1, 2, 3), dtype=np.float64).tolist()),
        **connectivity_metrics(before, after),
    }
    return Analysis(arrays, metrics)
