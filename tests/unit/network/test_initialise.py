"""A network starts with exact counts, balanced rows, the gain that is asked for, and centred units."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pytest

from ctrnn.network import Network, initialise
from ctrnn.network.initialise import (
    balance,
    draw,
    inhibitory_units,
    readout_weights,
    signs,
    spectral_radius,
)
from tests.settings import network_settings


def start(seed: int = 1, **changes: object) -> Network:
    return initialise(network_settings(**changes), n_channels=4, n_outputs=1, seed=seed)


@pytest.mark.parametrize(
    ("n", "p_inh", "n_inh"),
    [
        (200, 0.2, 40), (7, 0, 0), (7, 1, 7), (7, 0.333, 2), (200, 0.333, 67), (7, 0.5, 4), (9, 0.5, 5), (25, 0.1, 3),
        (45, 0.1, 5), (25, 0.3, 8), (15, 0.9, 14), (100, 0.145, 15), (1, 0.2, 0), (3, 0.2, 1), (9, 1e-05, 0),
    ],
)  # fmt: skip
def test_inhibitory_units_are_the_last_p_inh_n_units_halves_up(
    n: int, p_inh: float, n_inh: int
) -> None:
    sign = signs(network_settings(n_units=n, p_inh=p_inh), seed=1)
    np.testing.assert_array_equal(sign, [1] * (n - n_inh) + [-1] * n_inh)


def test_the_number_of_inhibitory_units_is_that_of_decimal_arithmetic_at_every_size() -> None:
    """Python's round takes halves to even numbers, and floats miss halves: 0.145 x 100 < 14.5."""
    base = network_settings()
    for n in range(1, 121):
        for hundredths in ("0", "0.05", "0.1", "0.145", "0.15", "0.25", "0.35", "0.45", "0.5", "1"):
            settings = base.model_copy(update={"n_units": n, "p_inh": float(hundredths)})
            expected = (Decimal(hundredths) * n).quantize(Decimal(1), ROUND_HALF_UP)
            assert inhibitory_units(settings) == expected, (n, hundredths)


def test_the_tutorials_count_is_random() -> None:
    settings = network_settings(inhibitory_count="random")
    counts = {int((signs(settings, seed) < 0).sum()) for seed in range(8)}
    assert len(counts) > 2


def test_signs_follow_the_presynaptic_unit() -> None:
    network = start()
    excitatory = network.wiring.sign > 0
    assert (network.W_eff[:, excitatory] >= 0).all()
    assert (network.W_eff[:, ~excitatory] <= 0).all()


def test_no_weight_stands_off_the_pattern_and_its_density_is_p_rec() -> None:
    network = start()
    mask = network.wiring.mask
    assert not network.W_eff[~mask].any()
    assert not network.weights["W_rec"][~mask].any()
    assert abs(mask.mean() - 0.2) < 5 * np.sqrt(0.2 * 0.8 / mask.size)


def test_rows_are_balanced() -> None:
    network = start()
    size = np.abs(network.W_eff).sum(axis=1)
    assert (np.abs(network.W_eff.sum(axis=1)) < 1e-5 * size).all()
    tutorial = start(balance_rows=False).W_eff
    assert tutorial.sum() > 0.5 * np.abs(tutorial).sum()  # 80% of the weights are excitatory


@pytest.mark.parametrize(("activation", "slope"), [("sigmoid", 0.25), ("relu", 1.0)])
def test_the_gain_is_the_spectral_radius_of_the_linearised_recurrence(
    activation: str, slope: float
) -> None:
    for w_gain in (0.5, 1.5):
        network = start(w_gain=w_gain, activation=activation)
        radius = slope * np.abs(np.linalg.eigvals(network.W_eff.astype(float))).max()
        assert radius == pytest.approx(w_gain, rel=1e-4)


def test_the_tutorials_gain_is_the_scale_of_the_weights() -> None:
    network = start(gain="scale", balance_rows=False)
    existing = network.W_eff[network.wiring.mask]
    expected = 1.5 / np.sqrt(200 * 0.2)
    assert np.sqrt((existing**2).mean()) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("p_inh", [0, 0.2])
