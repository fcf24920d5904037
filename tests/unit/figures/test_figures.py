from __future__ import annotations

import io
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from PIL import Image

from ctrnn.figures import (
    outputs,
    sample_trials,
    spectrum,
    state_space,
    style,
    training_curves,
    weights,
)

WINDOW = np.array([[6, 10]])
MANTE = [
    f"context={context} motion={motion} colour={colour}"
    for context in ("motion", "colour")
    for motion in ("+0.5", "-0.5")
    for colour in ("+0.5", "-0.5")
]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def drawn_sample_trials(n_trials: int, n_channels: int) -> Figure:
    labels = [f"stimulus={i}" for i in range(n_trials)]
    channels = [f"channel_{i}" for i in range(n_channels)]
    inputs, targets = numbers(10, n_trials, n_channels), numbers(10, n_trials, 1)
    return sample_trials.plot(
        inputs, targets, labels, channels, WINDOW.repeat(len(labels), 0), ["answer"]
    )


def drawn_training_curves() -> Figure:
    iteration, network = np.repeat(np.arange(1, 5), 2), np.tile([0, 1], 4)
    accuracy = np.where(iteration == 4, 0.5, np.nan)
    positive = np.abs(numbers(8)) + 1
    return training_curves.plot(iteration, network, positive, accuracy, positive, 0.98, [1])


def drawn_state_space(n_components: int) -> Figure:
    shares = np.full((2, n_components), 0.25)
    return state_space.plot(numbers(2, 8, 10, n_components), shares, MANTE)


def eigenvalues() -> np.ndarray:
    return (numbers(4, 5) + 1j * numbers(4, 5)).astype(np.complex128)


def drawn_weights() -> Figure:
    counts = {
        f"{when}_{kind}": np.array([[3, 1, 0], [2, 2, 0]])
        for when in ("before", "after")
        for kind in ("excitatory", "inhibitory")
    }
    return weights.plot(bins=np.linspace(0, 3, 4), **counts)


def drawn_outputs(n_outputs: int = 1) -> Figure:
    labels = ["b=1", "a=1", "b=1"]
    names = ["left", "right"][:n_outputs]
    traces, targets = numbers(2, 10, 3, n_outputs), numbers(10, 3, n_outputs)
    return outputs.plot(traces, targets, labels, WINDOW.repeat(len(labels), 0), names)


def drawn(figure: Figure) -> list:
    return [axes for axes in figure.axes if axes.get_visible()]


def label_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize(("n_trials", "panels"), [(1, 1), (5, 5), (12, 8)])
def test_every_sample_trial_has_inputs_and_a_target_up_to_eight(n_trials: int, panels: int) -> None:
    assert len(drawn(drawn_sample_trials(n_trials, 1))) == 2 * panels


def test_channels_are_drawn_in_named_lanes_that_do_not_meet() -> None:
    above = drawn(drawn_sample_trials(2, 3))[0]
    assert [tick.get_text() for tick in above.get_yticklabels()] == [
        "channel\n0",
        "channel\n1",
        "channel\n2",
    ]
    drawn_lines = [np.asarray(line.get_ydata()) for line in above.lines]
    lanes = [line for line in drawn_lines if len(line) == 10]
    assert all(a.min() >= b.max() for a, b in pairwise(lanes))


def test_unchecked_iterations_have_no_accuracy_and_failed_networks_are_named() -> None:
    figure = drawn_training_curves()
    assert label_of(figure) == ["network 0", "network 1 (not converged)"]
    assert list(np.asarray(figure.axes[1].lines[0].get_xdata())) == [4]
    assert np.asarray(figure.axes[1].lines[2].get_ydata())[0] == 0.98


def test_outputs_of_a_condition_share_a_colour_and_a_name() -> None:
    figure = drawn_outputs()
    assert label_of(figure) == ["a=1", "b=1", "target"]
    of_a, *of_b = (line.get_color() for line in figure.axes[0].lines[:3])
    assert len(set(of_b)) == 1
    assert of_a not in of_b


def test_every_output_of_every_network_has_a_panel_of_its_own() -> None:
    titles = [axes.get_title(loc="left") for axes in drawn(drawn_outputs(2))]
    assert titles == [f"network {n}, {o}" for n in (0, 1) for o in ("left", "right")]
    lines = [np.asarray(axes.lines[0].get_ydata()) for axes in drawn(drawn_outputs(2))]
    assert not any(np.array_equal(a, b) for a, b in pairwise(lines))


