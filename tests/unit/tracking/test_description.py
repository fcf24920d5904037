"""The note of a run says what its files say."""

from __future__ import annotations

from typing import Any

import pytest

from ctrnn.dynamics.derive import as_text
from ctrnn.tracking import description
from tests.settings import settings

TAGS = {
    "git.commit": "0123456789abcdef",
    "git.dirty": "false",
    "version.ctrnn": "1",
    "version.python": "3",
    "version.numpy": "2",
    "version.torch": "4",
    "cpu": "Some processor",
}


def networks(*converged: bool) -> dict[str, Any]:
    return {
        "networks": [
            {"network": i, "seed": 5 + i, "converged": yes, "iterations": 10 * (i + 1), "validation_accuracy": 0.9}
            for i, yes in enumerate(converged)
        ]
    }  # fmt: skip


def written(
    training: dict[str, Any] | None = None,
    dale: tuple[int, int] = (0, 0),
    by_condition: dict[str, float] | None = None,
    inhibitory: tuple[int, ...] = (40, 40),
    tags: dict[str, str] | None = None,
    more: dict[str, Any] | None = None,
    **changes: Any,
) -> str:
    training = training or networks(True, False)
    shares = [0.8, 0.987654][: len(training["networks"])]
    evaluated = {
        "accuracy": {"mean": 0.89, "sd": None, "per_network": shares},
        "accuracy_by_condition": {"a": 0.9, "b": 0.7, "c": 0.8}
        if by_condition is None
        else by_condition,
    }
    analyzed = {
        "weights": {"inhibitory": {"after": [{"units": n} for n in inhibitory]}},
        "spectral_radius": {"before": {"mean": 1.5}, "after": {"mean": 2.25}},
        "dale": {"sign_changes": dale[0], "off_pattern": dale[1]},
        **(more or {}),
    }
    params = settings(train__n_networks=len(shares), **changes)
    return description.write("mante", params, training, evaluated, analyzed, tags or TAGS, "key")


def test_what_a_network_that_did_not_converge_lacks_is_told() -> None:
    lacks = {"lacks": [["only 3 units"], ["no recurrent synapses", "no inhibitory units"]]}
    said = "Network 1 did not converge; it has no recurrent synapses, no inhibitory units."
    assert f"\n\n{said}\n\n" in written(more=lacks)
    assert "3 units" not in written(more=lacks)
    assert "did not converge" not in written()


def test_a_note_tells_the_networks_and_how_they_learned() -> None:
    text = written()
    assert text.startswith("### mante\n\n2 networks (")
    assert "of 200 sigmoid units, 40 inhibitory; tau 20 ms, dt 1 ms, density 0.2" in text
    assert "Dale's principle held." in text
    assert "**1 of 2 converged**" in text
    assert "| 0 | 5 | yes | 10 | 0.9 | 0.8 |\n| 1 | 6 | no | 20 | 0.9 | 0.9877 |" in text
    assert written(networks(True)).startswith("### mante\n\n1 network (seed ")


def test_a_note_tells_the_settings_that_are_not_the_shipped_ones() -> None:
    pairs = {"ee": 0.1, "ei": 0.2, "ie": 0.3, "ii": 0.4}
    text = written(network__tau_inh=10, network__dale=False, network__p_rec=pairs)
    assert "tau 20 ms (inhibitory 10 ms)" in text
    assert "Dale's principle off." in text
    assert "density ee=0.1 ei=0.2 ie=0.3 ii=0.4" in text


def test_a_note_tells_counts_that_differ_between_networks() -> None:
    assert "38 to 43 inhibitory" in written(inhibitory=(43, 40, 38))


def test_a_note_tells_the_hardest_condition() -> None:
    assert "**0.89** (sd not known); hardest condition: b (0.7)." in written()
    assert "(sd not known).\n" in written(by_condition={})


@pytest.mark.parametrize("dale", [(2, 0), (0, 3)])
def test_a_note_tells_weights_that_left_their_sign_or_pattern(dale: tuple[int, int]) -> None:
    text = f"**{dale[0]} weights changed sign, {dale[1]} left their pattern**"
    assert f"1.5 before training, 2.25 after; {text}." in written(dale=dale)
    assert "2.25 after; no weight changed its sign or left its pattern." in written()


def test_a_note_tells_where_it_comes_from() -> None:
    text = written()
    assert "Commit `0123456789`; ctrnn 1, python 3, numpy 2, torch 4; Some processor." in text
    assert "Content key `key`" in text
    dirty = written(tags={**TAGS, "git.dirty": "true"})
    assert "Commit `0123456789`, with uncommitted changes;" in dirty


def test_a_note_has_the_equations_as_they_are_run() -> None:
    note = written(network__model="adaptation", network__activation="tanh")
    assert "```\n" + as_text("adaptation", "tanh") + "\n```" in note


def test_a_note_tells_what_was_trained_at_a_coarse_time_step() -> None:
    trained = networks(True, True)
    assert "coarse time step" not in written(trained)
    for network, coarse in zip(trained["networks"], (80, 75), strict=True):
        network["coarse_iterations"] = coarse
    assert "Of the iterations, 80, 75 were at a coarse time step." in written(trained)
