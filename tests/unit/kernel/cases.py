"""Small networks, weights and trials for the kernel's tests, drawn from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from hypothesis import strategies as st

from ctrnn.dynamics.activations import ACTIVATIONS, at_zero
from ctrnn.dynamics.models import models
from ctrnn.kernel import ForwardJob, PreparedNetwork, TrainJob, noise
from ctrnn.network.reference import loss as loss_of
from ctrnn.network.reference import run


@dataclass(frozen=True)
class Case:
    """The settings of one training step, small enough to print."""

    n: int = 37
    T: int = 9
    trials: int = 35
    channels: int = 3
    outputs: int = 2
    density: float = 0.2
    model: str = "rate"
    activation: str = "sigmoid"
    dale: bool = True
    noisy: bool = True
    rate_penalty: float = 0.0
    weighted_mask: bool = False
    seed: int = 0


# A model without further states, one whose synapses carry the rate, one whose synapses carry something else.
EQUATIONS = (
    ("rate", "sigmoid"),
    ("rate", "relu"),
    ("adaptation", "softplus"),
    ("short_term_plasticity", "tanh"),
)
ALL_EQUATIONS = tuple(product(models(), ACTIVATIONS))


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


def job_of(case: Case) -> TrainJob:
    """A training job with everything drawn at random; time constants and noise differ from unit to unit."""
    rng = np.random.default_rng(case.seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    n, gain = case.n, 1.5 / np.sqrt(max(1.0, case.n * case.density))
    network = PreparedNetwork(
        mask=rng.random((n, n)) < case.density,
        sign=np.where(np.arange(n) < 0.8 * n, 1, -1).astype(np.float32),
        parameters={
            "dt": rng.uniform(0.02, 0.5, n).astype(np.float32),
            "tau": 1.0,
            "sigma": rng.uniform(0, 0.1, n).astype(np.float32),
            **own_parameters(case.model, n),
        },
        model=case.model,
        sigma_post=0.05,
        activation=case.activation,
        dale=case.dale,
    )
    weights = {
        "W_in": normal(n, case.channels),
        "W_rec": (gain * normal(n, n)).astype(np.float32),
        "b_rec": normal(n),
        "W_out": (normal(case.outputs, n) / np.sqrt(n)).astype(np.float32),
        "b_out": normal(case.outputs),
    }
    counts = rng.random((case.T, case.trials, case.outputs))
    mask = counts.astype(np.float32) if case.weighted_mask else counts < 0.7
    mask[0, 0, 0] = 1
    return TrainJob(
        network=network,
        weights=weights,
        inputs=normal(case.T, case.trials, case.channels),
        targets=normal(case.T, case.trials, case.outputs),
        mask=mask,
        key=int(rng.integers(2**63)) if case.noisy else None,
        rate_penalty=case.rate_penalty,
    )


def own_parameters(model: str, n: int) -> dict[str, np.ndarray]:
    """[unit] each, the model's own, so fast that a short trial meets them."""
    faster = {"ms": 0.01, "Hz": 50}
    return {
        name: np.resize(np.array(parameter.default, np.float32), n)
        * np.float32(faster.get(parameter.unit, 1))
        for name, parameter in models()[model].parameters.items()
    }


def forward_job(job: TrainJob, **more: object) -> ForwardJob:
    """The forward pass of a training job."""
    return ForwardJob(job.network, job.weights, job.inputs, job.key, **more)  # type: ignore[arg-type]


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
    weights = {name: tensor(w).requires_grad_() for name, w in job.weights.items()}
    rates, outputs, x = run(
        weights,
        tensor(job.inputs),
        mask=torch.from_numpy(net.mask),
        sign=tensor(net.sign),
        parameters={name: tensor(array) for name, array in net.parameters.items()},
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
    found = {"rates": rates, "outputs": outputs, "x": x, "loss": loss}
    assert outputs.grad is not None
    if xi.grad is None:  # of a trial so short that no noise reaches a rate
        xi.grad = torch.zeros_like(xi)
    g, dz = tensor(net.gain) * xi.grad / tensor(net.parameters["sigma"]), outputs.grad
    r_0 = torch.full_like(rates[:1], at_zero(net.activation))
    on_pattern = torch.from_numpy(net.mask)
    found |= {
        "terms W_rec": summed(g, torch.cat([r_0, rates[:-1]])) * on_pattern,
        "terms W_in": summed(g, tensor(job.inputs)),
        "terms b_rec": g.abs().sum(dim=(0, 1)),
        "terms W_out": summed(dz, rates),
        "terms b_out": dz.abs().sum(dim=(0, 1)),
    }
    found |= {
        name: w.grad if w.grad is not None else torch.zeros_like(w) for name, w in weights.items()
    }
    return {name: value.detach().numpy() for name, value in found.items()}


def summed(to: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """[to, from], the products' magnitudes summed over time and trials."""
    return torch.einsum("tbi,tbj->ij", to.abs(), by.abs())
