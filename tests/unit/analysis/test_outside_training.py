"""Lesions, generalisation and choices of a population whose answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from ctrnn import tasks
from ctrnn.analysis import generalisation, lesions, psychometric, roles
from ctrnn.analysis.recording import first_trials
from ctrnn.network import initialise
from ctrnn.tasks import trial_table
from tests.settings import settings
from tests.unit.analysis import known

PARAMS = settings(
    network__n_units=10,
    train__n_networks=2,
    analyze__lesions__draws=1,
    analyze__lesions__doses=[0.0, 1.0],
    analyze__generalisation__trials_per_condition=4,
    analyze__generalisation__evidence=[0.1, 1.0],
    tasks__mante_graded__T=60,
    tasks__mante_graded__stim_on=2,
    tasks__mante_graded__stim_dur=30,
    tasks__mante_graded__response_dur=20,
)


class Sign:
    """Networks that answer with the sign of the first channel's sum, the second network with its opposite."""

    def outputs(self, networks: Any, trials: Any) -> list[np.ndarray]:
        return [
            np.broadcast_to(
                (-1.0) ** i * np.sign(trial_set.inputs[..., :1].sum(axis=0)),
                (*trial_set.inputs.shape[:2], 1),
            ).astype(np.float32)
            for i, trial_set in enumerate(trials)
        ]


SIGN: Any = Sign()


def networks(task: Any) -> list[Any]:
    return [initialise(PARAMS.network, len(task.channels), 1, seed) for seed in (1, 2)]


def test_the_first_trials_of_every_condition_are_taken_with_what_they_show() -> None:
    task = tasks.get_task("xor", PARAMS.tasks, 1.0)
    test = task.render(trial_table(task, "test", 1))
    some = first_trials(test, 3)
    assert some.conditions["condition"].value_counts().tolist() == [3] * 4
    by_condition = test.conditions.groupby("condition", sort=True)["trial"]
    expected = [trial for _, trials in by_condition for trial in trials.tolist()[:3]]
    assert some.conditions["trial"].tolist() == expected
    assert list(some.conditions.columns) == list(test.conditions.columns)
    np.testing.assert_array_equal(some.inputs, test.inputs[:, expected])
    np.testing.assert_array_equal(some.targets, test.targets[:, expected])
    np.testing.assert_array_equal(some.mask, test.mask[:, expected])


def test_choices_are_shares_of_positive_answers_by_the_evidence() -> None:
    task = tasks.get_task("mante_graded", PARAMS.tasks, 1.0)
    arrays, metrics = psychometric.compute(known.recording(task, networks(task), PARAMS, SIGN))
    assert arrays["kinds"].tolist() == ["relevant", "irrelevant"]
    assert arrays["contexts"].tolist() == ["motion", "colour"]
    strengths = PARAMS.analyze.generalisation.evidence
    assert arrays["levels"].tolist() == [*(-s for s in reversed(strengths)), *strengths]
    for c in (
        0,
        1,
    ):  # motion decides: in its context as the relevant evidence, else as the irrelevant one
        assert arrays["positive"][0, c, c].tolist()[:: len(arrays["levels"]) - 1] == [0, 1]
        assert arrays["positive"][1, c, c].tolist()[:: len(arrays["levels"]) - 1] == [1, 0]
    assert arrays["fitted"].shape == (2, 2, 2, len(arrays["levels"]))
    assert metrics["lapse"] == arrays["lapse"].mean(axis=1).tolist()
    means = arrays["slopes"].mean(axis=1)
    assert metrics["psychometric_slope"]["relevant"] == means[:, 0].tolist()
    by_context = metrics["psychometric_slope_by_context"]
    assert by_context["colour"]["irrelevant"] == arrays["slopes"][:, 1, 1].tolist()
    assert arrays["undecided"].tolist() == [[0, 0]] * 2


def test_a_task_without_strengths_of_evidence_has_no_choices() -> None:
    task = tasks.get_task("xor", PARAMS.tasks, 1.0)
    assert psychometric.compute(known.recording(task, networks(task), PARAMS, SIGN)) == ({}, {})


def test_metrics_of_generalisation_are_means_over_networks() -> None:
    task = tasks.get_task("xor", PARAMS.tasks, 1.0)
    arrays, report = generalisation.compute(known.recording(task, networks(task), PARAMS, SIGN))
    for setting, curve in report["generalisation"].items():
        assert curve["values"] == arrays[f"{setting}_values"].tolist()
        accuracy = arrays[f"{setting}_accuracy"]
        assert accuracy.shape == (2, len(curve["values"]), 2)
        np.testing.assert_allclose(curve["correct"], accuracy[..., 0].mean(axis=0))
        np.testing.assert_allclose(curve["right_side"], accuracy[..., 1].mean(axis=0))
    assert arrays["delay_trained"].tolist() == [task.settings.delay]
    assert arrays["stim_dur_trained"].tolist() == arrays["noise_trained"].tolist() == [1.0]


def test_lesions_report_accuracy_by_side_beside_the_intact_one() -> None:
    task = tasks.get_task("xor", PARAMS.tasks, 1.0)
    test = task.render(trial_table(task, "test", 1))
    recording = known.recording(task, networks(task), PARAMS, SIGN, test)
    selectivity = {"variables": np.array(["choice"]), "d_prime": np.zeros((2, 1, 10))}
    recording._results[roles.compute] = (selectivity, {})
    arrays, report = lesions.compute(recording)
    assert arrays["groups"].tolist() == ["excitatory", "inhibitory", "choice-selective"]
    assert arrays["accuracy"].shape == (2, 3, 2, 3, 2)
    assert arrays["n_units"].tolist() == [[[0, 8], [0, 2], [0, 10]]] * 2
    by_side = arrays["accuracy"][..., 1].mean(axis=0)
    for g, (group, kinds) in enumerate(report["lesions"].items()):
        assert group == arrays["groups"][g]
        for k, shares in enumerate(kinds.values()):
            np.testing.assert_allclose(shares, by_side[g, :, k])
    assert arrays["intact"].shape == (2, 2)
    pairs = [name.split("_minus_") for name in arrays["contrasts"].tolist()]
    shares = dict(zip(lesions.KINDS, np.moveaxis(arrays["accuracy"][..., 1], -1, 0), strict=True))
    shares["intact"] = arrays["intact"][:, None, None, 1]
    for c, (one, other) in enumerate(pairs):  # in the same network
        np.testing.assert_allclose(arrays["differences"][..., c], shares[one] - shares[other])
    told = report["lesion_differences"]["inhibitory"]["group_minus_same_weight"]
    assert [told["low"], told["high"]] == arrays["intervals"][1, :, 4].T.tolist()
    assert str(arrays["counted"]) == "right_side"
