"""More connections than the process has descriptors, without a request on any of them."""

import asyncio
from functools import partial
from signal import SIGTERM

import pytest

from tests.attacks.application import LIMIT, Attack
from tests.attacks.load import ask, crowd, request, stay_idle
from tests.attacks.probing import LIST, LIVE, READY, probing

pytestmark = [pytest.mark.slow, pytest.mark.alone]

DESCRIPTORS = 1024
"""Which leave room for 768 connections."""

SILENT = 1010


@pytest.mark.parametrize("sent", [b"", b"GET /api/v1/books HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHo"])
def test_silent_clients_keep_nobody_out(attack: Attack, sent: bytes) -> None:
    """The oldest ones are closed; the log has no traceback, and few lines."""
    with attack(descriptors=DESCRIPTORS) as application:
        with probing(application.port, LIVE, READY, LIST) as meanwhile:
            act = partial(stay_idle, application.port, 2.0, sent)
            outcomes = asyncio.run(crowd(SILENT, act))
        assert application.is_alive
        assert application.peak < LIMIT / 2
        application.process.signal(SIGTERM)
        finished = application.process.finish()
    assert outcomes["open"] <= 768
    assert {path: it.failures for path, it in meanwhile.items()} == {LIVE: 0, READY: 0, LIST: 0}
    finished.assert_says("There are … connections, the maximum: …")
    assert len(finished.messages) < SILENT / 4


def test_as_many_answers_as_callers(attack: Attack) -> None:
    """Few descriptors are enough for as many callers as there is room for."""
    with attack(descriptors=256) as application:
        act = partial(ask, application.port, request("GET", LIST))
        assert set(asyncio.run(crowd(100, act))) == {"200"}
