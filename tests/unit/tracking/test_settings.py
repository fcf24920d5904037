"""Section `publish`: which names of experiments it takes."""

from __future__ import annotations

import pytest

from ctrnn.errors import ParamsError
from tests.settings import settings


@pytest.mark.parametrize("name", ["a", "a" * 250, "of a lab"])
def test_a_name_of_up_to_250_characters_is_taken(name: str) -> None:
    assert settings(publish__experiment=name).publish.experiment == name


@pytest.mark.parametrize("name", ["", "a" * 251, " a", "a ", "a\nb", "a\0"])
def test_a_name_that_is_empty_too_long_or_not_one_line_is_refused(name: str) -> None:
    with pytest.raises(ParamsError, match=r"^publish\.experiment = "):
        settings(publish__experiment=name)


def test_showing_a_training_live_changes_no_result() -> None:
    publish = settings().publish
    assert publish.model_dump().keys() - publish.decisive().keys() == {"live"}
