"""What a model file may not say, and what follows from what it says."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from ctrnn.dynamics import derive
from ctrnn.dynamics.activations import ACTIVATIONS, at_zero, slope_at_zero, slope_of_rate
from ctrnn.dynamics.model import Model
from ctrnn.dynamics.models import models


def model_of(step: Callable[..., Any], states: str = "x", rate: Any = None) -> Model:
    module = ModuleType("own")
    module.STATES = dict.fromkeys(states.split(), "a state")  # type: ignore[attr-defined]
    module.step = step  # type: ignore[attr-defined]
    module.rate = rate or (lambda y, f, p: f(y.x))  # type: ignore[attr-defined]
    return Model("own", module)


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[[Model], None]:
    derive.equations.cache_clear()

    def name(model: Model) -> None:
        monkeypatch.setattr(derive, "models", lambda: {"own": model})

    return name


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (
            model_of(lambda y, r, current, xi, p: {"x": y.x * current + xi}),
            "takes the synaptic current into",
        ),
        (
            model_of(lambda y, r, current, xi, p: {"x": y.x + current**2}),
            "takes the synaptic current into",
        ),
        (
            model_of(lambda y, r, current, xi, p: {"x": y.x + current, "w": y.w + current}, "x w"),
            "takes the synaptic current into",
        ),
        (
            model_of(lambda y, r, current, xi, p: {"x": y.x + current, "w": y.w + xi}, "x w"),
            "takes the noise into",
        ),
        (
            model_of(lambda y, r, current, xi, p: {"x": y.x + y.w, "w": y.w + current}, "x w"),
            "name w first",
        ),
        (
            model_of(
                lambda y, r, current, xi, p: {"x": current},
                rate=lambda y, f, p: f(y.x) + f(2 * y.x),
            ),
            "calls f 2 times",
        ),
    ],
)
def test_a_model_that_the_kernel_cannot_run_is_one_sentence(
    model: Model, sentence: str, named: Callable[[Model], None]
) -> None:
    named(model)
    with pytest.raises(derive.ModelError, match=sentence):
        derive.equations("own", "sigmoid")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_slope_that_the_adjoint_takes_is_that_of_autograd(activation: str) -> None:
    e = derive.equations("rate", activation)
    x = torch.linspace(-3, 3, 13, dtype=torch.float64, requires_grad=True)
    f = ACTIVATIONS[activation](x)
    (expected,) = torch.autograd.grad(f.sum(), x)
    from ctrnn.dynamics.functions import table

    slope = derive.as_function([e.kept], [e.slope], table("torch"))
    kept = (f if e.kept == derive.VALUE else x).detach()
    torch.testing.assert_close(slope(kept)[0], expected, rtol=1e-9, atol=1e-12)


def test_values_and_slopes_at_zero() -> None:
    assert {name: at_zero(name) for name in ACTIVATIONS} == pytest.approx(
        {"sigmoid": 0.5, "relu": 0, "tanh": 0, "softplus": np.log(2), "threshold_power_law": 0}
    )
    assert {name: slope_at_zero(name) for name in ACTIVATIONS} == {
        "sigmoid": 0.25, "relu": 1.0, "tanh": 1.0, "softplus": 0.5, "threshold_power_law": 0.0
    }  # fmt: skip


def test_the_slope_of_a_rate_is_that_of_the_tanh() -> None:
    rates = np.array([-0.99, -0.5, 0.0, 0.9])
    np.testing.assert_allclose(slope_of_rate("tanh", rates), 1 - rates**2, atol=1e-3)


def test_every_model_has_its_states_and_parameters_in_words() -> None:
    for model in models().values():
        assert all(model.module.STATES.values())
        assert all(p.meaning and p.unit for p in model.parameters.values())
        assert model.module.__doc__


def test_plasticity_sends_what_it_has_left() -> None:
    """At rest U; at a constant rate the steady values of Tsodyks and Markram."""
    e = derive.equations("short_term_plasticity", "sigmoid")
    numbers = {"U": 0.2, "tau_u": 1000.0, "tau_d": 200.0, "r_max": 10.0, "dt": 1.0}
    at = {e.p[name]: value for name, value in numbers.items()} | {derive.RATE: 0.5}
    u, d = (float(e.steady()[name].xreplace(at)) for name in ("u", "d"))
    assert u == pytest.approx((0.2 / 1000 + 0.2 * 0.005) / (1 / 1000 + 0.2 * 0.005))
    assert d == pytest.approx(1 / (1 + u * 0.005 * 200))
