"""The generator: the numpy definition's bits, a normal's distribution, and nothing in common between streams."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ctrnn.kernel import noise, normals
from ctrnn.kernel import normals as normals_function
from ctrnn.kernel.library import LANES
from ctrnn.kernel.normals import normals_definition
from tests.unit.kernel.cases import Case, job_of

SAMPLE = normals(np.arange(1000, 1064, dtype=np.uint64), 62_500)  # 4 million


@settings(max_examples=40, deadline=None)
@given(seeds=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=9), count=st.integers(0, 300))
def test_the_compiled_function_has_the_bits_of_the_numpy_definition(
    seeds: list[int], count: int
) -> None:
    keys = np.array(seeds, np.uint64)
    assert np.array_equal(normals(keys, count), normals_definition(keys, count))


def test_the_numpy_definition_serves_where_nothing_can_be_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_compiler() -> None:
        raise RuntimeError

    expected = normals_function(np.arange(3, dtype=np.uint64), 10)
    monkeypatch.setitem(normals_function.__globals__, "library", no_compiler)
    assert np.array_equal(normals_function(np.arange(3, dtype=np.uint64), 10), expected)


def test_the_kernels_noise_is_the_same_stream_slice_by_slice() -> None:
    network, key = job_of(Case(n=5)).network, 123456789123456789
    xi, eta = noise(network, key, T=4, n_trials=2 * LANES)
    for s in range(2):
        row = normals_definition(np.array([key], np.uint64), 4 * 5 * 2 * LANES, first_slice=s)
        blocks = row.reshape(4, 5, 2, LANES).transpose(2, 0, 3, 1)
        assert np.array_equal(xi[:, s * LANES : (s + 1) * LANES], blocks[0])
        assert np.array_equal(eta[:, s * LANES : (s + 1) * LANES], blocks[1])


def test_moments_to_order_eight() -> None:
    x = SAMPLE.astype(np.float64).ravel()
    for order in range(1, 9):
        expected = stats.norm.moment(order)
        spread = np.sqrt((stats.norm.moment(2 * order) - expected**2) / x.size)
        assert abs((x**order).mean() - expected) < 4.5 * spread, order


def test_tails_and_whole_distribution() -> None:
    x = np.sort(SAMPLE.ravel())
    for limit in (3.0, 4.0, 4.5, 5.0):
        expected = x.size * stats.norm.sf(limit)
        for beyond in (x.size - np.searchsorted(x, limit), np.searchsorted(x, -limit)):
            assert abs(beyond - expected) < 4.5 * np.sqrt(expected) + 1, limit
    assert stats.kstest(x[::4], "norm").pvalue > 1e-4
    assert np.abs(x).max() < 6.6


@pytest.mark.parametrize("power", [1, 2])
def test_no_correlation_between_neighbours_in_a_stream(power: int) -> None:
    x = SAMPLE.astype(np.float64) ** power
    x = (x - x.mean()) / x.std()
    for lag in (*range(1, 70), 96, 128, 192, 256, 640):
        r = (x[:, :-lag] * x[:, lag:]).mean()
        assert abs(r) < 4.8 / np.sqrt(x[:, lag:].size), lag


@pytest.mark.parametrize("keys", [np.arange(400), np.arange(400) << 32, 1 << np.arange(60)])
@pytest.mark.parametrize("power", [1, 2])
def test_no_correlation_between_streams(keys: np.ndarray, power: int) -> None:
    x = normals(keys.astype(np.uint64), 4096).astype(np.float64) ** power
    x = (x - x.mean()) / x.std()
    r = (x @ x.T / x.shape[1])[np.triu_indices(len(x), 1)] * np.sqrt(x.shape[1])
    assert np.abs(r).max() < 6.2
    assert abs(r.std() - 1) < 0.05


def test_no_correlation_between_units_trials_and_slices() -> None:
    xi, eta = noise(job_of(Case(n=20)).network, 7, T=3000, n_trials=70)
    x = np.concatenate([xi.reshape(3000, -1), eta.reshape(3000, -1)], axis=1)
    for power in (1, 2):
        y = x.astype(np.float64) ** power
        y = (y - y.mean(0)) / y.std(0)
        r = (y.T @ y / 3000)[np.triu_indices(y.shape[1], 1)] * np.sqrt(3000)
        assert np.abs(r).max() < 6.8
        assert abs(r.std() - 1) < 0.01


def test_sixty_four_rows_of_a_thousand_are_quick() -> None:
    seeds, took = np.arange(64, dtype=np.uint64), []
    for _ in range(50):
        begun = time.thread_time_ns()
        normals(seeds, 1000)
        took.append((time.thread_time_ns() - begun) / 1e6)
    assert (
        np.median(took) < 1.5
    )  # ms; 0.06 on a CPU of 2021 with AVX2, and this must hold on a slow baseline one
