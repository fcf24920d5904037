"""A run's description tells what its networks are, from the networks."""

from __future__ import annotations

from typing import Any

import pytest

from ctrnn.analysis.connectivity import connectivity_metrics
from ctrnn.network import initialise
from ctrnn.tracking import note
from tests.settings import settings

TAGS = {"git.commit": "0" * 40, "git.dirty": "false", "cpu": "x86-64"} | {
    f"version.{name}": "1" for name in ("ctrnn", "python", "numpy", "torch")
}


def written(analyzed: dict[str, Any] | None = None, **network: Any) -> str:
    """The note of two untrained networks with these settings, neither of which converged."""
    params = settings(train__n_networks=2, **{f"network__{k}": v for k, v in network.items()})
    networks = [initialise(params.network, 1, 1, seed) for seed in (1, 2)]
    runs = [
        {"network": i, "seed": 1 + i, "converged": False, "iterations": 9, "validation_accuracy": 0.5}
        for i in range(2)
    ]  # fmt: skip
    evaluated = {"accuracy": {"mean": 0.5, "sd": 0.0, "per_network": [0.5, 0.5]}}
    return note.write(
        "go_nogo",
        params,
        {"networks": runs},
        {**evaluated, "accuracy_by_condition": {}},
        {**connectivity_metrics(networks, networks), **(analyzed or {})},
        TAGS,
        "key",
    )


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({"n_units": 25, "p_inh": 0.1}, "25 sigmoid units, 3 inhibitory;"),
        ({"n_units": 9, "p_inh": 0.5}, "9 sigmoid units, 5 inhibitory;"),
        ({"n_units": 25, "inhibitory_count": "random"}, "25 sigmoid units, 1 to 5 inhibitory;"),
    ],
)
def test_inhibitory_units_are_counted_in_the_networks(network: dict[str, Any], said: str) -> None:
    assert said in written(**network)
