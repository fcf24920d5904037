"""Metrics of a run, from reports and histories that are known."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ctrnn.tracking.payload import LiveCurves, MetricPoint, curves, final, legal


def values(points: list[MetricPoint]) -> dict[str, float]:
    return {point.name: point.value for point in points}


def test_every_number_of_the_reports_has_a_name() -> None:
    one = {
        "accuracy": {"mean": 0.5, "sd": None, "per_network": [0.25, 0.75]},
        "converged": [True, False],
        "shares": [1, {"inner": [2.0]}],
    }
    other = {"count": 3, "verdict": "bistable", "holds": True, "endless": math.inf}
    assert values(final(one, other)) == {
        "accuracy/mean": 0.5,
        "accuracy/network_0": 0.25,
        "accuracy/network_1": 0.75,
        "converged/network_0": 1,
        "converged/network_1": 0,
        "shares/0": 1,
        "shares/1/inner/0": 2,
        "count": 3,
        "holds": 1,
    }
    assert {point.step for point in final(one, other)} == {0}


def test_names_have_at_most_as_many_letters_as_mlflow_takes() -> None:
    assert legal("a" * 300) == "a" * 250


def row(
    iteration: int,
    network: int,
    loss: float,
    accuracy: float = math.nan,
    time: int | None = None,
) -> dict[str, Any]:
    return {
        "iteration": iteration,
        "network": network,
        "loss": loss,
        "accuracy": accuracy,
        "gradient_norm": None,
        "vanished_synapses": math.nan,
        "time": time,
    }


def test_a_network_that_stopped_counts_in_the_mean_with_its_last_value() -> None:
    history = [row(2, 1, 6.0), row(1, 0, 1.0), row(1, 1, 3.0), row(3, 1, 8.0)]
    values_of_curves = {(point.name, point.step): point.value for point in curves(history, 2)}
    assert values_of_curves == {
        ("loss/network_0", 1): 1,
        ("loss/network_1", 1): 3,
        ("loss/mean", 1): 2,
        ("loss/network_1", 2): 6,
        ("loss/mean", 2): 3.5,
        ("loss/network_1", 3): 8,
        ("loss/mean", 3): 4.5,
    }


def test_there_is_no_mean_before_every_network_has_a_value() -> None:
    history = [row(1, 0, 1.0, accuracy=0.5), row(1, 1, 2.0), row(2, 1, 2.0, accuracy=0.75)]
    names = {(point.name, point.step) for point in curves(history, 2) if "accuracy" in point.name}
    assert names == {
        ("validation_accuracy/network_0", 1),
        ("validation_accuracy/network_1", 2),
        ("validation_accuracy/mean", 2),
    }


def test_a_point_has_the_time_of_the_last_row_of_its_iteration() -> None:
    history = [row(1, 0, 1.0, time=5), row(1, 1, 1.0, time=9), row(2, 0, 1.0), row(2, 1, 1.0)]
    times = {(point.step, point.time) for point in curves(history, 2)}
    assert times == {(1, 9), (2, None)}


def test_an_iteration_is_told_once_no_network_can_add_to_it() -> None:
    live = LiveCurves(2)
    steps = [
        [row(3, 0, 1.0), row(1, 1, 2.0)],  # network 0 goes on from a later checkpoint
        [row(4, 0, 1.0), row(2, 1, 2.0)],
        [row(2, 1, 2.0)],  # told twice
        [row(5, 0, 1.0), row(3, 1, 2.0)],
        [row(4, 1, 2.0)],
    ]
    new_points = [sorted({(p.step, p.name) for p in live.points(rows)}) for rows in steps]
    one, other, mean = "loss/network_0", "loss/network_1", "loss/mean"
    assert new_points == [
        [(1, other)],
        [(2, other)],
        [],
        [(3, mean), (3, one), (3, other)],
        [(4, mean), (4, one), (4, other)],
    ]


def test_no_rows_settle_nothing() -> None:
    assert list(LiveCurves(1).points([])) == []


@pytest.mark.parametrize("name", ["loss/mean", "a b-c_d.e:f"])
def test_a_legal_name_is_kept(name: str) -> None:
    assert legal(name) == name
