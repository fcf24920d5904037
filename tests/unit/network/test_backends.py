"""The torch backend agrees with the plain autograd loop, noise replayed; both backends do what the interface says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ctrnn.errors import ParamsError
from ctrnn.kernel import Loss, MeanSquaredError
from ctrnn.network import (
    Backend,
    Network,
    SupervisedTrials,
    Trials,
    get_backend,
    initialise,
    reference,
)
from ctrnn.network.dale_backend import DaleBackend
from ctrnn.network.native_backend import NativeBackend
from ctrnn.network.reference_backend import ReferenceBackend
from ctrnn.network.torch_backend import TorchBackend
from tests.settings import network_settings, settings

ROOT = Path(__file__).parents[3]
T, N_TRIALS, N_CHANNELS, N_OUTPUTS = 23, 9, 3, 2
ALL = frozenset({"W_in", "W_rec", "b_rec", "W_out", "b_out"})
CASES: list[dict[str, Any]] = [
    {},
    {"dale": False},
    {"activation": "relu", "w_gain": 0.9},
    {"activation": "relu", "w_gain": 0.9, "dale": False, "tau_inh": 7},
    {"tau_inh": 10, "noise_scaling": "tutorial", "p_rec": 0.9},
    {"dale_inputs": True, "dale_readout": True},
    {"activation": "tanh"},
    {"activation": "softplus", "w_gain": 0.9},
    {"activation": "threshold_power_law", "w_gain": 0.0, "W_in_sd": 0.5},
    {
        "model": "adaptation",
        "parameters": {"tau_w": 5, "g_w": {"excitatory": 2, "inhibitory": 0.5}},
    },
    {
        "model": "short_term_plasticity",
        "parameters": {"tau_u": [20, 5], "tau_d": [5, 20], "r_max": 500},
    },
    {"model": "short_term_plasticity", "activation": "tanh", "dale": False},
]


def population(**changes: Any) -> list[Network]:
    chosen = network_settings(**{"n_units": 17, "sigma_pre": 0.1, "sigma_post": 0.05, **changes})
    networks = [initialise(chosen, N_CHANNELS, N_OUTPUTS, seed) for seed in (1, 2)]
    random = np.random.default_rng(3)
    flipped = []
    for network in networks:  # inputs and readout of either sign, as training may leave them
        weights = dict(network.weights)
        for name in ("W_in", "W_out"):
            flips = np.where(random.random(weights[name].shape) < 0.3, -1, 1)
            weights[name] = weights[name] * flips.astype(np.float32)
        flipped.append(Network(network.wiring, weights))
    return flipped


def with_trained(networks: list[Network]) -> list[Network]:
    """The networks with every parameter trained, and moved from where it began."""
    random, moved = np.random.default_rng(4), []
    for network in networks:
        own = {
            name: network.parameters[name]
            * random.uniform(1, 1.5, len(network.wiring.sign)).astype(np.float32)
            for name in ("tau", *network.wiring.settings.parameters)
        }
        moved.append(Network(network.wiring, {**network.weights, **own}))
    return moved


def taught(noise: int | None, seed: int = 0, rate_penalty: float = 0.3) -> SupervisedTrials:
    random = np.random.default_rng(seed)
    return SupervisedTrials(
        inputs=random.standard_normal((T, N_TRIALS, N_CHANNELS)).astype(np.float32),
        noise=noise,
        targets=random.standard_normal((T, N_TRIALS, N_OUTPUTS)).astype(np.float32),
        mask=random.random((T, N_TRIALS, N_OUTPUTS)) < 0.7,
        rate_penalty=rate_penalty,
    )


def by_definition(
    network: Network, batch: SupervisedTrials, noise: int | None
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Rates, loss and gradients of the plain loop in float64, with the torch backend's noise."""
    wiring = network.wiring
    xi = eta = None
    if noise is not None:
        random = torch.Generator().manual_seed(noise)
        shape = (T, N_TRIALS, wiring.settings.n_units)
        xi, eta = (torch.randn(shape, generator=random).double() for _ in range(2))
    weights, parameters = (
        {n: torch.tensor(a, dtype=torch.float64, requires_grad=True) for n, a in arrays.items()}
        for arrays in (network.weights, network.parameters)
    )
    acting, parameters = dict(weights), parameters | weights
    if "tau" in weights:  # the noise of a step follows it
        alpha, settings = parameters["dt"] / weights["tau"], wiring.settings
        stationary = settings.noise_scaling == "stationary"
        parameters["sigma"] = settings.sigma_pre * (
            torch.sqrt(alpha * (2 - alpha)) if stationary else alpha
        )
    if wiring.settings.dale_inputs:
        acting["W_in"] = torch.relu(weights["W_in"])
    if wiring.settings.dale_readout:
        excitatory = torch.tensor(wiring.sign).double() > 0
        acting["W_out"] = torch.relu(weights["W_out"]) * excitatory
    rates, outputs, _ = reference.run(
        acting,
        torch.from_numpy(batch.inputs).double(),
        mask=torch.tensor(wiring.mask),
        sign=torch.tensor(wiring.sign).double(),
        parameters=parameters,
        sigma_post=wiring.settings.sigma_post,
        model=wiring.settings.model,
        activation=wiring.settings.activation,
        dale=wiring.settings.dale,
        xi=xi,
        eta=eta,
    )
    targets, mask = torch.from_numpy(batch.targets), torch.from_numpy(batch.mask)
    loss = reference.loss(outputs, rates, targets, mask, batch.rate_penalty)
    gradients = torch.autograd.grad(loss, list(weights.values()))
    return rates.detach(), loss.detach(), dict(zip(weights, gradients, strict=True))


