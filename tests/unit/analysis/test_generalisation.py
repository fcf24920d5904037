from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from ctrnn import tasks
from ctrnn.analysis import generalisation, psychometric, recording
from ctrnn.analysis.generalisation import noisier, with_setting
from ctrnn.analysis.recording import accuracies, new_trials, responses
from ctrnn.network import Trials, get_backend, initialise
from tests.settings import settings
from tests.unit.analysis import known

PARAMS = settings(network__n_units=30)
NETWORK = initialise(PARAMS.network, 1, 1, seed=1)


def task(name: str):
    return tasks.get_task(name, PARAMS.tasks, 1.0)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("go_nogo", ("response_delay", "stim_dur")),
        ("xor", ("delay", "response_delay", "stim_dur")),
        ("mante", ("response_delay", "stim_dur", "evidence")),
        ("perceptual_decision", ("response_delay", "stim_dur", "evidence")),
        ("working_memory", ("delay", "response_delay", "stim_dur", "evidence")),
        ("flip_flop", ("response_delay", "stim_dur")),
    ],
)
def test_a_task_is_varied_in_the_settings_that_it_has(name: str, settings: tuple[str, ...]) -> None:
    assert task(name).varied_settings() == settings


def test_a_longer_delay_makes_the_trial_longer_and_keeps_the_response_window() -> None:
    trained, longer = task("dmts"), with_setting(task("dmts"), "delay", 60.0)
    assert longer.settings.delay == 60
    assert longer.settings.T == trained.settings.T + 50
    assert longer.settings.window.start == trained.settings.window.start + 50
    assert longer.render(new_trials(longer, 1, 1).conditions).inputs.shape[0] == longer.settings.T


def test_a_stimulus_is_a_share_of_the_trained_one() -> None:
    assert with_setting(task("xor"), "stim_dur", 0.5).settings.stim_dur == 25
    assert with_setting(task("xor"), "stim_dur", 0.001).settings.stim_dur == 1


def test_noise_is_multiplied_and_nothing_else_changes() -> None:
    more = noisier(NETWORK, 10.0)
    np.testing.assert_allclose(
        more.parameters["sigma"], 10 * NETWORK.parameters["sigma"], rtol=1e-6
    )
    assert more.wiring.settings.sigma_post == pytest.approx(0.1)
    assert more.weights is NETWORK.weights


def test_evidence_of_the_context_is_relevant() -> None:
    rows = new_trials(task("mante"), 1, 1, task("mante").graded([0.2])).conditions
    assert set(rows["motion"]) == {0.2, -0.2}
    evidence = task("mante").evidence(rows)
    assert list(evidence) == ["relevant", "irrelevant"]
    motion = rows["context"] == "motion"
    np.testing.assert_array_equal(evidence[motion], rows.loc[motion, ["motion", "colour"]])
    np.testing.assert_array_equal(evidence[~motion], rows.loc[~motion, ["colour", "motion"]])


class BySight:
    """A backend whose networks answer, all along, what `see` makes of the inputs."""

    def __init__(self, see: Callable[[np.ndarray], np.ndarray]) -> None:
        self.see = see

    def outputs(self, networks: Any, trials: Any) -> list[np.ndarray]:
        outputs_of_networks = []
        for trial_set in trials:
            response = self.see(trial_set.inputs).astype(np.float32)
            outputs_of_networks.append(
                np.broadcast_to(response, trial_set.inputs.shape[:2])[..., None].copy()
            )
        return outputs_of_networks


def by_sight(see: Callable[[np.ndarray], np.ndarray]) -> Any:
    return BySight(see)


def always(response: float) -> Any:
    """Networks that give one response, whatever they see."""
    return by_sight(lambda inputs: np.full(inputs.shape[1], response))


# Motion is summed; of the two vibrations the first is compared with the second.
SIGHT: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "perceptual_decision": ("coherence", lambda inputs: inputs[50:250, :, 0].mean(axis=0)),
    "working_memory": ("f1 - f2", lambda inputs: inputs[60, :, 0] - inputs[160, :, 0]),
}


@pytest.mark.parametrize("name", SIGHT)
def test_a_network_that_follows_the_evidence_has_a_steep_psychometric_function(name: str) -> None:
    kind, see = SIGHT[name]
    two = PARAMS.model_copy(update={"train": PARAMS.train.model_copy(update={"n_networks": 2})})
    arrays, metrics = psychometric.compute(
        known.recording(task(name), [NETWORK] * 2, two, by_sight(see))
    )
    assert arrays["kinds"].tolist() == [kind]
    sizes = PARAMS.analyze.generalisation.evidence
    np.testing.assert_allclose(arrays["levels"], sorted([-s for s in sizes] + sizes))
    np.testing.assert_array_equal(arrays["positive"][0, 0, 0], arrays["levels"] > 0)
    assert metrics["psychometric_slope"][kind][0] > 100
    for response, positive in ((0.5, 1), (0.0, 0)):  # no response is no positive choice
        blind, _ = psychometric.compute(
            known.recording(task(name), [NETWORK] * 2, two, always(response))
        )
        assert (blind["positive"] == positive).all()


