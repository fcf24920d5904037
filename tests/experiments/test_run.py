"""The shipped experiments are of settings that there are, and what stands in the table is not run again."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from ctrnn.errors import UserError
from ctrnn.sweep.plan import changed
from experiments import mechanism, memory
from experiments.run import missing, points


def test_every_shipped_point_has_settings_that_are_allowed_and_a_key_of_its_own() -> None:
    every = list(points([]))
    assert len({(point.experiment, point.key) for point in every}) == len(every)
    assert len([point for point in every if point.experiment == "grid"]) == 6 * 5 * 4


@pytest.mark.parametrize("variant", mechanism.VARIANTS)
def test_every_variant_of_the_mechanism_has_settings_that_are_allowed(variant: str) -> None:
    mechanism.with_changes(mechanism.VARIANTS[variant], "mante")


@pytest.mark.parametrize("variant", memory.VARIANTS)
def test_every_variant_of_the_memory_has_settings_that_are_allowed(variant: str) -> None:
    name, changes = memory.VARIANTS[variant]
    mechanism.with_changes(changes, name)


def test_the_page_of_the_memory_has_the_numbers_that_were_measured() -> None:
    page = memory.PAGE.read_text(encoding="utf-8")
    assert memory.filled(page, json.loads(memory.NUMBERS.read_text())) == page


def test_the_same_settings_have_the_same_key_in_every_experiment() -> None:
    (recipe,) = (p for p in points(["recipe"]) if p.task == "xor")
    (cell,) = (p for p in points(["gain"]) if p.task == "xor" and p.settings.network.w_gain == 1.5)
    assert recipe.key == cell.key  # whatever the number of networks


def test_an_unknown_experiment_names_the_nearest() -> None:
    with pytest.raises(UserError, match="gird is not an experiment; did you mean grid?"):
        list(points(["gird"]))


def test_a_point_is_missing_until_every_network_has_its_row() -> None:
    some = list(points(["gain"]))[:2]
    first = some[0]
    rows = pd.DataFrame(
        {
            "experiment": "gain",
            "key": first.key,
            "seed": first.settings.network_seeds,
            "failure": None,
        }
    )
    assert missing(some, pd.DataFrame()) == some
    assert missing(some, rows) == some[1:]
    assert missing(some, rows.iloc[1:]) == some
    failed = rows.head(1).assign(failure="the loss is not finite")
    assert missing(some, failed) == some[1:]
    assert missing(some, rows.assign(key="of other settings")) == some
    assert (
        missing(some, rows.assign(seed=range(len(rows)))) == some[1:]
    )  # of when i added to the seed
    assert missing(some, rows.assign(seed=1)) == some  # one network, however often it stands there


def test_changes_go_where_their_keys_say_and_leave_the_rest() -> None:
    raw = {"network": {"tau": 20, "p_inh": 0.2}}
    assert changed(raw, {"network.tau": 5}) == {"network": {"tau": 5, "p_inh": 0.2}}
    assert raw["network"]["tau"] == 20
