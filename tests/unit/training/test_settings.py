"""Section `train`: the bounds of its settings, and what it refuses together."""

from __future__ import annotations

from typing import Any

import pytest

from ctrnn.errors import ParamsError
from tests.settings import settings


@pytest.mark.parametrize(
    ("key", "last", "beyond"),
    [
        ("beta_1", 0.0, -1e-9),
        ("beta_1", 1 - 1e-9, 1.0),
        ("beta_2", 0.0, -1e-9),
        ("beta_2", 1 - 1e-9, 1.0),
        ("epsilon", 1e-30, 0.9e-30),
        ("epsilon", 1e30, 1.1e30),
        ("learning_rate", 1e-300, 0.0),
        ("patience", 1, 0),
        ("checkpoint_every", 0, -1),
        ("threads", None, 0),
        ("clip_norm", None, 0.0),
        ("early_abandon", {"after": 1, "below": 1.0}, {"after": 0, "below": 1.0}),
    ],
)
def test_a_bound_is_the_last_value_that_is_allowed(key: str, last: Any, beyond: Any) -> None:
    assert settings(**{f"train__{key}": last})
    with pytest.raises(ParamsError, match=f"^train.{key}"):
        settings(**{f"train__{key}": beyond})


def test_at_least_one_array_is_trained() -> None:
    names = ("W_in", "W_rec", "b_rec", "W_out", "b_out")
    chosen = {f"train__trainable__{name}": name == "b_rec" for name in names}
    assert settings(**chosen).train.trainable.names == {"b_rec"}
    with pytest.raises(
        ParamsError, match=r"^train\.trainable\.W_rec = False and so are all others"
    ):
        settings(**{**chosen, "train__trainable__b_rec": False})


def test_parameters_that_are_trained_are_those_of_the_model() -> None:
    own = {"train__trainable__parameters": ["tau_w"], "train__trainable__tau": True}
    assert settings(**own, network__model="adaptation").train.trainable.of_units == {"tau", "tau_w"}
    with pytest.raises(
        ParamsError,
        match=r"^train\.trainable\.parameters names 'tau_w', which network\.model = 'rate' does not have; give \[\]",
    ):
        settings(**own)
    with pytest.raises(
        ParamsError, match=r"names 'tau_x'.*; the nearest is tau_w|names 'tau_x'.*tau_w"
    ):
        settings(train__trainable__parameters=["tau_x"], network__model="adaptation")
    with pytest.raises(ParamsError, match=r"names 'tau', .* set train\.trainable\.tau: true"):
        settings(train__trainable__parameters=["tau"])


def test_the_native_backend_runs_on_the_cpu_and_torch_on_any_device() -> None:
    assert settings(train__backend="torch", train__device="cuda")
    assert settings(train__backend="torch", train__device="cpu")
    with pytest.raises(
        ParamsError, match=r"^train\.device = 'cuda' needs train\.backend = 'torch'"
    ):
        settings(train__backend="native", train__device="cuda")


@pytest.mark.parametrize(
    ("stop_criterion", "asked_for"),
    [("accuracy", False), ("either", False), ("loss", True), ("both", True)],
)
def test_a_loss_below_0_is_not_asked_for(stop_criterion: str, asked_for: bool) -> None:
    never = {"train__stop_criterion": stop_criterion, "train__loss_criterion": 0.0}
    if not asked_for:
        assert settings(**never)
        return
    with pytest.raises(ParamsError, match=r"^train\.loss_criterion = 0 cannot be undercut"):
        settings(**never)
    assert settings(**{**never, "train__loss_criterion": 1e-300})


def test_what_decides_one_network_is_told_apart_from_what_decides_the_population() -> None:
    train = settings().train
    left_out = train.model_dump().keys() - train.of_one_network().keys()
    assert left_out == {"threads", "checkpoint_every", "n_networks", "require_convergence"}
