"""Lesions and generalisation of a population: arrays and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from ctrnn.analysis.generalisation import Curve, generalisation, psychometrics
from ctrnn.analysis.lesions import KINDS, half_width, lesions
from ctrnn.analysis.psychometric import Psychometric
from ctrnn.analysis.scoring import accuracies, measures
from ctrnn.analysis.settings import GeneralisationSettings, LesionSettings
from ctrnn.core.rng import key
from ctrnn.network import Backend, Network, Trials
from ctrnn.tasks import Batch, Task

Arrays = dict[str, np.ndarray]


def silence(
    task: Task[Any],
    test: Batch,
    networks: Sequence[Network],
    names: Sequence[str],
    d_prime: np.ndarray,
    seeds: Sequence[int],
    settings: LesionSettings,
    backend: Backend,
) -> tuple[Arrays, dict[str, Any]]:
    """lesions.npz and its metrics. d_prime: [network, regressor, unit], regressors by their names.

    Metrics and half widths are of the last of the task's measures: by side, or else of correct trials.
    """
    trials = first_trials(test, settings.trials_per_condition)
    found, intact = [], []
    pairs = list(zip(networks, seeds, d_prime, strict=True))
    for network, seed, d in tqdm(pairs, desc="lesions", unit="network"):
        by_name = dict(zip(names, d, strict=True))
        found.append(lesions(task, trials, network, by_name, seed, settings, backend))
        (outputs,) = backend.outputs(
            [network], [Trials(trials.inputs, key(seed, "analyze", "lesions"))]
        )
        intact.append(accuracies(task, outputs, trials.conditions))
    accuracy = np.stack([one.accuracy for one in found])
    by_side = "right_side" in measures(task)
    means = accuracy[..., -1].mean(axis=0)
    arrays = {
        "groups": np.array(found[0].groups),
        "doses": np.array(settings.doses),
        "kinds": np.array(KINDS),
        "n_units": np.stack([one.n_units for one in found]),
        "accuracy": accuracy,
        "intact": np.stack(intact),
        "side_half_width" if by_side else "half_width": half_width(accuracy[..., -1]),
    }
    return arrays, {
        "lesions" if by_side else "lesions_correct": {
            group: {kind: means[g, :, k].tolist() for k, kind in enumerate(KINDS)}
            for g, group in enumerate(found[0].groups)
        }
    }


def first_trials(test: Batch, per_condition: int) -> Batch:
    """The first trials of every condition."""
    rows = test.conditions.reset_index(drop=True)
    some = (
        rows.groupby("condition", sort=True).head(per_condition).sort_values(["condition", "trial"])
    )
    i = some.index.to_numpy()
    return Batch(test.inputs[:, i], test.targets[:, i], test.mask[:, i], some)


def generalise(
    task: Task[Any],
    networks: Sequence[Network],
    seed: int,
    seeds: Sequence[int],
    settings: GeneralisationSettings,
    backend: Backend,
) -> tuple[Arrays, dict[str, Any]]:
    """generalisation.npz and its metrics, mean over networks of each measure of accuracy."""
    arrays: Arrays = {}
    report: dict[str, Any] = {}
    curves = generalisation(task, networks, seeds, seed, settings, backend)
    for setting, curve in tqdm(curves, desc="generalisation", unit="setting"):
        arrays |= _of_curve(setting, curve)
        means = zip(measures(task), curve.accuracy.mean(axis=0).T.tolist(), strict=True)
        report[setting] = {"values": curve.values, **dict(means)}
    return arrays, {"generalisation": report}


def choose(
    task: Task[Any],
    networks: Sequence[Network],
    seed: int,
    seeds: Sequence[int],
    settings: GeneralisationSettings,
    backend: Backend,
) -> tuple[Arrays, dict[str, Any]]:
    """psychometric.npz and its metrics; empty where the task has no curve, or no strengths are given."""
    if not task.has_curve or not settings.evidence:
        return {}, {}
    kinds, evidence, positive, fits = psychometrics(task, networks, seeds, seed, settings, backend)
    levels = np.unique(evidence[:, 0])
    shown, fitted = np.zeros((2, len(networks), len(kinds), len(levels)))
    for i, one in enumerate(fits):
        predicted = one.probability(evidence)
        for k in range(len(kinds)):
            for j, level in enumerate(levels):
                some = evidence[:, k] == level
                shown[i, k, j], fitted[i, k, j] = positive[i, some].mean(), predicted[some].mean()
    arrays = {
        "kinds": np.array(kinds),
        "levels": levels,
        "positive": shown,
        "fitted": fitted,
        "slopes": np.stack([one.slopes for one in fits]),
        "slope_intervals": np.stack([one.slope_intervals for one in fits]),
        "bias": np.array([one.bias for one in fits]),
        "lapse": np.array([one.lapse for one in fits]),
    }
    return arrays, _psychometric_metrics(kinds, fits)


def _psychometric_metrics(kinds: Sequence[str], fits: Sequence[Psychometric]) -> dict[str, Any]:
    slopes = {kind: [float(one.slopes[k]) for one in fits] for k, kind in enumerate(kinds)}
    return {"psychometric_slope": slopes, "lapse": [one.lapse for one in fits]}


def _of_curve(setting: str, curve: Curve) -> Arrays:
    trained = [] if curve.trained is None else [curve.trained]
    return {
        f"{setting}_values": np.array(curve.values),
        f"{setting}_trained": np.array(trained),
        f"{setting}_accuracy": curve.accuracy,
    }