@pytest.mark.parametrize("changes", CASES)
@pytest.mark.parametrize("noise", [None, 5])
@pytest.mark.parametrize("together", [False, True])
def test_the_torch_backend_agrees_with_the_definition(
    changes: dict[str, Any], noise: int | None, together: bool
) -> None:
    networks, on_cpu = population(**changes), TorchBackend("cpu")
    on_cpu.together = together  # as on a graphics processor
    backend = DaleBackend(on_cpu)
    batches = [taught(noise, seed) for seed in (0, 1)]
    results = backend.loss_and_gradients(networks, batches, ALL)
    activities = backend.activity(networks, batches)
    for network, batch, (loss, gradients), activity in zip(
        networks, batches, results, activities, strict=True
    ):
        rates, expected_loss, expected = by_definition(network, batch, noise)
        np.testing.assert_allclose(activity.rates, rates.numpy(), atol=1e-5)
        assert loss == pytest.approx(float(expected_loss), rel=1e-5)
        assert set(gradients) == ALL
        for name, gradient in gradients.items():
            if name == "W_rec":  # off the pattern there is no weight to have a gradient
                assert not gradient[~network.wiring.mask].any()
            largest = float(expected[name].abs().max())
            np.testing.assert_allclose(gradient, expected[name].numpy(), atol=1e-4 * largest)


@pytest.mark.parametrize("changes", CASES)
@pytest.mark.parametrize("noise", [None, 5])
@pytest.mark.parametrize("together", [False, True])
def test_gradients_by_trained_parameters_are_those_of_the_definition(
    changes: dict[str, Any], noise: int | None, together: bool
) -> None:
    """tau and all parameters of the model, as training may leave them; the definition knows how sigma follows tau."""
    networks, on_cpu = with_trained(population(**changes)), TorchBackend("cpu")
    on_cpu.together = together
    trainable, batches = frozenset(networks[0].weights), [taught(noise, seed) for seed in (0, 1)]
    results = DaleBackend(on_cpu).loss_and_gradients(networks, batches, trainable)
    for network, batch, (loss, gradients) in zip(networks, batches, results, strict=True):
        _, expected_loss, expected = by_definition(network, batch, noise)
        assert loss == pytest.approx(float(expected_loss), rel=1e-5)
        assert set(gradients) == trainable
        for name, gradient in gradients.items():
            atol = tolerance(name) * float(expected[name].abs().max())
            np.testing.assert_allclose(gradient, expected[name].numpy(), atol=atol)


@pytest.mark.parametrize("changes", CASES)
def test_backends_agree_on_trained_parameters(changes: dict[str, Any]) -> None:
    """The native one and the reference share their noise too."""
    networks, batches = with_trained(population(**changes)), [taught(7, seed) for seed in (0, 1)]
    trainable = frozenset(networks[0].weights)
    ours, theirs = (
        get_backend(settings(train__backend=name).train).loss_and_gradients(
            networks, batches, trainable
        )
        for name in ("native", "reference64")
    )
    for (loss, gradients), (their_loss, their_gradients) in zip(ours, theirs, strict=True):
        assert loss == pytest.approx(their_loss, rel=1e-5)
        for name, gradient in gradients.items():
            atol = tolerance(name) * np.abs(their_gradients[name]).max()
            np.testing.assert_allclose(gradient, their_gradients[name], atol=atol)


