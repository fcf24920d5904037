"""Figures of the opened networks."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ctrnn.figures import (
    circuit,
    fixed_points,
    generalisation,
    lesions,
    psychometric,
    roles,
    selection,
    similarity,
    slow_points,
    targeted,
)


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def n_points(line: Line2D) -> int:
    return len(np.asarray(line.get_xdata()))


def panels(figure: Figure) -> list:
    return [axes for axes in figure.axes if axes.get_visible()]


def selected(n_networks: int, epochs: list[str], n_channels: int) -> dict[str, np.ndarray]:
    shape = (n_networks, len(epochs))
    linearised = np.zeros(shape, int)
    linearised[-1, 1:] = -1
    return {
        "epochs": np.array(epochs),
        "linearised": linearised,
        "overlap": np.abs(numbers(*shape, n_channels)),
        "overlap_chance": np.tile([0.05, 0.15], (*shape, 1)),
    }


def points(kinds: list[str], n_components: int = 3) -> Figure:
    n = len(kinds)
    seen = np.array([[True, True, False], [False, False, True]])
    return fixed_points.plot(
        numbers(2, 3, 9, n_components).astype(np.float32), seen, ["a", "b_c"], np.zeros(n, int), np.zeros(n, int),
        kinds, numbers(n, n_components),
    )  # fmt: skip


def test_points_are_drawn_by_kind_in_the_panel_of_their_network_and_input() -> None:
    figure = points(["stable", "stable", "saddle", "outside"])
    first = panels(figure)[0]
    titles = [axes.get_title(loc="left") for axes in panels(figure)]
    assert titles == ["network 0, a", "network 0, b c", "network 1, a", "network 1, b c"]
    drawn = {line.get_label(): n_points(line) for line in first.lines}
    assert [drawn[kind] for kind in ("stable", "saddle", "slow")] == [2, 1, 0]
    assert [
        len([line for line in axes.lines if n_points(line) == 9]) for axes in panels(figure)
    ] == [2, 1, 2, 1]


def test_without_points_or_with_one_component_trajectories_are_still_drawn() -> None:
    assert len(panels(points([]))) == len(panels(points(["saddle"], n_components=1))) == 4


def test_the_tolerance_falls_from_left_to_right() -> None:
    figure = slow_points.plot(np.array([[[9, 3]], [[8, 1]]]), np.array([1e-2, 1e-20]), ["no_input"])
    left, right = figure.axes[0].get_xlim()
    assert left > right
    assert [np.asarray(line.get_ydata())[-1] for line in figure.axes[0].lines] == [3, 1]


@pytest.mark.parametrize(("n", "n_panels"), [(1, 2), (2, 2), (4, 6)])
def test_every_variable_is_drawn_against_the_choice_or_the_choice_against_time(
    n: int, n_panels: int
) -> None:
    names = ["choice", "motion", "colour", "context"][:n]
    figure = targeted.plot(numbers(2, n, 2, 9).astype(np.float32), names, ["a=1", "a=2"])
    assert len(panels(figure)) == n_panels
    assert panels(figure)[0].get_xlabel() == ("time (ms)" if n == 1 else "choice axis")


def test_selection_shows_every_network_at_every_channel() -> None:
    first, second = panels(selection.plot(selected(3, ["a", "b"], 4), ["w", "x", "y", "z"]))
    dots = [line for line in first.lines if n_points(line) == 4]
    levels = [float(np.asarray(line.get_ydata())[0]) for line in first.lines if n_points(line) == 2]
    assert len(dots) == 3
    assert levels == pytest.approx([0.05, 0.15])  # by chance
    assert sum(n_points(line) == 4 for line in second.lines) == 2  # a network has no point there


def test_the_share_of_units_above_a_d_prime_falls_from_one() -> None:
    sign = np.array([[1.0, 1, 1, -1]] * 2)
    figure = roles.plot(numbers(2, 2, 4), sign, ["choice", "motion"], 0.7)
    *steps, floor = figure.axes[0].lines
    for line in steps:
        assert np.asarray(line.get_ydata())[0] == 1
        assert (np.diff(np.asarray(line.get_ydata())) < 0).all()
    assert [n_points(line) for line in steps] == [6, 2]
    assert np.asarray(floor.get_xdata()).tolist() == [0.7, 0.7]


def test_group_weights_are_written_into_the_matrix() -> None:
    sign = np.array([[1.0, -1.0]])
    current, time = np.abs(numbers(1, 2)), np.abs(numbers(1, 9))
    weights = np.arange(16.0).reshape(1, 4, 4)
    figure = circuit.plot(current, -current, time, -time, sign, weights, "choice")
    assert [text.get_text() for text in figure.axes[2].texts][-1] == "15.00"


def test_lesions_have_a_panel_per_group_and_a_line_per_control() -> None:
    differences = -np.abs(numbers(2, 4, 3, 5)) / 9
    stored = {
        "groups": np.array(list("abcd")),
        "doses": np.array([0.1, 0.2, 0.4]),
        "counted": np.array("correct"),
        "differences": differences,
        "intervals": differences.mean(axis=0)[..., None] + [-0.1, 0.2],
        "n_units": np.full((2, 4, 3), 4),
        "weight": np.full((2, 4, 3, 3), 0.023),
    }
    figure = lesions.plot(stored)
    assert len(panels(figure)) == 4
    first = panels(figure)[0]
    assert len(first.containers) == 3
    assert first.get_ylabel() == "change, correct"
    assert [label.get_text() for label in first.get_xticklabels()] == ["4\n2%"] * 3
    (bar, *_) = first.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose(bar[:, 1], differences[:, 0, 0, 0].mean() + np.array([-0.1, 0.2]))
    one = lesions.plot(stored | {"differences": differences[:1]})  # has no interval
    assert not panels(one)[0].containers[0].has_yerr


def test_wide_ranges_are_logarithmic_and_the_trained_value_is_marked() -> None:
    accuracy = np.full((2, 3, 2), 0.5)
    curves = {
        "delay": (np.array([0.0, 5.0, 10.0]), [10.0], accuracy),
        "noise": (np.array([0.0, 1.0, 30.0]), [], accuracy),
    }
    delay, noise = generalisation.plot(curves).axes
    assert (delay.get_xscale(), noise.get_xscale()) == ("linear", "symlog")
    assert 10.0 in [np.asarray(line.get_xdata())[0] for line in delay.lines if n_points(line) == 2]


def test_choices_and_fits_are_drawn_for_each_kind_of_evidence() -> None:
    stored = {
        "contexts": np.array(["motion", "colour"]),
        "levels": np.linspace(-1, 1, 5),
        "positive": np.full((2, 2, 2, 5), 0.5),
        "curve_levels": np.linspace(-1, 1, 101),
        "curves": np.full((2, 2, 2, 101), 0.4),
        "at_zero": np.tile([0.6, 0.5, 0.8], (2, 2, 1)),
        "between": np.array(0.5),
    }
    figure = psychometric.plot(stored, ["relevant", "irrelevant"], "evidence (Hz)")
    first = panels(figure)[0]
    assert first.get_xlabel() == "evidence (Hz)"
    assert first.get_ylabel() == "share with mean output > 0.5"
    assert len(panels(figure)) == 4
    assert [len([x for x in first.lines if n_points(x) == n]) for n in (5, 101)] == [2, 2]
    (bias,) = first.containers
    assert bias.lines[2][0].get_segments()[0].tolist() == [[0, 0.5], [0, 0.8]]


def test_many_networks_are_compared_without_numbers() -> None:
    few, many = (
        similarity.plot(np.eye(n), np.eye(n), np.full((n, 3), 0.3), np.full((n, 3), 0.2))
        for n in (2, 12)
    )
    assert (len(few.axes[0].texts), len(many.axes[0].texts)) == (4, 0)


@pytest.mark.parametrize(
    "draw",
    [lambda: points(["stable"]), lambda: selection.plot(selected(1, ["a"], 1), ["b"])],
)
def test_letters_are_at_least_8_points(draw) -> None:
    figure = draw()
    figure.draw_without_rendering()
    texts = [
        t for axes in figure.axes for t in (*axes.get_xticklabels(), axes.xaxis.label, axes.title)
    ]
    assert min(float(text.get_fontsize()) for text in texts) >= 8
