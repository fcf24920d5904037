"""Every analysis of a population, with the arrays and the metrics that it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctrnn.analysis import mechanism, outside_training, points_report, representation
from ctrnn.analysis.blas import same_blas
from ctrnn.analysis.connectivity import connectivity_metrics, spectra, weight_distributions
from ctrnn.analysis.late_selection import late_selection
from ctrnn.analysis.recording import record
from ctrnn.analysis.settings import AnalyzeSettings
from ctrnn.analysis.similarity import similarities
from ctrnn.core import rng
from ctrnn.core.population import mean_sd, rounded
from ctrnn.network import Backend, Network
from ctrnn.tasks import Batch, Task


@dataclass(frozen=True)
class Analysis:
    """arrays: of each npz file by its stem; metrics: of reports/analyze/<task>.json."""

    arrays: dict[str, dict[str, np.ndarray]]
    metrics: dict[str, Any]


@same_blas()
def analyze(
    task: Task[Any],
    test: Batch,
    before: Sequence[Network],
    after: Sequence[Network],
    seed: int,
    settings: AnalyzeSettings,
    backend: Backend,
) -> Analysis:
    """Open up the networks before and after training, and say what is left out of this task."""
    if task.left_out:
        print(f"analyze@{task.name}: {task.left_out}", flush=True)
    seeds = rng.network_seeds(seed, len(after))
    runs = [
        record(task, test, nets, seeds, settings.trials_per_condition, settings.time_bin, backend)
        for nets in (before, after)
    ]
    recordings = runs[1]
    each = [
        representation.represent(recording, network, seed, settings)
        for recording, network, seed in zip(recordings, after, seeds, strict=True)
    ]
    spaces = [one.space for one in each]
    names = representation.regressors(each)
    targeted = representation.common(names, each, "targeted")
    roles = representation.common(names, each, "arrays")
    epochs = task.constant_inputs()
    found = mechanism.portraits(task, test, after, seeds, settings.fixed_points)
    lesions, lesion_metrics = outside_training.silence(
        task, test, after, names, roles["d_prime"], seeds, settings.lesions, backend
    )
    tested = (seed, seeds, settings.generalisation, backend)
    curves, curve_metrics = outside_training.generalise(task, after, *tested)
    psychometric, psychometric_metrics = outside_training.choose(task, after, *tested)
    alike = {
        when: similarities([one.averages for one in run])
        for when, run in zip(("before", "after"), runs, strict=True)
    }
    arrays = {
        "state_space": {
            "conditions": np.array(recordings[0].labels),
            "projections": np.stack([space.projections for space in spaces]),
            "explained_variance": np.stack([space.explained_variance for space in spaces]),
            "single_trial_variance": np.stack([one.single_trial_variance for one in each]),
        },
        "spectrum": {"before": spectra(before), "after": spectra(after)},
        "weights": weight_distributions(before, after, settings.weight_bins),
        "fixed_points": points_report.arrays(
            found, epochs, spaces, settings.fixed_points.tolerances
        ),
        "targeted": {"variables": np.array(names), **targeted},
        "roles": {"variables": np.array(names), **roles},
        "lesions": lesions,
        "generalisation": curves,
        "psychometric": psychometric,
        "similarity": alike,
    }
    rates = np.stack([one.averages for one in recordings])
    late = late_selection(recordings, names, targeted["projections"], epochs)
    metrics = {
        "explained_variance": [space.explained_variance.tolist() for space in spaces],
        "participation_ratio": mean_sd([space.participation_ratio for space in spaces]),
        "mean_rate": mean_sd(rates.mean(axis=(1, 2, 3), dtype=np.float64).tolist()),
        **points_report.metrics(found, epochs, task),
        **({"late_selection": late} if late else {}),
        **psychometric_metrics,
        **representation.role_metrics(names, roles),
        **lesion_metrics,
        **curve_metrics,
        "similarity": {when: mean_sd(_pairs(matrix)) for when, matrix in alike.items()},
        **connectivity_metrics(before, after),
        **({"left_out": task.left_out} if task.left_out else {}),
    }
    return Analysis(arrays, rounded(metrics))


def _pairs(matrix: np.ndarray) -> list[float]:
    """Entries above the diagonal: one for every two networks."""
    above: list[float] = matrix[np.triu_indices(len(matrix), 1)].tolist()
    return above
