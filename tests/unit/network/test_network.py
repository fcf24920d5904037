"""A network cannot be changed in part: its arrays are read-only, and a changed one is a new one."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from ctrnn.analysis.dynamics import dynamics_of
from ctrnn.network import Network, Trials, initialise
from ctrnn.network.native_backend import NativeBackend
from tests.settings import network_settings


@pytest.fixture(scope="module")
def network() -> Network:
    return initialise(network_settings(n_units=20, dale_inputs=True), 2, 1, seed=1)


def every_array(network: Network) -> dict[str, np.ndarray]:
    wiring = network.wiring
    derived = dict(wiring.parameters)
    acting = {f"effective {name}": array for name, array in network.effective_weights.items()}
    return {**network.arrays(), **derived, **acting}


WAYS: dict[str, Callable[[Network], Network]] = {
    "made": lambda network: network,
    "copied": copy.copy,
    "deeply copied": copy.deepcopy,
    "unpickled": lambda network: pickle.loads(pickle.dumps(network)),
    "replaced": lambda network: dataclasses.replace(
        network, wiring=dataclasses.replace(network.wiring, mask=network.wiring.mask.copy())
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_array_of_a_network_can_be_written_to(network: Network, way: str) -> None:
    for name, array in every_array(WAYS[way](network)).items():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        assert (array == every_array(network)[name]).all()


def test_no_array_can_be_put_in_the_place_of_another(network: Network) -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        network.weights["W_rec"] = np.zeros((20, 20), np.float32)  # type: ignore[index]


def test_who_made_a_network_keeps_an_array_that_can_be_changed_and_does_not_change_it(
    network: Network,
) -> None:
    own, mask = network.weights["W_rec"].copy(), network.wiring.mask.copy()
    wiring = dataclasses.replace(network.wiring, mask=mask)
    made = Network(wiring, {**network.weights, "W_rec": own})
    own[...], mask[...] = 0, False
    np.testing.assert_array_equal(made.W_eff, network.W_eff)
    assert made.weights["W_in"] is network.weights["W_in"]  # what cannot be changed is not copied


def test_a_network_with_other_weights_has_them_in_everything_that_follows(network: Network) -> None:
    W = network.weights["W_rec"].copy()
    W[:, 16:] = 0  # what inhibitory units send
    changed = Network(network.wiring, {**network.weights, "W_rec": W})
    trials = Trials(np.random.default_rng(0).random((30, 4, 2), np.float32), noise=None)
    before, after = NativeBackend(1).activity([network, changed], [trials, trials])
    dynamics = dynamics_of(changed)
    assert not changed.W_eff[:, 16:].any()
    assert not np.array_equal(before.rates, after.rates)
    np.testing.assert_array_equal(dynamics.W, changed.W_eff)
    simulated = dynamics.rates(dynamics.simulate(trials.inputs))
    np.testing.assert_allclose(simulated, after.rates, atol=1e-5)


def test_networks_and_wirings_are_told_apart_by_what_they_are_and_not_by_their_numbers(
    network: Network,
) -> None:
    """Arrays have no order and no hash; what is kept for a wiring is kept by it."""
    other = copy.deepcopy(network)
    assert network != other
    assert len({network, other, network}) == 2
    assert len({network.wiring, other.wiring, network.wiring}) == 2
