"""The kernel against the reference in float64."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ctrnn.dynamics.activations import at_zero
from ctrnn.dynamics.models import models
from ctrnn.kernel import TrainJob, forward, loss_and_gradients, noise
from ctrnn.kernel.run import NAMES
from ctrnn.network.reference import loss as loss_of
from ctrnn.network.reference import run
from tests.unit.kernel.cases import ALL_EQUATIONS, EQUATIONS, Case, forward_job, job_of

# Of every model, those that a gradient is derived for.
PARAMETERS = {
    name: frozenset({"tau", "sigma", *model.parameters}) for name, model in models().items()
}
EXAMPLES = int(os.environ.get("CTRNN_EXAMPLES", "200"))  # fewer where each takes long


@st.composite
def cases(draw: st.DrawFn, equations: Sequence[tuple[str, str]] = EQUATIONS) -> Case:
    """Cases of some models and activations."""
    model, activation = draw(st.sampled_from(equations))
    return replace(draw(shapes), model=model, activation=activation)


shapes = st.builds(
    Case,
    n=st.integers(1, 70),
    T=st.integers(1, 20),
    trials=st.integers(1, 70),
    channels=st.integers(1, 5),
    outputs=st.integers(1, 4),
    density=st.sampled_from([0.0, 0.05, 0.2, 0.6, 1.0]),
    dale=st.booleans(),
    noisy=st.booleans(),
    rate_penalty=st.sampled_from([0.0, 0.3]),
    weighted_mask=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)


def by_definition(job: TrainJob, x0: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Rates, outputs, x, loss and gradients of the plain loop in float64, with the kernel's noise replayed.

    "terms W_rec" and the like: what each element of a gradient sums over time and trials, summed without the signs.
    """

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.asarray(array, np.float64))

    net = job.network
    xi = eta = torch.zeros(*job.inputs.shape[:2], net.n_units, dtype=torch.float64)
    if job.key is not None:
        xi, eta = map(tensor, noise(net, job.key, *job.inputs.shape[:2]))
    xi.requires_grad_()  # dL/dx reaches it, times sigma_pre
    weights, parameters = (
        {name: tensor(array).requires_grad_() for name, array in arrays.items()}
        for arrays in (job.weights, net.parameters)
    )
    rates, outputs, states = run(
        weights,
        tensor(job.inputs),
        mask=torch.from_numpy(net.mask),
        sign=tensor(net.sign),
        parameters=parameters,
        sigma_post=float(np.float32(net.sigma_post)),
        activation=net.activation,
        dale=net.dale,
        model=net.model,
        xi=xi,
        eta=eta,
        x0=None if x0 is None else tensor(x0),
    )
    loss = loss_of(outputs, rates, tensor(job.targets), tensor(job.mask), job.rate_penalty)
    outputs.retain_grad()
    loss.backward()
    results = {"rates": rates, "outputs": outputs, "x": states[..., : net.n_units], "loss": loss}
    assert outputs.grad is not None
    if xi.grad is None:  # of a trial so short that no noise reaches a rate
        xi.grad = torch.zeros_like(xi)
    g, dz = tensor(net.gain) * xi.grad / tensor(net.parameters["sigma"]), outputs.grad
    r_0 = torch.full_like(rates[:1], at_zero(net.activation))
    on_pattern = torch.from_numpy(net.mask)
    results |= {
        "terms W_rec": summed(g, torch.cat([r_0, rates[:-1]])) * on_pattern,
        "terms W_in": summed(g, tensor(job.inputs)),
        "terms b_rec": g.abs().sum(dim=(0, 1)),
        "terms W_out": summed(dz, rates),
        "terms b_out": dz.abs().sum(dim=(0, 1)),
        # Of a parameter too, the terms sum over time and trials, and over what reaches a unit: at most some I, y or xi.
        **{f"terms {name}": g.abs().sum(dim=(0, 1)) for name in net.parameters},
    }
    results |= {
        name: w.grad if w.grad is not None else torch.zeros_like(w)
        for name, w in {**weights, **parameters}.items()
    }
    return {name: value.detach().numpy() for name, value in results.items()}


def summed(to: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """[to, from], the products' magnitudes summed over time and trials."""
    return torch.einsum("tbi,tbj->ij", to.abs(), by.abs())


def assert_close(given: np.ndarray, expected: np.ndarray, part: float, terms: np.ndarray) -> None:
    """Differences are at most this part of the largest value, or what rounding makes of terms that all but cancel.

    Or of slopes that all but vanish: 1 - f^2 of a saturated unit has the rounding of f.
    """
    largest, of_terms = (float(np.abs(array).max()) for array in (expected, terms))
    assert float(np.abs(given - expected).max()) < max(part * largest, 1e-6 * of_terms, 5e-4 * part)


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
    every = replace(job, trainable=NAMES | PARAMETERS[job.network.model])
    loss, gradients = loss_and_gradients([every], threads=1)[0]
    assert gradients.keys() == every.trainable
    reach = np.abs(outputs).max() + np.abs(job.targets).max()  # of z - y, which may all but vanish
    assert loss == pytest.approx(float(expected["loss"]), rel=1e-5, abs=1e-7 * float(reach) ** 2)
    for name, gradient in gradients.items():
        assert gradient.shape == {**job.weights, **job.network.parameters}[name].shape
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
    @settings(max_examples=12, deadline=None, derandomize=True)
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
    for names in ("W_rec W_out b_out", "b_rec", "", "W_out tau", "sigma"):
        trainable = frozenset(names.split())
        few = TrainJob(**{**vars(job), "trainable": trainable})
        loss, gradients = loss_and_gradients([few], threads=1)[0]
        assert loss == every[0]
        assert gradients.keys() == trainable
        for name in trainable & NAMES:
            assert np.array_equal(gradients[name], every[1][name])
    assert every[1].keys() == NAMES


@pytest.mark.parametrize("equations", EQUATIONS, ids="-".join)
def test_parameters_given_to_a_job_take_the_place_of_those_of_the_network(
    equations: tuple[str, str],
) -> None:
    model, activation = equations
    job = job_of(Case(model=model, activation=activation))
    slower = {name: p * np.float32(1.25) for name, p in job.network.parameters.items()}
    made = replace(job, network=replace(job.network, parameters=slower))
    for trainable in (NAMES, NAMES | PARAMETERS[model]):
        given = replace(job, parameters=slower, trainable=trainable)
        results = loss_and_gradients([given, replace(made, trainable=trainable)], threads=1)
        (loss, gradients), (expected_loss, expected) = results
        assert loss == expected_loss
        for name in trainable:
            assert np.array_equal(gradients[name], expected[name])


def test_what_is_neither_weight_nor_parameter_has_no_gradient() -> None:
    with pytest.raises(
        ValueError, match=r"trainable = \['dt'\] are neither weights nor parameters"
    ):
        loss_and_gradients([replace(job_of(Case()), trainable=frozenset({"dt"}))], threads=1)


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