def tolerance(name: str) -> float:
    """Of gradients, as a share of the largest: by tau, current and x of a unit at rest all but cancel."""
    return 3e-4 if name == "tau" else 1e-4


@pytest.mark.parametrize("changes", CASES)
def test_backends_agree_where_there_is_no_noise(changes: dict[str, Any]) -> None:
    networks, batches = population(**changes), [taught(None, seed) for seed in (0, 1)]
    native, other = (
        get_backend(settings(train__backend=name).train) for name in ("native", "torch")
    )
    for ours, theirs in zip(
        native.activity(networks, batches), other.activity(networks, batches), strict=True
    ):
        np.testing.assert_allclose(ours.rates, theirs.rates, atol=1e-5)
        np.testing.assert_allclose(ours.outputs, theirs.outputs, atol=1e-5)
    pairs = zip(
        native.loss_and_gradients(networks, batches, ALL),
        other.loss_and_gradients(networks, batches, ALL),
        strict=True,
    )
    for (loss, gradients), (their_loss, their_gradients) in pairs:
        assert loss == pytest.approx(their_loss, rel=1e-5)
        for name, gradient in gradients.items():
            largest = np.abs(their_gradients[name]).max()
            np.testing.assert_allclose(gradient, their_gradients[name], atol=1e-4 * largest)


@pytest.mark.parametrize("name", ["native", "torch"])
@pytest.mark.parametrize("trainable", [*(frozenset({one}) for one in sorted(ALL)), ALL - {"W_in"}])
@pytest.mark.parametrize("n_networks", [1, 2])
def test_the_wanted_gradients_and_no_others_are_given(
    name: str, trainable: frozenset[str], n_networks: int
) -> None:
    backend = get_backend(settings(train__backend=name).train)
    networks, batches = population()[:n_networks], [taught(1), taught(2)][:n_networks]
    every = backend.loss_and_gradients(networks, batches, ALL)
    some = backend.loss_and_gradients(networks, batches, trainable)
    for (_, gradients), (_, full) in zip(some, every, strict=True):
        assert set(gradients) == trainable
        for array, gradient in gradients.items():
            np.testing.assert_allclose(gradient, full[array], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["native", "torch"])
def test_a_network_has_the_same_bits_alone_and_beside_others(name: str) -> None:
    backend = get_backend(settings(train__backend=name).train)
    networks, batches = population(), [taught(1), taught(2)]
    together = backend.loss_and_gradients(networks, batches, ALL)
    for i, (loss, gradients) in enumerate(together):
        ((alone, expected),) = backend.loss_and_gradients(networks[i : i + 1], [batches[i]], ALL)
        assert loss == alone
        for array, gradient in gradients.items():
            np.testing.assert_array_equal(gradient, expected[array])


@pytest.mark.parametrize("name", ["native", "torch"])
def test_noise_follows_from_its_key(name: str) -> None:
    backend, networks = get_backend(settings(train__backend=name).train), population()[:1]
    trials = [taught(None)]

    def outputs(noise: int | None) -> np.ndarray:
        return backend.outputs(networks, [Trials(trials[0].inputs, noise)])[0]

    np.testing.assert_array_equal(outputs(3), outputs(3))
    assert np.abs(outputs(3) - outputs(4)).max() > 1e-4
    assert np.abs(outputs(3) - outputs(None)).max() > 1e-4


@pytest.mark.parametrize("name", ["native", "torch"])
@pytest.mark.parametrize("tau", [5, 10, 20, 50, 100])
@pytest.mark.parametrize(
    ("scaling", "expected_sd"),
    [
        ("stationary", lambda tau: 0.1),
        # alpha sigma xi a step, the tutorial's: x = sum (1 - alpha)^k alpha sigma xi
        ("tutorial", lambda tau: 0.1 / np.sqrt(2 * tau - 1)),
    ],
)
def test_noise_on_x_is_what_its_scaling_says(
    name: str, tau: int, scaling: str, expected_sd: Callable[[int], float]
) -> None:
    chosen = network_settings(
        n_units=50, p_rec=0, tau=tau, sigma_pre=0.1, sigma_post=0, W_in_sd=0, activation="relu",
        noise_scaling=scaling,
    )  # fmt: skip
    network = initialise(chosen, 1, 1, seed=1)
    weights = {**network.weights, "b_rec": np.full(50, 5, np.float32)}  # far from relu's kink
    network = Network(network.wiring, weights)
    inputs = np.zeros((10 * tau, 64, 1), np.float32)
    (activity,) = get_backend(settings(train__backend=name).train).activity(
        [network], [Trials(inputs, 1)]
    )
    currents = activity.rates[5 * tau :: tau]
    sd = np.sqrt(currents.var(axis=(1, 2), dtype=np.float64).mean())  # over trials and units
    assert sd == pytest.approx(expected_sd(tau), rel=0.02)