def test_the_centring_bias_makes_zero_a_fixed_point(p_inh: float) -> None:
    network = start(p_inh=p_inh)
    residue = network.W_eff.sum(axis=1) / 2 + network.weights["b_rec"]
    assert np.abs(residue).max() < 1e-5
    assert not start(p_inh=p_inh, centring_bias=False).weights["b_rec"].any()


def test_gamma_weights_have_the_distribution_of_their_shape() -> None:
    network = start(weight_distribution="gamma", gain="scale", balance_rows=False, gamma_shape=2.0)
    sizes = np.abs(network.W_eff[network.wiring.mask]) * np.sqrt(200 * 0.2) / 1.5
    assert (sizes**2).mean() == pytest.approx(1, rel=0.05)
    assert sizes.mean() == pytest.approx(2 / np.sqrt(6), rel=0.03)


def test_lognormal_weights_have_the_distribution_of_their_sigma() -> None:
    network = start(weight_distribution="lognormal", gain="scale", balance_rows=False, p_rec=1.0)
    sizes = np.abs(network.W_eff) * np.sqrt(200) / 1.5
    assert (sizes**2).mean() == pytest.approx(1, rel=0.1)
    assert np.log(sizes).mean() == pytest.approx(-(0.94**2), abs=0.02)
    assert np.log(sizes).std() == pytest.approx(0.94, rel=0.01)


def test_densities_by_pair_name_the_postsynaptic_population_first() -> None:
    by_pair = {"ee": 0.1, "ei": 0.9, "ie": 0.5, "ii": 0.0}
    wiring = start(p_rec=by_pair, p_inh=0.5).wiring
    e, i = slice(0, 100), slice(100, 200)
    densities = {
        "ee": wiring.mask[e, e],
        "ei": wiring.mask[e, i],
        "ie": wiring.mask[i, e],
        "ii": wiring.mask[i, i],
    }
    for pair, mask in densities.items():
        assert mask.mean() == pytest.approx(by_pair[pair], abs=0.02), pair
    uniform = start(p_rec=dict.fromkeys(by_pair, 0.2)).wiring
    np.testing.assert_array_equal(uniform.mask, start(p_rec=0.2).wiring.mask)


def test_self_connections_can_be_left_out_and_nothing_else_changes() -> None:
    with_them, without = start().wiring.mask, start(self_connections=False).wiring.mask
    assert with_them.diagonal().any()
    assert not without.diagonal().any()
    np.testing.assert_array_equal(with_them & ~np.eye(200, dtype=bool), without)


def test_inputs_excite_only_where_asked() -> None:
    free, signed = start(), start(dale_inputs=True)
    assert free.effective_weights["W_in"] is free.weights["W_in"]
    assert (free.weights["W_in"] < 0).any()
    assert (signed.effective_weights["W_in"] > 0).all()
    np.testing.assert_array_equal(signed.weights["W_rec"], free.weights["W_rec"])


def test_only_excitatory_units_are_read_out_where_asked_with_one_sign() -> None:
    network = start(dale_readout=True)
    excitatory = network.wiring.sign > 0
    W_out = network.effective_weights["W_out"]
    assert (W_out[:, excitatory] > 0).all()
    assert not W_out[:, ~excitatory].any()
    assert (start().weights["W_out"][:, ~excitatory] != 0).all()


def test_the_readout_starts_as_asked() -> None:
    settings = network_settings(n_units=2000, readout_sd=0.03)
    assert readout_weights(settings, 1, seed=1).std() == pytest.approx(0.03, rel=0.05)
    tutorial = start(readout_start="uniform").weights["W_out"]
    assert 0.9 / np.sqrt(200) < np.abs(tutorial).max() <= 1 / np.sqrt(200)


def test_without_dale_a_unit_may_do_both() -> None:
    W = start(dale=False).W_eff
    assert ((W > 0).any(axis=0) & (W < 0).any(axis=0)).all()


def test_time_constants_follow_the_population() -> None:
    wiring = start(tau=20, tau_inh=10).wiring
    np.testing.assert_array_equal(wiring.tau, np.where(wiring.sign > 0, 20, 10))
    assert np.array_equal(wiring.parameters["tau"], wiring.tau)
    assert (start(tau=20).wiring.tau == 20).all()


def test_noise_scaling() -> None:
    per_step = 0.01 * np.sqrt(1 - (1 - 1 / 20) ** 2)  # what the leak takes from sigma^2 in a step
    np.testing.assert_allclose(start().wiring.parameters["sigma"], per_step, rtol=1e-6)
    np.testing.assert_allclose(
        start(noise_scaling="tutorial").wiring.parameters["sigma"], 0.01 / 20, rtol=1e-6
    )


