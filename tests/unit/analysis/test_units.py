"""What is said of a population's units, from arrays that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ctrnn import tasks
from ctrnn.analysis import roles as roles_module
from ctrnn.analysis import targeted
from ctrnn.analysis.recording import NetworkRecording
from ctrnn.analysis.roles import role_metrics
from ctrnn.analysis.targeted import Design, common, designs, regressors
from ctrnn.network import initialise
from tests.settings import settings
from tests.unit.analysis import known


def test_a_regressor_that_a_network_lacks_is_zero() -> None:
    networks = {("choice", "motion"): 2, ("motion", "context"): 3}
    each = [Design(names, np.zeros((4, 2)), np.ones(4, bool)) for names in networks]
    names = regressors(each)
    assert names == ["choice", "motion", "context"]
    own = [{"d_prime": np.full((2, 3), float(n)), "peak": np.full(2, n)} for n in networks.values()]
    arrays = common(names, each, own)
    assert arrays["d_prime"][..., 0].tolist() == [[2, 2, 0], [0, 3, 3]]
    assert arrays["peak"].tolist() == [[2, 2, 0], [0, 3, 3]]
    assert arrays["peak"].dtype == np.int64


def test_shares_of_units_are_those_of_each_population() -> None:
    sign = np.array([[1, 1, 1, 1, -1, -1], [1, 1, 1, 1, 1, 1]])
    flags = np.array([[1, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 0]], bool)
    roles = {
        "sign": sign,
        "selective": np.stack([flags, ~flags], axis=1),
        "significant": np.ones((2, 2, 6), bool),
        "d_prime": np.where(np.stack([flags, ~flags], axis=1), -2.5, 0.5),
        "silent": flags,
        "saturated": ~flags,
        "excitation": np.full((2, 6), 2.0),
        "inhibition": np.array([[-1.0] * 6, [-3.0] * 6]),
        "tracking": np.array([[0, 0, 0.1, 0.3, 1, 1], [0.5] * 6]),
    }
    report = role_metrics(["choice", "motion"], roles)
    silent = {kind: share["per_network"] for kind, share in report["silent_units"].items()}
    assert silent == {"excitatory": [0.25, 0.5], "inhibitory": [0.5, None]}
    assert report["saturated_units"]["excitatory"]["per_network"] == [0.75, 0.5]
    selective = report["selective_units"]
    assert selective["choice"]["excitatory"]["per_network"] == [0.25, 0.5]
    assert selective["motion"]["inhibitory"]["per_network"] == [0.5, None]
    by_effect = report["selective_units_by_effect"]["choice"]["excitatory"]
    assert {size: share["per_network"] for size, share in by_effect.items()} == {
        "0": [1, 1], "1": [0.25, 0.5], "2": [0.25, 0.5], "5": [0, 0], "10": [0, 0],
    }  # fmt: skip
    assert report["inhibition_over_excitation"]["per_network"] == [0.5, 1.5]
    assert report["current_tracking"]["per_network"] == pytest.approx([0.2, 0.5])


def test_without_excitation_inhibition_is_over_next_to_nothing() -> None:
    none = {name: np.zeros((1, 2)) for name in ("excitation", "inhibition", "tracking", "sign")}
    flags = {name: np.zeros((1, 2), bool) for name in ("silent", "saturated")}
    report = role_metrics([], {**none, **flags})
    assert report["inhibition_over_excitation"]["per_network"] == [0]


def test_a_networks_arrays_are_those_of_its_rates() -> None:
    params = settings(network__n_units=10, analyze__time_bin=5, analyze__roles__permutations=500)
    network = initialise(params.network, 1, 1, seed=1)
    random = np.random.default_rng(0)
    averages = random.random((2, 20, 10)).astype(np.float32)
    averages[..., 0], averages[..., 1] = 0.001, 0.999  # silent, saturated
    rows = pd.DataFrame({"motion": [1.0, -1.0] * 10, "condition": ["a", "b"] * 10})
    binned = random.random((4, 20, 10)).astype(np.float32)
    binned[2, :, 4] += 5 * rows["motion"].to_numpy(np.float32)  # motion is in unit 4, in bin 2
    rates = NetworkRecording(["a", "b"], averages, binned, rows, np.full(20, np.nan, np.float32))
    recording = known.recording(
        tasks.get_task("go_nogo", params.tasks, 1.0), [network], params, None
    )
    recording.__dict__["rates"] = [rates]
    along, _ = targeted.compute(recording)
    roles, _ = roles_module.compute(recording)
    assert recording.once(designs)[0].names == ("motion",)
    assert roles["variables"].tolist() == along["variables"].tolist() == ["motion"]
    assert roles["silent"][0].tolist() == [True] + [False] * 9
    assert roles["saturated"][0].tolist() == [False, True] + [False] * 8
    assert roles["selective"][0, 0, 4]
    assert along["peak"][0].tolist() == [2 * 5]
    assert along["strength"][0].shape == (1, 4)
    assert along["projections"][0].shape == (1, 2, 20)
    W = network.W_eff.astype(np.float64)
    excitation = averages @ np.maximum(W, 0).T
    np.testing.assert_allclose(roles["excitation"][0], excitation.mean(axis=(0, 1)))
    np.testing.assert_allclose(roles["excitation_in_time"][0], excitation.mean(axis=(0, 2)))
    inhibition = averages @ np.minimum(W, 0).T
    np.testing.assert_allclose(roles["inhibition"][0], inhibition.mean(axis=(0, 1)))
    np.testing.assert_allclose(roles["inhibition_in_time"][0], inhibition.mean(axis=(0, 2)))
