"""More requests than the database answers: some are sent away at once, and probes never."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from uuid import uuid4

import psycopg2
import pytest

from tests.attacks.application import Application
from tests.attacks.probing import LIST, LIVE, READY, ask

pytestmark = [pytest.mark.slow, pytest.mark.alone]

READERS = 150
"""Ten for each connection that requests may have."""

PATIENCE = 30.0
"""Seconds."""


@contextmanager
def locked(database_url: str) -> Iterator[None]:
    """Have every reader of books wait."""
    with closing(psycopg2.connect(database_url)) as connection:
        connection.cursor().execute("LOCK TABLE books")
        yield


def read_a_book(port: int) -> tuple[int, str | None]:
    """Read a book that no answer is kept of; return the status and Retry-After."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
        client.request("GET", f"/api/v1/books/{uuid4()}")
        answer = client.getresponse()
        answer.read()
        return answer.status, answer.getheader("Retry-After")


def test_who_would_wait_too_long_is_sent_away(application: Application) -> None:
    """The queue is as long as before; answers that are kept and probes need no thread."""
    port = application.port
    assert ask(port, LIST) == 200
    with ThreadPoolExecutor(2 * READERS) as pool:
        with locked(application.database_url):
            waiting = [pool.submit(read_a_book, port) for _ in range(READERS)]
            deadline = time.monotonic() + PATIENCE
            while not (sent_away := [it for it in waiting if it.done()]):
                assert time.monotonic() < deadline
                assert ask(port, LIVE) == 200
                if len(waiting) < 2 * READERS:
                    waiting.append(pool.submit(read_a_book, port))
            status, retry_after = sent_away[0].result()
            assert [ask(port, it) for it in (LIVE, READY, LIST, "/metrics")] == [200] * 4
        assert status == 503
        assert 1 <= int(retry_after or 0) <= 10
        assert {it.result()[0] for it in waiting} <= {404, 503}
    assert application.is_alive