def test_every_target_of_a_trial_is_drawn() -> None:
    inputs, targets = numbers(10, 1, 2), numbers(10, 1, 2)
    figure = sample_trials.plot(inputs, targets, ["a=1"], ["one", "two"], WINDOW, ["left", "right"])
    assert label_of(figure) == ["target of left", "target of right"]
    below = drawn(figure)[1]
    for output, line in enumerate(below.lines):
        np.testing.assert_array_equal(line.get_ydata(), targets[:, 0, output])
    assert len(below.lines) == 2


def test_a_legend_of_many_conditions_names_some_of_them_evenly_spread() -> None:
    labels = [f"context={c} motion={m}" for c in "ab" for m in range(36)]
    figure = state_space.plot(numbers(1, 72, 10, 3), np.full((1, 3), 0.25), labels)
    named = label_of(figure)
    assert len(named) == style.MOST_ENTRIES
    assert (named[0], named[-1]) == (labels[0], labels[-1])
    *paths, starts = figure.axes[0].lines
    (ends,) = figure.axes[0].collections
    assert (
        len(paths)
        == len(np.asarray(starts.get_xdata()))
        == len(np.asarray(ends.get_offsets()))
        == 72
    )


@pytest.mark.parametrize(
    ("n_components", "names"),
    [
        (3, [("PC 1 (25% of variance)", "PC 2 (25% of variance)"), ("PC 1 (25% of variance)", "PC 3 (25% of variance)")]),  # noqa: E501
        (1, [("time (ms)", "PC 1 (25% of variance)")]),
    ],
)  # fmt: skip
def test_state_space_names_its_components(n_components: int, names: list[tuple[str, str]]) -> None:
    figure = drawn_state_space(n_components)
    assert [(a.get_xlabel(), a.get_ylabel()) for a in figure.axes] == 2 * names
    assert label_of(figure) == MANTE


def test_every_eigenvalue_lies_within_the_panel() -> None:
    before, after = eigenvalues(), 3 * eigenvalues()
    figure = spectrum.plot(before, after, 4.0)
    panels = drawn(figure)
    assert len(panels) == 4
    (left, right), (low, high) = panels[0].get_xlim(), panels[0].get_ylim()
    for values in (before, after):
        assert left < values.real.min() <= values.real.max() < right
        assert low < values.imag.min() <= values.imag.max() < high
    assert "real part above 4" in label_of(figure)[-1]


def test_weights_are_shares_of_the_synapses() -> None:
    figure = drawn_weights()
    steps = [patch for patch in figure.axes[0].patches if isinstance(patch, StepPatch)]
    means = [patch.get_data()[0] for patch in steps if not patch.get_fill()]
    assert [mean.sum() for mean in means] == [1.0, 1.0]
    assert figure.axes[0].get_xlim() == (0, 2)


def test_a_population_without_synapses_has_an_empty_panel_that_says_so() -> None:
    some, none = np.array([[3, 1, 0]]), np.zeros((1, 3), np.int64)
    for excitatory, inhibitory in ((some, none), (none, some), (none, none)):
        figure = weights.plot(np.linspace(0, 3, 4), excitatory, inhibitory, none, none)
        style.png(figure, 40)
        said = [[text.get_text() for text in axes.texts] for axes in figure.axes]
        assert said == [[] if counts.any() else ["none"] for counts in (excitatory, inhibitory)]


def test_curves_of_a_network_that_does_not_move_are_drawn() -> None:
    """A logarithmic axis has no place for gradients that are all 0."""
    zero, iteration = np.zeros(4, np.float32), np.arange(1, 5)
    figure = training_curves.plot(iteration, 0 * iteration, zero, zero, zero, 0.98)
    style.png(figure, 40)
    assert [axes.get_yscale() for axes in figure.axes] == ["linear"] * 3
    assert [axes.get_yscale() for axes in drawn_training_curves().axes] == ["log", "linear", "log"]


def test_contexts_set_the_dashes_and_evidence_the_colour() -> None:
    looks = style.lines(MANTE)
    assert len({str(look) for look in looks}) == 8
    assert [looks[0]["color"], looks[0]["linestyle"]] == [looks[4]["color"], "-"]
    assert len({str(look["linestyle"]) for look in looks[:4]}) == 1


