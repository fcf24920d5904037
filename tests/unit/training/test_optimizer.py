"""Adam agrees with torch's, and clipping shortens what is too long and nothing else."""

from __future__ import annotations

import numpy as np
import torch

from ctrnn.network import Network, initialise
from ctrnn.training.optimizer import Adam, by_share, clip, gradient_norm
from tests.settings import settings


def test_adam_agrees_with_torchs() -> None:
    train = settings().train
    random = np.random.default_rng(0)
    weights = {"W_rec": random.standard_normal((5, 4)).astype(np.float32)}
    theirs = torch.tensor(weights["W_rec"], requires_grad=True)
    optimiser = torch.optim.Adam([theirs], lr=train.learning_rate)
    ours = Adam(train)
    for _ in range(50):
        gradient = random.standard_normal((5, 4)).astype(np.float32)
        theirs.grad = torch.from_numpy(gradient.copy())
        optimiser.step()
        weights = ours.step(weights, {"W_rec": gradient})
    np.testing.assert_allclose(weights["W_rec"], theirs.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_arrays_without_a_gradient_are_kept() -> None:
    weights = {"W_in": np.ones(3, np.float32), "W_rec": np.ones(3, np.float32)}
    new = Adam(settings().train).step(weights, {"W_rec": np.ones(3, np.float32)})
    assert new["W_in"] is weights["W_in"]
    assert (new["W_rec"] < 1).all()


def test_a_parameter_changes_by_a_share_of_itself_and_stays_in_its_range() -> None:
    """A share is what a weight of 1 changes by; of a parameter the gradient is by its logarithm."""
    train = settings(train__learning_rate=0.1).train
    parameter = {"tau": np.array([1.0, 10.0, 100.0, 1.05], np.float32)}
    gradient = {"tau": np.array([1.0, 1.0, -1.0, 1.0], np.float32)}
    weight = {"tau": np.ones(4, np.float32)}
    changed = Adam(train).step(weight, gradient)["tau"]
    new = Adam(train).step(parameter, gradient, {"tau": (1.0, 105.0)})["tau"]
    expected = np.clip(parameter["tau"] * changed, 1, 105)
    np.testing.assert_allclose(new, expected, rtol=1e-6)
    assert new.tolist()[0] == 1 and new.tolist()[2] == 105 and new.tolist()[3] == 1


def test_the_gradient_by_a_share_is_the_parameter_times_its_own() -> None:
    network = initialise(settings().network, 1, 1, seed=1)
    own = Network(network.wiring, {**network.weights, "tau": network.wiring.tau})
    given = {"W_out": network.weights["W_out"], "tau": np.full_like(network.wiring.tau, 0.5)}
    shares = by_share(given, own)
    assert shares["W_out"] is given["W_out"]
    assert np.array_equal(shares["tau"], 0.5 * network.wiring.tau)


def test_the_norm_does_not_depend_on_the_order_of_the_arrays() -> None:
    arrays = {str(i): np.array([10.0 ** (i - 4), 0.1 * i], np.float32) for i in range(8)}
    orders = [
        sorted(arrays),
        sorted(arrays, reverse=True),
        sorted(arrays, key=lambda i: int(i) % 3),
    ]
    assert len({gradient_norm({name: arrays[name] for name in order}) for order in orders}) == 1


def test_clipping_shortens_long_gradients_only() -> None:
    gradients = {"a": np.array([3.0], np.float32), "b": np.array([[4.0]], np.float32)}
    norm = gradient_norm(gradients)
    assert norm == 5
    assert gradient_norm(clip(gradients, norm, 1.0)) == np.float32(1)
    assert clip(gradients, norm, 6.0) is gradients
    assert clip(gradients, norm, None) is gradients
