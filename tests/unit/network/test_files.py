"""A network comes back from its file, and a synapse of weight zero is told as vanished."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ctrnn.core import artifacts
from ctrnn.network import Network, initialise
from ctrnn.network.weights_file import read_population
from tests.settings import network_settings


def networks() -> list[Network]:
    return [initialise(network_settings(n_units=20, tau_inh=10), 2, 3, seed) for seed in (1, 2, 3)]


@pytest.mark.parametrize("stem", ["network", "initial"])
def test_a_population_comes_back_as_it_was(tmp_path: Path, stem: str) -> None:
    for i, network in enumerate(networks()):
        settings = {
            "network": network.wiring.settings.model_dump(),
            "task": {"name": "mante"},
            "training": {"network": i},
        }
        path = tmp_path / f"{stem}-{i}.safetensors"
        artifacts.write_weights(path, network.arrays(), settings)
    back = read_population(tmp_path, 2, stem) if stem != "network" else read_population(tmp_path, 2)
    assert len(back) == 2
    for network, one in zip(networks(), back, strict=False):
        assert one.wiring.settings == network.wiring.settings
        for name, array in network.arrays().items():
            np.testing.assert_array_equal(one.arrays()[name], array, err_msg=name)


def test_vanished_synapses_are_a_share_of_the_pattern() -> None:
    network = networks()[0]
    assert network.zero_weight_fraction == 0
    W = network.weights["W_rec"].copy()
    half = np.argwhere(network.wiring.mask)[::2]
    W[tuple(half.T)] = -1  # relu leaves nothing of it
    less = Network(network.wiring, {**network.weights, "W_rec": W})
    assert less.zero_weight_fraction == pytest.approx(len(half) / network.wiring.mask.sum())
    nobody = initialise(network_settings(n_units=20, p_rec=0), 1, 1, seed=1)
    assert nobody.zero_weight_fraction == 0
