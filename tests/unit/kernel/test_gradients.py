"""The kernel against the reference in float64."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import assume, given, settings

from ctrnn.kernel import TrainJob, forward, loss_and_gradients
from ctrnn.kernel.run import NAMES
from tests.unit.kernel.cases import (
    ALL_EQUATIONS,
    EQUATIONS,
    Case,
    by_definition,
    cases,
    forward_job,
    job_of,
)

EXAMPLES = int(os.environ.get("CTRNN_EXAMPLES", "500"))  # fewer where each takes long


def assert_close(found: np.ndarray, expected: np.ndarray, part: float, terms: np.ndarray) -> None:
    """Differences are at most this part of the largest value, or what rounding makes of terms that all but cancel.

    Or of slopes that all but vanish: 1 - f^2 of a saturated unit has the rounding of f.
    """
    largest, of_terms = (float(np.abs(array).max()) for array in (expected, terms))
    assert float(np.abs(found - expected).max()) < max(part * largest, 1e-6 * of_terms, 5e-4 * part)


def assert_agrees(job: TrainJob) -> None:
    expected = by_definition(job)
    if (
        job.network.activation == "threshold_power_law"
    ):  # squares of squares: float32 ends, and so does agreement
        assume(np.abs(expected["rates"]).max() < 10)
    rates, outputs = forward([forward_job(job)], threads=1)[0]
    assert rates is not None
    size = max(1.0, float(np.abs(expected["rates"]).max()))
    assert np.abs(rates - expected["rates"]).max() < 1e-5 * size
    assert np.abs(outputs - expected["outputs"]).max() < 3e-5 * size
    loss, gradients = loss_and_gradients([job], threads=1)[0]
    reach = np.abs(outputs).max() + np.abs(job.targets).max()  # of z - y, which may all but vanish
    assert loss == pytest.approx(float(expected["loss"]), rel=1e-5, abs=1e-7 * float(reach) ** 2)
    for name, gradient in gradients.items():
        assert gradient.shape == job.weights[name].shape
        assert gradient.dtype == np.float32
        part = 2e-5 if name == "W_rec" else 1e-4
        assert_close(gradient, expected[name], part, expected[f"terms {name}"])


# The same examples each time: of 15,000 at random, one has a relu at 0 to the last bit.
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(case=cases())
def test_rates_loss_and_gradients_agree_with_the_reference(case: Case) -> None:
    assert_agrees(job_of(case))


@pytest.mark.parametrize("equations", sorted(set(ALL_EQUATIONS) - set(EQUATIONS)), ids="-".join)
def test_every_model_with_every_activation_follows_the_reference(
    equations: tuple[str, str],
) -> None:
    @settings(max_examples=30, deadline=None, derandomize=True)
    @given(case=cases([equations]))
    def follows(case: Case) -> None:
        assert_agrees(job_of(case))

    follows()


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_a_long_trial_agrees_with_the_reference(activation: str) -> None:
    assert_agrees(
        job_of(Case(n=100, T=300, trials=33, activation=activation, dale=activation == "sigmoid"))
    )


def test_gradient_is_zero_off_the_pattern_and_at_vanished_synapses() -> None:
    job = job_of(Case(dale=True))
    gradient = loss_and_gradients([job], threads=1)[0][1]["W_rec"]
    dead = ~job.network.mask | (job.weights["W_rec"] <= 0)
    assert dead.any()
    assert not gradient[dead].any()


def test_only_the_wanted_gradients_are_returned_and_the_others_change_nothing() -> None:
    job = job_of(Case())
    every = loss_and_gradients([job], threads=1)[0]
    for trainable in (frozenset({"W_rec", "W_out", "b_out"}), frozenset({"b_rec"}), frozenset()):
        few = TrainJob(**{**vars(job), "trainable": trainable})
        loss, gradients = loss_and_gradients([few], threads=1)[0]
        assert loss == every[0]
        assert gradients.keys() == trainable
        for name in trainable:
            assert np.array_equal(gradients[name], every[1][name])
    assert every[1].keys() == NAMES


def test_x_starts_where_it_is_told_and_is_returned() -> None:
    job = job_of(Case())
    x0 = np.random.default_rng(1).standard_normal((35, 37)).astype(np.float32)
    rates, outputs, x = forward([forward_job(job, x0=x0, want_x=True)], threads=1)[0]
    expected = by_definition(job, x0)
    assert rates is not None and x is not None and outputs is not None
    assert np.abs(rates - expected["rates"]).max() < 1e-5
    assert np.abs(x - expected["x"]).max() < 1e-5
    without, same, _ = forward([forward_job(job, x0=x0, want_x=True, want_rates=False)], threads=1)[
        0
    ]
    assert without is None
    assert same is not None and np.array_equal(same, outputs)


def test_a_step_back_along_the_gradient_lowers_the_loss() -> None:
    job = job_of(Case(T=30))
    before, gradients = loss_and_gradients([job], threads=1)[0]
    stepped = {name: w - np.float32(1e-2) * gradients[name] for name, w in job.weights.items()}
    after, _ = loss_and_gradients([TrainJob(**{**vars(job), "weights": stepped})], threads=1)[0]
    assert after < before


def test_rates_that_overflow_are_returned_as_they_come() -> None:
    job = job_of(Case(activation="relu", dale=False, density=1.0, T=20))
    large = {**job.weights, "W_rec": job.weights["W_rec"] * np.float32(1e30)}
    loss, _ = loss_and_gradients([TrainJob(**{**vars(job), "weights": large})], threads=1)[0]
    assert not np.isfinite(loss)


def test_a_wrong_shape_is_named() -> None:
    job = job_of(Case())
    with pytest.raises(ValueError, match=r"b_rec has shape \[36\]; give \[37\]"):
        forward(
            [
                forward_job(
                    TrainJob(**{**vars(job), "weights": {**job.weights, "b_rec": np.zeros(36)}})
                )
            ],
            threads=1,
        )
