"""A network as a module of torch and as a file of MATLAB: the same network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.io import loadmat

import ctrnn
from ctrnn import kernel
from ctrnn.core import rng
from ctrnn.network.native_backend import prepared
from ctrnn.notebook import NotebookError
from tests.unit.notebook.models import EACH_MODEL, EVERY, STEPS, TRIALS, inputs_of, model_of


@EVERY
def test_a_module_has_the_rates_of_the_kernel(model: str, activation: str) -> None:
    """To 1e-6, with the kernel's noise and without, where signs hold for inputs and readout too."""
    made = model_of(model=model, activation=activation, dale_inputs=True, dale_readout=True)
    made = made.replace(W_in=made.network.weights["W_in"] - 0.2)  # some are cut off
    module, inputs = made.to_torch(), inputs_of(made)
    normals = kernel.noise(prepared(made.network.wiring), rng.key(3, "notebook"), STEPS, TRIALS)
    for seed, noise in ((None, ()), (3, tuple(map(torch.tensor, normals)))):
        rates, outputs = module(torch.tensor(inputs), None, *noise)
        expected = made.run(inputs, seed)
        np.testing.assert_allclose(rates.detach(), expected.rates, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(outputs.detach(), expected.outputs, rtol=1e-5, atol=1e-5)


@EACH_MODEL
def test_a_module_in_float64_has_the_states_and_the_gradients_of_the_network(
    model: str, activation: str
) -> None:
    made = model_of(model=model, activation=activation, gain="scale", w_gain=0.1)
    module = made.to_torch().double()
    own, trials = inputs_of(made), made.trials(test_trials=4)
    inputs = torch.tensor(own).double().requires_grad_()
    x = torch.tensor(made.run(own, None).states)
    torch.testing.assert_close(module.cell(x[8], inputs[9]), x[9], rtol=1e-9, atol=1e-9)
    x0 = x[9].clone().requires_grad_()
    rates, _ = module(inputs[10:], x0)
    rates.sum().backward()
    assert x0.grad is not None and x0.grad.abs().sum() > 0
    assert inputs.grad is not None and inputs.grad[10:-1].abs().sum() > 0
    module.zero_grad()
    _, outputs = module(torch.tensor(trials.inputs).double())
    errors = (outputs - torch.tensor(trials.targets))[torch.tensor(trials.mask)]
    loss = errors.square().mean()
    loss.backward()
    expected, gradients = made.gradients(trials, seed=None)
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-5)
    for name, weight in module.named_parameters():
        largest = np.abs(gradients[name]).max()
        assert weight.grad is not None
        np.testing.assert_allclose(
            weight.grad, gradients[name], rtol=1e-3, atol=1e-4 * largest + 1e-6, err_msg=name
        )


def test_the_state_of_a_module_is_loaded_into_another() -> None:
    made = model_of(model="adaptation")
    module, other = made.to_torch(), made.lesion([0, 1]).to_torch()
    weights = {"W_in", "W_rec", "b_rec", "W_out", "b_out"}
    assert {name for name, _ in module.named_parameters()} == weights
    units = {"mask", "sign", "dt", "tau", "sigma", "tau_w", "g_w"}
    assert module.state_dict().keys() == weights | units
    inputs = torch.tensor(inputs_of(made))
    assert not torch.equal(other(inputs)[0], module(inputs)[0])
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(inputs)[0], module(inputs)[0])


def test_a_parameter_that_is_trained_is_one_of_the_module() -> None:
    made = model_of().replace(tau=30.0)
    module, inputs = made.to_torch(), inputs_of(made)
    rates, _ = module(torch.tensor(inputs))
    np.testing.assert_allclose(rates.detach(), made.run(inputs, None).rates, atol=1e-6)
    rates.sum().backward()
    slope = module.get_parameter("tau").grad
    assert slope is not None and slope.abs().sum() > 0


@pytest.mark.parametrize("model", ["rate", "adaptation"])
def test_the_points_of_a_module_are_those_of_the_network(model: str) -> None:
    """A module's cell is a cell of torch; its steps are dt / tau of a time constant, and so is its speed."""
    made = model_of(model=model, w_gain=0.5)
    visited, constant = made.run(inputs_of(made)).states, [0.25, -0.5]
    points = made.fixed_points(constant, visited=visited, starts=4)
    cell = made.to_torch().double().cell
    read = made.dynamics.W_out
    found = ctrnn.fixed_points(
        cell, constant, visited, starts=4, iterations=200, tolerances=[1e-4, 1e-22],
        readout=lambda x: torch.tensor(made.dynamics.rates(x.numpy()) @ read.T),
    )  # fmt: skip
    assert points.fixed.sum() == found.fixed.sum() > 0
    np.testing.assert_allclose(found.x[found.fixed], points.x[points.fixed], atol=1e-6)
    np.testing.assert_allclose(
        found.time_constants[found.fixed, 0], points.time_constants[points.fixed, 0], rtol=1e-5
    )


def test_a_file_of_matlab_holds_the_network(tmp_path: Path) -> None:
    made = model_of(model="short_term_plasticity", dale_inputs=True, dale_readout=True)
    made.to_mat(tmp_path / "network.mat")
    stored = loadmat(tmp_path / "network.mat")
    expected: dict[str, Any] = {**made.network.arrays(), **made.network.parameters}
    for name in ("W_in", "W_out"):
        expected[f"{name}_eff"] = made.network.effective_weights[name]
    for name, array in expected.items():
        given = stored[name] if array.ndim == 2 else stored[name][:, 0]
        np.testing.assert_array_equal(given, array, err_msg=name)
    assert [str(name).strip() for name in stored["inputs"]] == ["sample", "test"]
    assert json.loads(stored["settings"][0]) == made.settings
    assert stored["sigma_post"].item() == made.network.wiring.sigma_post


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotebookError, match=r"x\.mat cannot be written \(No such file.*\); give"):
        model_of().to_mat(tmp_path / "missing" / "x.mat")
