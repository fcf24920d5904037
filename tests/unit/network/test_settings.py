"""Section `network`: the bounds of its settings."""

from __future__ import annotations

from typing import Any

import pytest

from ctrnn.errors import ParamsError
from tests.settings import network_settings


@pytest.mark.parametrize(
    ("key", "last", "beyond"),
    [
        ("n_units", 1, 0),
        ("n_units", 46_340, 46_341),  # whose square has more than 31 bits
        ("gamma_shape", 1e-3, 0.9e-3),
        ("gamma_shape", 1e6, 1e6 + 1),
        ("lognormal_sigma", 1e-300, 0.0),
        ("lognormal_sigma", 10.0, 10 + 1e-9),
        ("tau", 1.0, 1 - 1e-9),  # a step
        ("tau", 100_000.0, 100_000.1),  # steps
        ("tau_inh", 1.0, 1 - 1e-9),
        ("tau_inh", 100_000.0, 100_000.1),
        ("p_rec", 1.0, 1 + 1e-9),
        ("p_inh", 1.0, 1 + 1e-9),
        ("sigma_pre", 0.0, -1e-9),
    ],
)
def test_a_bound_is_the_last_value_that_is_allowed(key: str, last: Any, beyond: Any) -> None:
    assert network_settings(**{key: last})
    with pytest.raises(ParamsError, match=f"^network.{key} = "):
        network_settings(**{key: beyond})


def test_densities_are_one_number_or_one_for_each_pair() -> None:
    pairs = {"ee": 0.1, "ei": 0.2, "ie": 0.3, "ii": 0.4}
    assert network_settings(p_rec=pairs).model_dump()["p_rec"] == pairs
    with pytest.raises(ParamsError, match=r"^network\.p_rec\.ii is missing"):
        network_settings(p_rec={name: pairs[name] for name in ("ee", "ei", "ie")})
    with pytest.raises(
        ParamsError, match=r"^network\.p_rec = 'dense' is not allowed; give a number"
    ):
        network_settings(p_rec="dense")
