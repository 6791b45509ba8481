"""Big bodies, many at once: refused ones cost little, and accepted ones fit into the memory."""

import asyncio
from functools import partial

import pytest

from tests.attacks.application import LIMIT, Application
from tests.attacks.load import ask, crowd, request
from tests.attacks.loads import sign_up, write_big_books, write_refused_books
from tests.attacks.probing import LIST, LIVE, READY, probing

pytestmark = [pytest.mark.slow, pytest.mark.alone]


def test_books_that_are_refused_hold_nobody_up(application: Application) -> None:
    """Each is refused, for what it is or for want of room."""
    with probing(application.port, LIVE, READY, LIST) as meanwhile:
        outcomes = asyncio.run(write_refused_books(application, 12))
    assert set(outcomes) <= {"409", "503"}
    assert outcomes["409"] >= 1
    assert {path: it.failures for path, it in meanwhile.items()} == {LIVE: 0, READY: 0, LIST: 0}
    assert application.peak < LIMIT / 2


def test_the_largest_books_fit_into_the_memory(application: Application) -> None:
    """Some of them have to try again."""
    with probing(application.port, LIVE, READY, LIST) as meanwhile:
        outcomes = asyncio.run(write_big_books(application, 12))
    assert set(outcomes) <= {"201", "503"}
    assert outcomes["201"] >= 1
    assert {path: it.failures for path, it in meanwhile.items()} == {LIVE: 0, READY: 0, LIST: 0}
    assert application.peak < LIMIT * 0.75


def test_bodies_that_grow_when_they_are_parsed_fit_into_the_memory(
    application: Application,
) -> None:
    """None is big, and each takes thirty times its size."""
    body = b'{"title":"x","pages":[' + b"{}," * 19_000 + b"{}]}"
    headers = {"Authorization": f"Bearer {sign_up(application.port)}"}
    sent = request("POST", "/api/v1/books", body, headers)
    with probing(application.port, LIVE, READY, LIST) as meanwhile:
        outcomes = asyncio.run(crowd(300, partial(ask, application.port, sent)))
    assert set(outcomes) == {"409", "503"}
    assert {path: it.failures for path, it in meanwhile.items()} == {LIVE: 0, READY: 0, LIST: 0}
    assert application.peak < LIMIT / 2
