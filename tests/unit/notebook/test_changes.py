"""A changed network is a new one, whose weights, equations and rates agree; the one before stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ctrnn.analysis.lesions import silenced
from ctrnn.notebook import Model, NotebookError
from tests.unit.notebook.models import EACH_MODEL, UNITS, inputs_of, model_of


def agrees(made: Model) -> None:
    """What runs is what is shown: by the kernel and by the equations."""
    np.testing.assert_array_equal(made.dynamics.W, made.network.W_eff)
    inputs = inputs_of(made)
    expected = made.dynamics.simulate(inputs)
    np.testing.assert_allclose(
        made.run(inputs, None).rates, made.dynamics.rates(expected), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(made.run(inputs, None).states, expected)


@EACH_MODEL
def test_a_lesion_takes_what_units_send_from_everything(model: str, activation: str) -> None:
    made = model_of(model=model, activation=activation)
    before = {name: array.copy() for name, array in made.network.arrays().items()}
    W_eff = made.dynamics.W.copy()  # asked for before the lesion
    inhibitory = made.network.wiring.sign < 0
    lesioned = made.lesion(inhibitory)
    assert not lesioned.network.W_eff[:, inhibitory].any()
    assert not lesioned.network.weights["W_out"][:, inhibitory].any()
    assert not lesioned.dynamics.W[:, inhibitory].any()
    agrees(lesioned)
    for name, array in silenced(made.network, np.flatnonzero(inhibitory)).weights.items():
        np.testing.assert_array_equal(lesioned.network.weights[name], array)
    for name, array in before.items():
        np.testing.assert_array_equal(made.network.arrays()[name], array)
    np.testing.assert_array_equal(made.dynamics.W, W_eff)


@EACH_MODEL
def test_replaced_arrays_act_everywhere(model: str, activation: str) -> None:
    made = model_of(model=model, activation=activation, tau_inh=15)
    W = 1.1 * made.network.weights["W_rec"]
    tau = np.linspace(10, 40, UNITS).astype(np.float32)
    changed = made.replace(W_rec=W, b_rec=0.1, tau=tau)
    np.testing.assert_allclose(changed.network.W_eff, 1.1 * made.network.W_eff, rtol=1e-6)
    np.testing.assert_array_equal(changed.network.parameters["tau"], tau)
    np.testing.assert_allclose(changed.dynamics.alpha[:UNITS], 1 / tau)
    assert (changed.network.parameters["sigma"] != made.network.parameters["sigma"]).any()
    assert (changed.network.weights["b_rec"] == np.float32(0.1)).all()
    agrees(changed)
    assert changed.changes == ("W_rec", "b_rec", "tau")


def test_a_parameter_of_the_model_is_replaced_by_its_name() -> None:
    made = model_of(model="adaptation").replace(g_w=0)
    assert not made.network.parameters["g_w"].any()
    agrees(made)


def test_the_pattern_and_the_signs_are_replaced() -> None:
    made = model_of()
    mask = made.network.wiring.mask & (np.arange(UNITS) > 2)
    changed = made.replace(mask=mask, sign=-made.network.wiring.sign)
    np.testing.assert_array_equal(changed.network.W_eff, -made.network.W_eff * mask)
    agrees(changed)


def test_arrays_are_read_only_before_and_after_a_change() -> None:
    for made in (model_of(), model_of().lesion(0).replace(b_out=1.0)):
        for array in (*made.network.arrays().values(), *made.network.effective_weights.values()):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
        with pytest.raises(ValueError, match="read-only"):
            made.run(inputs_of(made)).states[...] = 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"W_recc": 0}, r"^W_recc is nothing of a network .*; did you mean W_rec\?"),
        ({"W_eff": 0}, r"^W_eff follows from W_rec, mask and sign; give W_rec as it is trained"),
        ({"W_in": np.zeros((3, 2))}, r"^W_in has shape \[3, 2\]; give \[12, 2\], or one number"),
        ({"b_rec": "x"}, r"^b_rec = 'x' is no array of numbers; give \[12\]"),
        ({"b_rec": np.nan}, r"^b_rec has numbers that are not finite; give others"),
        ({"W_rec": 1.0}, r"^W_rec has \d+ weights where there is no synapse; give 0 there, or a"),
        ({"tau": 0.5}, r"^tau has numbers that are not from 1 to 100000; give others"),
        ({"sign": 2}, r"^sign has numbers that are neither 1 nor -1; give 1 or -1 of each unit"),
        ({"dt": 2}, r"^dt is nothing of a network that can be replaced; "),
    ],
)
def test_what_is_nothing_of_a_network_is_one_sentence(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(NotebookError, match=sentence):
        model_of().replace(**changes)


def test_a_lesion_of_units_that_are_not_there_is_one_sentence() -> None:
    with pytest.raises(NotebookError, match=r"^units = 40 does not choose among 12 units; give"):
        model_of().lesion(40)
