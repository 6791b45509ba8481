"""Many at once: whoever has a connection waits for no thread, and nobody takes all the threads."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session

from backend.api.dependencies import _READING, Resources
from backend.api.threads import Threads
from tests.api.crowd import all_at_once
from tests.api.lock_waits import await_waiting
from tests.api.paths import BOOKS
from tests.api.people import sign_up
from tests.api.queries import counted_queries
from tests.api.rows import add_book, add_owner

pytestmark = [pytest.mark.slow, pytest.mark.alone]

CROWD = 100

NOBODY = {"email": "nobody@example.org", "password": "a-password-of-nobody"}


@pytest.fixture(autouse=True)
def _readers_wait_no_time(_writing_app: FastAPI, service: httpx.Client) -> Iterator[None]:
    """Give the readers' threads a clock that stands still, and no memory of earlier tests.

    By a real clock a busy machine is overloaded by one crowd, and sends a part of it away. When
    that happens is for test_load.py; here it must not happen.
    """
    before: Resources = _writing_app.state.resources
    reading = Threads(_READING, clock=lambda: 0.0)
    _writing_app.state.resources = replace(before, reading=reading)
    yield
    _writing_app.state.resources = before


def test_a_crowd_that_signs_in_keeps_nobody_waiting(service: httpx.Client) -> None:
    """Who is signed in is answered long before the last of them, and so is a probe."""
    headers = sign_up(service).headers

    async def ask() -> list[int]:
        unbounded = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=service.base_url, limits=unbounded, timeout=60
        ) as client:
            connections = [
                asyncio.create_task(client.post("/api/v1/auth/login", json=NOBODY))
                for _ in range(CROWD)
            ]
            await asyncio.wait(connections, return_when=asyncio.FIRST_COMPLETED)
            left = []
            for path in ("/api/v1/auth/me", "/health/ready"):
                assert (await client.get(path, headers=headers)).status_code == 200
                left.append(sum(not it.done() for it in connections))
            # Those who find the queue full are told to come again.
            assert {it.status_code for it in await asyncio.gather(*connections)} <= {401, 503}
            return left

    assert min(asyncio.run(ask())) > CROWD / 4


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/auth/me", 200),
        ("GET", f"{BOOKS}?shelf=mine", 200),
        # Refused in the middle of a transaction.
        ("DELETE", f"{BOOKS}/00000000-0000-0000-0000-000000000001", 404),
    ],
)
def test_a_crowd_that_shows_its_token_is_answered(
    service: httpx.Client, method: str, path: str, status: int
) -> None:
    """More than there are connections, and threads."""
    headers = sign_up(service).headers
    requests = [service.build_request(method, path, headers=headers) for _ in range(CROWD)]
    assert Counter(it.status_code for it in all_at_once(requests)) == {status: CROWD}


def test_a_crowd_that_reads_one_book_is_one_reader(
    service: httpx.Client, kept_session: Session
) -> None:
    """Whichever language each asks for. While they wait, others have threads and connections."""
    book = add_book(kept_session, add_owner(kept_session))
    kept_session.commit()
    kept_session.execute(text("LOCK TABLE books"))
    headers = sign_up(service).headers

    async def ask() -> list[int]:
        unbounded = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=service.base_url, limits=unbounded, timeout=60
        ) as client:
            languages = [f"{chr(97 + number % 26)}a" for number in range(CROWD)]
            connections = [
                asyncio.create_task(client.get(f"{BOOKS}/{book.id}?language={it}"))
                for it in languages
            ]
            await asyncio.to_thread(await_waiting, kept_session)
            others = [client.get("/api/v1/auth/me", headers=headers) for _ in range(CROWD)]
            assert {it.status_code for it in await asyncio.gather(*others)} == {200}
            assert not any(it.done() for it in connections)
            kept_session.rollback()
            return [it.status_code for it in await asyncio.gather(*connections)]

    with counted_queries() as queries:
        assert asyncio.run(ask()) == [200] * CROWD
    assert len([it for it in queries if "FROM pages" in it]) == 1


def lock_the_book(session: Session, book: str) -> None:
    session.execute(text("SELECT 1 FROM books WHERE id = :id FOR UPDATE"), {"id": book})


def lock_accounts(session: Session, _book: str) -> None:
    session.execute(text("LOCK TABLE users"))


@pytest.mark.parametrize(
    ("lock", "method", "path", "body", "done"),
    [
        (lock_the_book, "PATCH", f"{BOOKS}/{{}}", {"genre": "adventure"}, 200),
        (lock_accounts, "POST", "/api/v1/auth/login", NOBODY, 401),
    ],
    ids=["writers", "those who sign in"],
)
def test_a_crowd_behind_a_lock_is_sent_away(
    service: httpx.Client,
    kept_session: Session,
    lock: Callable[[Session, str], None],
    method: str,
    path: str,
    body: Mapping[str, str],
    done: int,
) -> None:
    """Requests that would wait too long are refused; others have threads and connections."""
    person = sign_up(service)
    book = person.make("books")["id"]
    lock(kept_session, book)

    async def ask() -> list[int]:
        # Each request has its own connection: an idle one may be closed while it is taken again.
        unbounded = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(
            base_url=service.base_url, limits=unbounded, timeout=60, headers=person.headers
        ) as client:

            def connections() -> list[asyncio.Task[httpx.Response]]:
                asked = (client.request(method, path.format(book), json=body) for _ in range(CROWD))
                return [asyncio.create_task(it) for it in asked]

            first = connections()
            await asyncio.to_thread(await_waiting, kept_session)
            while not (ended := [it for it in first if it.done()]):
                first += connections()
                assert (await client.get("/health/live")).status_code == 200
            refused = ended[0].result()
            assert refused.status_code == 503
            assert 1 <= int(refused.headers["retry-after"]) <= 10
            if lock is lock_the_book:
                others = [client.get(f"{BOOKS}?shelf=mine") for _ in range(CROWD)]
                assert {it.status_code for it in await asyncio.gather(*others)} == {200}
            kept_session.rollback()
            return [it.status_code for it in await asyncio.gather(*first)]

    assert set(asyncio.run(ask())) == {done, 503}
