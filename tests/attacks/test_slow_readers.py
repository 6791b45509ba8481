"""Readers of a big book that take their answers very slowly."""

import asyncio

import pytest

from tests.attacks.application import LIMIT, Application
from tests.attacks.loads import add_big_book, read_slowly_big
from tests.attacks.probing import LIST, LIVE, READY, probing

pytestmark = [pytest.mark.slow, pytest.mark.alone]

READERS = 300
"""The book is 3 MB: a copy for each would be twice the limit."""


def test_slow_readers_take_little_memory(application: Application) -> None:
    """They share the answer, and the process keeps a small piece of it for each."""
    add_big_book(application.database_url)
    with probing(application.port, LIVE, READY, LIST) as meanwhile:
        outcomes = asyncio.run(read_slowly_big(application, READERS))
    assert outcomes == {"200 unread": READERS}
    assert {path: it.failures for path, it in meanwhile.items()} == {LIVE: 0, READY: 0, LIST: 0}
    assert application.peak < LIMIT / 2
