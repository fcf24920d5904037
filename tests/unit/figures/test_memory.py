"""The figure of what is decoded over a delay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ctrnn.figures import Results, memory

LAST = 5  # the bin that ends before the delay does
STORED = {
    "sources": np.array(["rates", "synapses"]),
    "times": np.arange(5, 100, 10.0),
    "decoded": np.tile([[[0.5], [0.9]]], (3, 1, 10)),
    "low": np.tile([[[0.4], [0.8]]], (3, 1, 10)) * (np.arange(10) == LAST),
    "high": np.tile([[[0.6], [0.97]]], (3, 1, 10)) * (np.arange(10) == LAST),
    "delay": np.array([40.0, 67.0]),
    "answered": np.array([[1.0, 0.9, 0.5]] * 3),
}
MEAN = {"sd": 0.1, "per_network": [0.5] * 3}
METRICS: dict[str, Any] = {
    "memory": {"rates": {"mean": 0.5, **MEAN}, "synapses": {"mean": 0.9, **MEAN}},
    "memory_p": {"rates": [0.2, 0.04, 0.6], "synapses": [0.0, 0.0, 0.0]},
    "memory_chance": 0.5,
    "memory_answers": {
        "nothing": {"mean": 1.0, **MEAN},
        "rates": {"mean": 0.9, **MEAN},
        "synapses": {"mean": 0.5, **MEAN},
    },
}


def results(arrays: dict[str, np.ndarray], metrics: dict[str, Any]) -> Results:
    nothing, rows, window = np.zeros((1, 1, 1)), pd.DataFrame(), np.array([[0, 1]])
    return Results(
        {"memory": arrays}, {}, metrics, [], rows, rows, nothing, nothing, [], {}, (), (), window, window, 1.0, "",
        np.ones((1, 1), bool), has_every_curve=True, left_out="", held="", accuracy_criterion=1.0, best_accuracy=1.0,
    )  # fmt: skip


def test_sources_are_drawn_over_time_and_answers_beside_them() -> None:
    figure = memory.draw(results(STORED, METRICS))
    assert figure is not None
    over_time, beside = figure.axes
    drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in over_time.lines}
    assert drawn["rates"].tolist() == [0.5] * 10 and drawn["synapses"].tolist() == [0.9] * 10
    assert [tick.get_text() for tick in beside.get_xticklabels()] == ["nothing", "rates", "synapses"]  # fmt: skip
    np.testing.assert_allclose(np.asarray(beside.lines[-1].get_ydata()), [1, 0.9, 0.5])


def test_one_source_has_one_panel_and_none_has_no_figure() -> None:
    rates_alone = {
        name: a[:, :1] if a.ndim == 3 else a for name, a in STORED.items() if name != "answered"
    }
    figure = memory.draw(results({**rates_alone, "sources": np.array(["rates"])}, METRICS))
    assert figure is not None
    assert len(figure.axes) == 1
    assert memory.draw(results({}, {})) is None


def test_the_caption_tells_chance_intervals_and_what_the_answers_need() -> None:
    assert memory.caption(results(STORED, METRICS)) == (
        "Share of trials whose first stimulus is decoded at the end of the delay: from rates 0.50 ± 0.10 (95% interval "
        "of a network 0.40 to 0.60, above chance in 1 of 3) and from synapses 0.90 ± 0.10 (95% interval of a network "
        "0.80 to 0.97, above chance in 3 of 3); chance is 50.0%. Right answers: 1.00 ± 0.10 with nothing shuffled, "
        "0.90 ± 0.10 with rates shuffled, 0.50 ± 0.10 with synapses shuffled before the second stimulus."
    )
