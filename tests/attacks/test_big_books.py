"""A big public book that many read at once, each in another language."""

import asyncio

import pytest

from tests.attacks.application import LIMIT, Application
from tests.attacks.loads import add_big_book, read_languages
from tests.attacks.probing import LIST, LIVE, READY, probing

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def test_many_readers_of_a_big_book_hold_nobody_up(application: Application) -> None:
    """Probes and other readers are answered meanwhile, and the memory is enough."""
    add_big_book(application.database_url)
    with probing(application.port, LIVE, READY, LIST) as meanwhile:
        assert asyncio.run(read_languages(application, 40)) == {"200": 40}
    assert {path: it.failures for path, it in meanwhile.items()} == {LIVE: 0, READY: 0, LIST: 0}
    assert application.peak < LIMIT / 2