def test_the_same_seed_gives_the_same_network_and_another_seed_another() -> None:
    first, again, other = start(1), start(1), start(2)
    for name, array in first.weights.items():
        np.testing.assert_array_equal(array, again.weights[name])
        if array.any():
            assert not np.array_equal(array, other.weights[name]), name


@pytest.mark.parametrize(("p_inh", "p_rec"), [(0, 0.2), (1, 0.2), (0.2, 0), (0.2, 1), (0.5, 0.01)])
def test_extreme_settings_give_finite_weights(p_inh: float, p_rec: float) -> None:
    for array in start(p_inh=p_inh, p_rec=p_rec).arrays().values():
        assert np.isfinite(array).all()


def test_a_row_is_balanced_by_scaling_its_inhibition() -> None:
    sign = np.array([1.0, 1.0, -1.0, -1.0])
    W = np.array([[1.0, 2.0, -1.0, -0.5], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, -1.0, -1.0]])
    expected = [[1, 2, -2, -1], [1, 1, 0, 0], [0, 0, 0, 0]]  # without inhibition a row is kept
    np.testing.assert_allclose(balance(W, sign), expected)


def test_the_spectral_radius_has_six_digits() -> None:
    W = np.diag([-1.23456789, 0.5])
    assert spectral_radius(W) == 1.23457


def test_rectified_units_need_no_bias_to_be_centred() -> None:
    assert not start(n_units=20, activation="relu").weights["b_rec"].any()


def test_a_network_without_synapses_starts_without_weights() -> None:
    for gain in ("scale", "spectral_radius"):
        network = start(n_units=20, p_rec=0, gain=gain)
        assert not network.weights["W_rec"].any()


def test_the_scale_counts_the_expected_synapses_of_pairs() -> None:
    pairs = {"ee": 0.1, "ei": 0.2, "ie": 0.3, "ii": 0.4}
    mean = 0.75 * 0.75 * 0.1 + 0.75 * 0.25 * 0.2 + 0.25 * 0.75 * 0.3 + 0.25 * 0.25 * 0.4
    changes: dict[str, Any] = {
        "n_units": 100,
        "p_inh": 0.25,
        "gain": "scale",
        "balance_rows": False,
    }
    network = start(p_rec=pairs, **changes)
    drawn = np.abs(draw(network.wiring.settings, seed=1)) * network.wiring.mask
    expected = 1.5 / np.sqrt(100 * mean) * drawn
    np.testing.assert_allclose(network.weights["W_rec"], expected, rtol=1e-5)


@pytest.mark.parametrize("distribution", ["gaussian", "gamma", "lognormal"])
def test_without_dale_half_of_the_weights_are_negative(distribution: str) -> None:
    W = draw(network_settings(n_units=100, weight_distribution=distribution), seed=1)
    assert (W < 0).mean() == pytest.approx(0.5, abs=0.02)
    assert (W != 0).all()


def test_random_signs_are_inhibitory_with_the_probability_of_the_settings() -> None:
    sign = signs(network_settings(n_units=10_000, p_inh=0.2, inhibitory_count="random"), seed=1)
    assert set(sign) == {-1, 1}
    assert (sign < 0).mean() == pytest.approx(0.2, abs=0.02)


def test_every_array_has_the_shape_of_channels_units_and_outputs() -> None:
    network = initialise(network_settings(n_units=20), n_channels=3, n_outputs=2, seed=1)
    shapes = {name: array.shape for name, array in network.weights.items()}
    assert shapes == {"W_in": (20, 3), "W_rec": (20, 20), "b_rec": (20,), "W_out": (2, 20), "b_out": (2,)}  # fmt: skip
    assert not network.weights["b_out"].any()
    assert {array.dtype for array in network.weights.values()} == {np.dtype(np.float32)}


def test_a_row_with_next_to_no_inhibition_is_kept() -> None:
    W = np.array([[1.0, -1e-310], [1.0, -0.5]])
    balanced = balance(W, np.array([1.0, -1.0], np.float32))
    assert balanced.tolist() == [[1.0, -1e-310], [1.0, -1.0]]