@pytest.mark.parametrize("name", SIGHT)
def test_weak_evidence_is_on_the_right_side_at_the_strength_that_is_asked_for(name: str) -> None:
    """A network that answers the evidence itself is beyond the threshold, 0.3 here, where that is 0.5."""
    _, see = SIGHT[name]
    easy = settings(**{f"tasks__{name}__threshold": 0.3})
    curves = generalisation.generalisation(
        tasks.get_task(name, easy.tasks, 1.0),
        [NETWORK],
        [1],
        1,
        easy.analyze.generalisation,
        by_sight(see),
    )
    curve = dict(curves)["evidence"]
    assert curve.trained is None
    assert curve.values == [0.02, 0.05, 0.1, 0.2, 0.5]
    np.testing.assert_array_equal(curve.accuracy[0], [[0, 1]] * 4 + [[1, 1]])


def test_pairs_of_vibrations_keep_their_mean_and_differ_by_the_evidence() -> None:
    working_memory = task("working_memory")
    rows = working_memory.graded([2 / 3])  # as in training: 8 of 12 Hz
    trained = working_memory.conditions()
    pairs = [sorted(table.round(9).itertuples(index=False, name=None)) for table in (rows, trained)]
    assert pairs[0] == pairs[1]
    assert working_memory.evidence_unit == "f1 - f2, in units of 12 Hz"
    half = working_memory.graded([1 / 3])
    heights = working_memory.inputs(half)[[60, 160], :, 0]
    np.testing.assert_allclose(
        heights[0] - heights[1], working_memory.evidence(half)["f1 - f2"], atol=1e-6
    )
    assert set((half["f1"] + half["f2"]).round(9)) == set(trained["f1"] + trained["f2"])


@pytest.mark.parametrize("name", ["go_nogo", "dmts", "xor", "flip_flop"])
def test_a_task_without_strengths_of_evidence_has_no_psychometric_function(name: str) -> None:
    assert psychometric.compute(
        known.recording(task(name), [NETWORK], PARAMS, by_sight(lambda inputs: inputs[0, :, 0]))
    ) == (
        {},
        {},
    )


def test_an_answer_too_weak_is_on_the_right_side_but_not_correct() -> None:
    rows = new_trials(task("xor"), 2, 1).conditions
    weak = np.zeros((300, 8, 1), np.float32) + 0.3 * task("xor").answer(rows)[:, None]
    assert accuracies(task("xor"), weak, rows).tolist() == [0, 1]
    assert accuracies(task("xor"), -weak, rows).tolist() == [0, 0]


def test_of_several_outputs_each_must_be_on_the_right_side() -> None:
    flip_flop = task("flip_flop")
    rows = new_trials(flip_flop, 1, 1).conditions
    weak = np.zeros((flip_flop.settings.T, len(rows), 3), np.float32) + 0.3 * flip_flop.answer(rows)
    assert accuracies(flip_flop, weak, rows).tolist() == [0, 1]
    weak[:, :2, 1] *= -1
    assert accuracies(flip_flop, weak, rows).tolist() == [0, 0.75]


LISTS = {"response_delay": [0], "stim_dur": [1.0], "evidence": [0.5], "noise": [1.0]}


@pytest.mark.parametrize("empty", [*([name] for name in LISTS), list(LISTS)], ids="-".join)
def test_an_empty_list_leaves_its_test_out(empty: list[str]) -> None:
    few = LISTS | {name: [] for name in empty} | {"trials_per_condition": 2}
    params = settings(
        network__n_units=8,
        train__n_networks=1,
        **{f"analyze__generalisation__{name}": value for name, value in few.items()},
    )
    mante = tasks.get_task("mante", params.tasks, 1.0)
    networks, backend = [initialise(params.network, 4, 1, seed=1)], get_backend(params.train)
    arrays, metrics = generalisation.compute(known.recording(mante, networks, params, backend))
    left = [name for name in LISTS if name not in empty]
    assert list(metrics["generalisation"]) == left
    assert {name.rpartition("_")[0] for name in arrays} == set(left)
    assert bool(psychometric.compute(known.recording(mante, networks, params, backend))[0]) == (
        "evidence" in left
    )


class Echo:
    """Networks that answer with their first channel."""

    def outputs(self, networks: Sequence[Any], trials: Sequence[Trials]) -> list[np.ndarray]:
        return [trial_set.inputs[..., :1] for trial_set in trials]


def test_trials_that_are_run_in_parts_come_back_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recording, "TRIALS_AT_ONCE", 3)
    batch = new_trials(task("xor"), 2, 1)  # eight trials
    backend: Any = Echo()
    networks = [initialise(PARAMS.network, 2, 1, seed) for seed in (1, 2)]
    outputs = responses(networks, batch, [1, 2], backend)
    assert len(outputs) == 2
    for output in outputs:
        np.testing.assert_array_equal(output, batch.inputs[..., :1])


def test_trials_are_run_512_at_a_time() -> None:
    many = new_trials(task("xor"), 129, 1)  # 516 trials
    few = type(many)(many.inputs[:1], many.targets[:1], many.mask[:1], many.conditions)
    sizes = []

    class Noted(Echo):
        def outputs(self, networks: Sequence[Any], trials: Sequence[Trials]) -> list[np.ndarray]:
            sizes.append(trials[0].inputs.shape[1])
            return super().outputs(networks, trials)

    backend: Any = Noted()
    responses([NETWORK], few, [1], backend)
    assert sizes == [512, 4]