@pytest.mark.parametrize("n", [1, 7, 8, 40])
def test_no_two_conditions_look_alike(n: int) -> None:
    looks = style.lines([f"stimulus={i}" for i in range(n)])
    assert len({str(look) for look in looks}) == n


@pytest.mark.parametrize(
    "draw", [drawn_training_curves, drawn_outputs, drawn_weights, lambda: drawn_sample_trials(2, 2)]
)
def test_the_same_figure_is_the_same_bytes_whatever_the_caller_has_set(draw) -> None:
    first = style.png(draw(), 40)
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 5, "savefig.facecolor": "red"}):
        assert style.png(draw(), 40) == first
        assert mpl.rcParams["font.size"] == 20


def test_text_is_at_least_8_points_at_the_printed_width() -> None:
    figure = drawn_state_space(3)
    assert figure.get_figwidth() <= 7
    texts = [text for axes in figure.axes for text in (*axes.get_xticklabels(), axes.xaxis.label)]
    assert min(float(t.get_fontsize()) for t in [*texts, *figure.legends[0].get_texts()]) >= 8


@pytest.mark.parametrize(
    ("low", "high", "numbers"),
    [
        (1e-4, 1, ["0.0001", "0.001", "0.01", "0.1", "1"]),
        (0.03, 0.6, ["0.05", "0.1", "0.2", "0.5"]),
        (0.212, 0.244, ["0.215", "0.22", "0.225", "0.23", "0.235", "0.24"]),
    ],
)
def test_a_logarithmic_axis_has_plain_numbers_however_little_it_spans(
    low: float, high: float, numbers: list[str]
) -> None:
    figure = style.blank(2.0)
    axis = figure.subplots().yaxis
    axis.axes.set(yscale="log", ylim=(low, high))
    style.plain_decades(axis)
    figure.draw_without_rendering()
    places = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
    assert [text.get_text() for place, text in places if low <= place <= high * 1.001] == numbers


def test_numbers_of_a_colour_bar_without_a_label_stand_within_the_figure() -> None:
    figure = style.blank(2.0)
    axes = figure.subplots()
    bar = figure.colorbar(axes.imshow(np.arange(4.0).reshape(2, 2)), ax=axes)
    style.png(figure)
    numbers = [text.get_window_extent() for text in bar.ax.get_yticklabels()]
    assert numbers and max(box.x1 for box in numbers) <= figure.bbox.x1


def test_axes_that_show_no_number_take_no_room() -> None:
    figure = drawn_sample_trials(4, 1)
    style.png(figure)
    above = [axes for axes in drawn(figure) if axes.get_title(loc="left")]
    assert [axes.yaxis.get_in_layout() for axes in above] == [True, False, False, False]
    assert not any(axes.xaxis.get_in_layout() for axes in above)
    gaps = [b.get_position().x0 - a.get_position().x1 for a, b in pairwise(above)]
    assert max(gaps) < 0.03  # of the figure's width


def test_an_axis_has_few_numbers() -> None:
    figure = drawn_state_space(3)
    style.png(figure)
    for axes in drawn(figure):
        for axis, most in ((axes.xaxis, 5), (axes.yaxis, 6)):
            low, high = axis.get_view_interval()
            assert 2 <= sum(low <= place <= high for place in axis.get_majorticklocs()) <= most


def test_pictures_are_opaque_and_know_their_resolution() -> None:
    with Image.open(io.BytesIO(style.png(drawn_outputs(), 100))) as picture:
        assert (picture.mode, picture.width) == ("RGB", 690)
        assert picture.info["dpi"] == pytest.approx((100, 100), rel=1e-3)
        assert set(picture.info) == {"dpi"}


def test_a_dot_marks_where_a_network_went_on_at_its_own_time_step() -> None:
    iteration, network = np.array([1, 1, 2, 2, 3]), np.array([0, 1, 0, 1, 0])
    values, coarse = np.full(5, 0.5), np.array([True, True, False, True, False])
    figure = training_curves.plot(iteration, network, values, values, values, 0.98, coarse=coarse)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [np.ravel(dot.get_xdata())[0] for dot in dots] == [2]  # the other one never did
    alone = training_curves.plot(iteration, network, values, values, values, 0.98)
    assert len(alone.axes[0].lines) == 2
