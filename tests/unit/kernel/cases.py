"""Small networks, weights and trials for the kernel's tests, drawn from a seed; numpy alone."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from ctrnn.dynamics.activations import ACTIVATIONS
from ctrnn.dynamics.models import models
from ctrnn.kernel import ForwardJob, PreparedNetwork, TrainJob


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
