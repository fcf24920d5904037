"""The text of a model's equations says what is run."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from ctrnn.dynamics.activations import ACTIVATIONS
from ctrnn.dynamics.derive import as_text
from ctrnn.dynamics.models import models

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "model.md"
FUNCTIONS = {
    "logistic": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "softplus": lambda x: math.log1p(math.exp(x)),
    "positive": lambda x: max(x, 0.0),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("model", models())
def test_the_text_read_as_python_gives_the_numbers_of_the_model(
    model: str, activation: str
) -> None:
    made = models()[model]
    own = {name: 0.1 + 0.05 * i for i, name in enumerate(made.parameters)}
    p = {"dt": 0.5, "tau": 10.0, "sigma": 0.3, **own}
    y = {name: 0.2 + 0.3 * i for i, name in enumerate(made.states)}
    lines = dict(line.split(" = ") for line in as_text(model, activation).splitlines())

    def f(x: float) -> float:
        return float(eval(lines["f(x)"], FUNCTIONS | {"x": x}))

    names = {**p, **y, "r": 0.4, "I": -0.7, "xi": 1.1, "f": f}
    numbers = {name: eval(text, names) for name, text in lines.items() if name != "f(x)"}
    values = SimpleNamespace(**p)
    wanted = {
        **made.step(y, 0.4, -0.7, 1.1, values),
        "r": made.rate(y, f, values),
        "s": made.transmitted(y, 0.4, values),
    }
    assert numbers == pytest.approx({name: wanted[name] for name in numbers})
    assert f(0.3) == pytest.approx(float(ACTIVATIONS[activation](0.3)))
    assert ("s" in numbers) == (wanted["s"] != 0.4)


@pytest.mark.parametrize("model", models())
def test_the_page_of_the_model_has_the_text(model: str) -> None:
    assert f"`{model}`:\n\n```\n{as_text(model, 'sigmoid')}\n```\n" in PAGE.read_text()