@pytest.mark.parametrize(("tau", "dt"), [(5, 1), (20, 1), (50, 1), (20, 0.5), (20, 2)])
def test_noise_on_rates_reaches_x_through_the_weights_the_less_the_longer_tau_is(
    tau: int, dt: float
) -> None:
    """x of unit 0 sums over 49 units, each a filter of white noise: variance s^2 w^2 alpha / (2 - alpha).

    s is the noise of a step, s_post / sqrt(dt), so that little of dt is left: 1 / (2 tau - dt).
    """
    chosen = network_settings(
        n_units=50, tau=tau, sigma_pre=0, sigma_post=0.1, activation="relu", dale=False,
        balance_rows=False, p_rec=1.0,
    )  # fmt: skip
    start = initialise(chosen, 1, 1, seed=1)
    W = np.zeros((50, 50), np.float32)
    W[0, 1:] = 2
    b_rec = np.ones(50, np.float32)
    b_rec[0] = 5 - 2 * 49  # which leaves unit 0 at 5, far from relu's kink
    network = Network(start.wiring.at(dt), {**start.weights, "W_rec": W, "b_rec": b_rec})
    in_tau = round(tau / dt)
    trials = Trials(np.zeros((10 * in_tau, 640, 1), np.float32), 1)
    (activity,) = NativeBackend(None).activity([network], [trials])
    x = activity.rates[5 * in_tau :: in_tau, :, 0]
    sd = np.sqrt(x.var(axis=1, dtype=np.float64).mean() - 0.1**2 / dt)  # less its own noise
    assert sd == pytest.approx(0.1 * 2 * np.sqrt(49 / (2 * tau - dt)), rel=0.06)


def test_a_device_that_is_not_there_is_one_sentence() -> None:
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(ParamsError, match=rf"train\.device = '{missing}' is not on this machine"):
        TorchBackend(missing)


def test_no_compiler_is_one_sentence_with_the_ways_out(tmp_path: Path) -> None:
    """A process of its own: the kernel that is built already is found again in this one."""
    code = (
        "from ctrnn.errors import exit_on_user_error\n"
        "from ctrnn.network.native_backend import NativeBackend\n"
        "with exit_on_user_error('train'): NativeBackend(None)"
    )
    bare = {"PATH": str(tmp_path), "PYTHONPATH": "src", "CTRNN_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("train: The native kernel needs a C compiler and found none; ")
    assert "ctrnn[compiler]" in done.stderr
    assert "train.backend: torch" in done.stderr
    assert done.stderr.count("\n") == 1


class BySlopes(Loss):
    """The squared error as a loss that the backends do not know."""

    def value(self, outputs: np.ndarray, targets: np.ndarray, mask: np.ndarray) -> float:
        return MeanSquaredError().value(outputs, targets, mask)

    def slopes(self, outputs: np.ndarray, targets: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return MeanSquaredError().slopes(outputs, targets, mask)


@pytest.mark.parametrize("backend", ["native", "reference64", "torch"])
def test_the_gradient_of_another_loss_is_that_of_autograd_through_the_plain_loop(
    backend: str,
) -> None:
    """Without noise, which torch draws otherwise."""
    networks = population()
    runners: dict[str, Callable[[], Backend]] = {
        "native": lambda: NativeBackend(1),
        "reference64": lambda: ReferenceBackend(double=True),
        "torch": lambda: TorchBackend("cpu"),
    }
    batches = [replace(taught(None, seed), loss=BySlopes()) for seed in (0, 1)]
    results = DaleBackend(runners[backend]()).loss_and_gradients(networks, batches, ALL)
    for network, batch, (loss, gradients) in zip(networks, batches, results, strict=True):
        _, expected_loss, expected = by_definition(network, batch, None)
        assert loss == pytest.approx(float(expected_loss), rel=1e-5)
        for name, gradient in gradients.items():
            largest = float(expected[name].abs().max())
            np.testing.assert_allclose(gradient, expected[name].numpy(), atol=1e-4 * largest)
