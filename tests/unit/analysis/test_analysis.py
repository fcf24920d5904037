"""Analyses against answers that are known beforehand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from ctrnn.analysis import spectrum, weights
from ctrnn.analysis.spectrum import spectra
from ctrnn.analysis.state_space import principal_components
from ctrnn.analysis.weights import (
    dale_check,
    lacks,
    moments,
    weight_distributions,
    weight_metrics,
    weight_statistics,
)
from ctrnn.network import Network, initialise
from tests.settings import network_settings, settings
from tests.unit.analysis import known


@pytest.fixture
def network() -> Network:
    return initialise(network_settings(n_units=50), 1, 1, seed=1)


def with_weights(network: Network, W: np.ndarray) -> Network:
    return Network(network.wiring, {**network.weights, "W_rec": W.astype(np.float32)})


def planar_rates() -> np.ndarray:
    """Rates [condition, time, unit] on a plane with variances 9 and 1."""
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.standard_normal((30, 2)))[0]
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.sqrt(2) * np.stack([3 * np.cos(angle), np.sin(angle)], axis=1)
    rates: np.ndarray = (circle @ axes.T).reshape(4, 10, 30) + 0.5
    return rates


def test_principal_components_find_a_plane() -> None:
    space = principal_components(planar_rates(), n_components=3)
    np.testing.assert_allclose(space.explained_variance, [0.9, 0.1, 0], atol=1e-12)
    assert space.participation_ratio == pytest.approx(1 / (0.81 + 0.01))
    variances = space.projections.reshape(-1, 3).var(axis=0)
    np.testing.assert_allclose(variances, [9, 1, 0], atol=1e-4)


def test_permuting_units_changes_no_principal_component() -> None:
    rates = planar_rates()
    order = np.random.default_rng(1).permutation(rates.shape[-1])
    one, other = (principal_components(array, 2) for array in (rates, rates[..., order]))
    np.testing.assert_allclose(one.projections, other.projections, atol=1e-5)


def test_an_axis_points_where_its_largest_loading_is_positive() -> None:
    for rates in (planar_rates(), -planar_rates()):
        axes = principal_components(rates, 2).axes
        assert (axes[np.abs(axes).argmax(axis=0), [0, 1]] > 0).all()
        np.testing.assert_allclose(np.linalg.norm(axes, axis=0), 1)


def test_constant_rates_have_no_variance() -> None:
    space = principal_components(np.full((2, 5, 4), 0.5), 2)
    assert not space.explained_variance.any()
    assert space.participation_ratio == 0


def test_the_spectrum_is_ordered_and_complete(network: Network) -> None:
    (values,) = spectra([network])
    assert (np.diff(np.abs(values)) < 1e-6).all()
    assert values.sum() == pytest.approx(np.trace(network.W_eff.astype(float)), abs=1e-6)


def test_weight_counts_are_those_of_the_synapses(network: Network) -> None:
    counts = weight_distributions([network], [network], n_bins=10)
    for population, sign in (("excitatory", 1), ("inhibitory", -1)):
        existing = network.W_eff[:, network.wiring.sign == sign]
        assert counts[f"after_{population}"].sum() == (existing != 0).sum()


def test_dale_holds_at_the_start(network: Network) -> None:
    check = dale_check([network])
    assert check == {"applies": True, "holds": True, "sign_changes": 0, "off_pattern": 0}


def test_a_weight_off_the_pattern_is_found(network: Network) -> None:
    W = network.weights["W_rec"].copy()
    W[tuple(np.argwhere(~network.wiring.mask)[0])] = 0.1
    check = dale_check([with_weights(network, W)])
    assert (check["holds"], check["off_pattern"]) == (False, 1)


def test_a_wrong_sign_is_found(network: Network) -> None:
    broken = with_weights(network, network.weights["W_rec"])
    broken.__dict__["W_eff"] = -network.W_eff
    check = dale_check([broken])
    assert not check["holds"]
    assert check["sign_changes"] == (network.W_eff != 0).sum()


def test_the_moments_of_large_weights_do_not_overflow_and_those_of_others_keep_their_bits() -> None:
    values = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    assert moments(values) == (values.mean(), values.std())
    assert moments(1e-3 * values) == ((1e-3 * values).mean(), (1e-3 * values).std())
    mean, sd = moments(np.float32(1e30) * values)
    assert (mean, sd) == pytest.approx((1e30 * values.mean(), 1e30 * values.std()), rel=1e-5)
    assert moments(np.zeros(0, np.float32)) == moments(np.zeros(3, np.float32)) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"p_inh": 0}, ["no inhibitory units"]),
        ({"p_inh": 0, "dale": False}, []),
        ({"p_inh": 1, "balance_rows": False}, ["no excitatory units"]),
        ({"p_rec": 0}, ["no recurrent synapses"]),
        ({"w_gain": 0}, ["no recurrent weights other than 0"]),
        ({"W_in_sd": 0}, ["no input weights other than 0"]),
        ({"readout_sd": 0}, ["no readout weights other than 0"]),
        ({"n_units": 9}, ["only 9 units"]),
        ({"n_units": 10}, []),
        ({"w_gain": 1e30}, ["recurrent weights of up to 6e+30"]),
        ({"W_in_sd": 1e30}, ["input weights of up to 2e+30"]),
        ({"readout_sd": 1e4}, ["readout weights of up to 2e+04"]),
        (
            {"n_units": 1, "p_rec": 0},
            ["no recurrent synapses", "no inhibitory units", "only 1 unit"],
        ),
    ],
)
def test_what_a_network_lacks_is_counted_in_it(changes: dict[str, Any], found: list[str]) -> None:
    network = initialise(network_settings(**{"n_units": 20, **changes}), 1, 1, seed=1)
    assert lacks(network) == found
    assert weight_metrics([network], [network]).get("lacks", [[]]) == [found]


def test_weight_statistics(network: Network) -> None:
    report = weight_metrics([network], [network])
    stats = report["weights"]["inhibitory"]["after"][0]
    inhibitory = network.W_eff[:, network.wiring.sign < 0]
    assert stats["units"] == 10
    assert stats["synapses"] == (inhibitory < 0).sum()
    assert stats["density"] == pytest.approx((inhibitory < 0).mean())
    assert stats["mean"] == pytest.approx(inhibitory[inhibitory < 0].mean())


def test_a_population_without_units_or_synapses_has_no_weights() -> None:
    nobody = initialise(network_settings(n_units=20, p_inh=0), 1, 1, seed=1)
    nothing = {"units": 0, "synapses": 0, "density": 0, "mean": 0, "sd": 0}
    assert weight_statistics(nobody, -1) == nothing
    unconnected = initialise(network_settings(n_units=20, p_rec=0, p_inh=0), 1, 1, seed=1)
    assert weight_statistics(unconnected, 1) == {**nothing, "units": 20}
    bins = weight_distributions([unconnected], [unconnected], n_bins=4)["bins"]
    np.testing.assert_allclose(bins, [0, 0.25, 0.5, 0.75, 1])


def test_bins_of_weights_reach_the_largest_of_both_times(network: Network) -> None:
    twice = with_weights(network, 2 * network.weights["W_rec"])
    for before, after in ((network, twice), (twice, network)):
        counts = weight_distributions([before], [after], n_bins=10)
        assert counts["bins"][[0, -1]].tolist() == [0, np.abs(twice.W_eff).max()]
        assert len(counts["bins"]) == 11
        when = "before" if before is twice else "after"
        largest = np.abs(twice.W_eff[:, network.wiring.sign > 0])
        expected = np.histogram(largest[largest > 0], counts["bins"])[0]
        assert counts[f"{when}_excitatory"][0].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("changes", "edge"),
    [({}, 4.0), ({"activation": "threshold_power_law"}, None), ({"model": "adaptation"}, None)],
)
def test_activity_grows_beyond_one_edge_for_all_networks_or_none(
    changes: dict[str, Any], edge: float | None
) -> None:
    networks = [initialise(network_settings(n_units=20, **changes), 1, 1, seed) for seed in (1, 2)]
    arrays, _ = spectrum.compute(known.recording(None, networks, settings(), None))
    assert arrays["edge"].shape == ()
    assert np.isnan(arrays["edge"]) if edge is None else arrays["edge"] == edge


def test_metrics_of_weights_tell_before_from_after(network: Network) -> None:
    twice = with_weights(network, 2 * network.weights["W_rec"])
    recording = dataclasses.replace(
        known.recording(None, [twice], settings(), None), before=[network]
    )
    (_, report), (_, spectral) = weights.compute(recording), spectrum.compute(recording)
    radius = spectral["spectral_radius"]
    assert radius["after"]["mean"] == pytest.approx(2 * radius["before"]["mean"], rel=1e-5)
    for population in report["weights"].values():
        sd = population["before"][0]["sd"]
        assert population["after"][0]["sd"] == pytest.approx(2 * sd, rel=1e-5)
    assert report["weights"]["excitatory"]["after"][0]["units"] == 40


def test_networks_without_dales_principle_have_no_wrong_signs() -> None:
    free = initialise(network_settings(n_units=20, dale=False), 1, 1, seed=1)
    check = dale_check([free])
    assert check == {"applies": False, "holds": True, "sign_changes": 0, "off_pattern": 0}
