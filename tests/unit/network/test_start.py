"""A network starts the same in every release, and says in a line what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ctrnn.core import artifacts
from ctrnn.core.artifacts import ArtifactError
from ctrnn.network import Network, Trials, initialise
from ctrnn.network.torch_backend import TRIALS_AT_ONCE, TorchBackend
from ctrnn.network.weights_file import read_network
from tests.settings import network_settings

PAIRS = {"ee": 0.3, "ei": 0.4, "ie": 0.5, "ii": 0.6}
STARTS: dict[str, dict[str, Any]] = {
    "shipped": {},
    "other sizes": {"W_in_sd": 0.5, "readout_sd": 0.25, "w_gain": 0.75, "p_rec": PAIRS},
    "gamma": {"weight_distribution": "gamma", "gamma_shape": 3.0, "dale": False},
    "lognormal": {
        "weight_distribution": "lognormal",
        "lognormal_sigma": 0.5,
        "balance_rows": False,
    },
    "gaussian": {
        "weight_distribution": "gaussian",
        "activation": "relu",
        "self_connections": False,
    },
    "tutorial": {"gain": "scale", "inhibitory_count": "random", "readout_start": "uniform"},
}


def measures(network: Network) -> list[float]:
    """Of the arrays that are drawn: the first number, and the sum of sizes."""
    arrays = [
        network.weights["W_in"],
        network.W_eff,
        network.weights["b_rec"],
        network.weights["W_out"],
    ]
    firsts = [float(array[array != 0][0]) if array.any() else 0.0 for array in arrays]
    return firsts + [float(np.abs(array).sum(dtype=np.float64)) for array in arrays]


EXPECTED: dict[str, list[float]] = {
    "shipped": [
        -0.3214431,
        2.704532,
        -1.352266,
        -0.01741927,
        25.52968,
        62.19305,
        9.427702,
        0.1401974,
    ],
    "other sizes": [
        -0.1607215,
        1.555045,
        -0.7775227,
        -0.4354819,
        12.76484,
        62.40262,
        4.184021,
        3.504936,
    ],
    "gamma": [
        -0.3214431,
        2.844745,
        -1.422372,
        -0.01741927,
        25.52968,
        71.06592,
        26.80601,
        0.1401974,
    ],
    "lognormal": [
        -0.3214431,
        3.76731,
        -1.883655,
        -0.01741927,
        25.52968,
        71.668,
        27.7707,
        0.1401974,
    ],
    "gaussian": [-0.3214431, 0.7540582, 0.0, -0.01741927, 25.52968, 14.08936, 0.0, 0.1401974],
    "tutorial": [
        -0.3214431,
        1.159172,
        -0.5795861,
        -0.005525091,
        25.52968,
        24.14996,
        12.07498,
        3.35748,
    ],
}


@pytest.mark.parametrize("name", STARTS)
def test_a_network_starts_the_same_in_every_release(name: str) -> None:
    """Every result of a seed follows from it."""
    network = initialise(network_settings(n_units=12, **STARTS[name]), 3, 2, seed=7)
    assert measures(network) == pytest.approx(EXPECTED[name], rel=1e-4)


def test_a_network_says_what_it_is() -> None:
    network = initialise(network_settings(n_units=10, p_rec=1.0, p_inh=0.3), 3, 2, seed=1)
    assert repr(network) == (
        "Network of 10 sigmoid units (7 excitatory, 3 inhibitory), 100 synapses; inputs: 3, outputs: 2"
    )


def test_a_key_of_64_bits_is_a_seed_of_63() -> None:
    backend, inputs = TorchBackend("cpu"), np.zeros((1, 1, 1), np.float32)
    keys = (5, 2**63 + 5, 2**63 - 1, None)
    made = backend._generators([Trials(inputs, key) for key in keys])
    assert made is not None
    assert [generator.initial_seed() for generator in made] == [5, 5, 2**63 - 1]
    assert backend._generators([Trials(inputs, None)]) is None


def test_many_trials_are_computed_part_by_part_as_all_at_once() -> None:
    network = initialise(network_settings(n_units=6), 2, 1, seed=1)
    n = 2 * TRIALS_AT_ONCE + 3
    inputs = np.random.default_rng(0).standard_normal((4, n, 2)).astype(np.float32)
    backend = TorchBackend("cpu")
    (whole,) = backend.activity([network], [Trials(inputs, None)])
    parts = [
        backend.activity([network], [Trials(inputs[:, i : i + 100], None)])[0]
        for i in range(0, n, 100)
    ]
    assert whole.rates.shape == (4, n, 6)
    np.testing.assert_allclose(
        whole.rates, np.concatenate([part.rates for part in parts], axis=1), atol=1e-6
    )
    np.testing.assert_allclose(
        whole.outputs, np.concatenate([part.outputs for part in parts], axis=1), atol=1e-6
    )
    (outputs,) = backend.outputs([network], [Trials(inputs, None)])
    np.testing.assert_array_equal(outputs, whole.outputs)


def test_networks_are_computed_together_on_a_graphics_processor_alone() -> None:
    backend = TorchBackend("cpu")
    assert not backend.together
    assert backend.device == torch.device("cpu")
    networks = [initialise(network_settings(n_units=3), 1, 1, seed) for seed in (1, 2, 3)]
    trials = [Trials(np.zeros((1, 1, 1), np.float32), None)] * 3
    assert [len(some) for some, _ in backend._groups(networks, trials)] == [1, 1, 1]
    backend.together = True
    assert [len(some) for some, _ in backend._groups(networks, trials)] == [3]


@pytest.mark.parametrize(
    ("name", "shape", "fault"),
    [
        ("W_in", (20, 3), None),
        (
            "W_in",
            (20, 0),
            "W_in as float32 (20, 0), and by network.n_units = 20 it is float32 (20, 1)",
        ),
        (
            "W_in",
            (21, 3),
            "W_in as float32 (21, 3), and by network.n_units = 20 it is float32 (20, 3)",
        ),
        ("b_out", (3,), None),
        (
            "b_out",
            (0,),
            "W_out as float32 (3, 20), and by network.n_units = 20 it is float32 (1, 20)",
        ),
        (
            "W_out",
            (4, 20),
            "W_out as float32 (4, 20), and by network.n_units = 20 it is float32 (3, 20)",
        ),
        ("tau", (20, 1), "tau as float32 (20, 1), and by network.n_units = 20 it is float32 (20,)"),
        (
            "mask",
            (20, 19),
            "mask as bool (20, 19), and by network.n_units = 20 it is bool (20, 20)",
        ),
    ],
)
def test_arrays_of_a_file_have_the_shapes_of_a_network(
    tmp_path: Path, name: str, shape: tuple[int, ...], fault: str | None
) -> None:
    network = initialise(network_settings(n_units=20), 3, 3, seed=1)
    settings = {
        "network": network.wiring.settings.model_dump(),
        "task": {"name": "xor"},
        "training": {"network": 0},
    }
    arrays = network.arrays()
    arrays[name] = np.ones(shape, arrays[name].dtype)
    path = tmp_path / "network-0.safetensors"
    artifacts.write_weights(path, arrays, settings)
    if fault is None:
        read_network(path)
        return
    with pytest.raises(ArtifactError) as caught:
        read_network(path)
    assert str(caught.value).startswith(f"{path} has {fault}; take a copy")
