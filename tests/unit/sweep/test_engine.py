"""What is said where Ray does not answer; sweeps that run are in tests/pipeline/test_sweep.py."""

from __future__ import annotations

import socket

import pytest

from ctrnn.sweep import engine
from ctrnn.sweep.checkout import SweepError


@pytest.mark.parametrize("port", ["closed", "99999"])
def test_an_address_at_which_nothing_answers_is_named_at_once(port: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{bound.getsockname()[1] if port == 'closed' else port}"
        with pytest.raises(
            SweepError, match=f"^Ray does not answer at {address} .*leave --address out$"
        ):
            engine.start(None, address)
