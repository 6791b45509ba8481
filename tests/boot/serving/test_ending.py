"""A server that ends answers each request that is on its way, on each of its connections."""

import asyncio
from contextlib import closing
from typing import Any

import pytest

from alembic_boot.serving import connection
from tests.boot.serving.served import REQUEST, read_all, served
from tests.waiting import LONG, SOON, wait_until


@pytest.fixture
def long_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the server wait for a first request as long as a busy machine may take to send it."""
    monkeypatch.setattr(connection, "_FOR_A_FIRST_REQUEST", SOON)


@pytest.mark.usefixtures("long_patience")
def test_a_connection_that_has_sent_nothing_yet() -> None:
    """It was accepted before the end, and its request comes after it."""
    with served() as it, closing(it.connect()) as client:
        it.stop()
        client.sendall(REQUEST)
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"/first")


@pytest.mark.usefixtures("long_patience")
def test_half_a_request() -> None:
    """The rest comes after the end has begun."""
    with served() as it, closing(it.connect()) as client:
        client.sendall(REQUEST[:10])
        it.stop()
        client.sendall(REQUEST[10:])
        assert read_all(client).endswith(b"/first")


@pytest.mark.usefixtures("long_patience")
def test_a_request_is_the_last_of_its_connection() -> None:
    """A second one that was sent with it is not answered: the client was told of the close."""
    with served() as it, closing(it.connect()) as client:
        it.stop()
        client.sendall(2 * REQUEST)
        assert read_all(client).count(b"HTTP/1.1 200 OK\r\n") == 1


def test_a_silent_connection_holds_nothing_up() -> None:
    """It is closed without a word, long before a request would be cut off."""
    with served(timeout_graceful_shutdown=LONG) as it, closing(it.connect()) as client:
        it.stop()
        assert read_all(client) == b""


def test_a_request_that_takes_too_long(caplog: pytest.LogCaptureFixture) -> None:
    """It is cut off, and its client is told; the application need not know of it."""

    async def never(_scope: Any, _receive: Any, _send: Any) -> None:
        await asyncio.Event().wait()

    with served(never, timeout_graceful_shutdown=0.2) as it, closing(it.connect()) as client:
        client.sendall(REQUEST)
        wait_until(it.connection(client).has_request)
        it.stop()
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nconnection: close\r\n" in answer
    assert "A request took too long for a stopping process: it was cancelled" in caplog.messages


@pytest.mark.slow
def test_a_refusal_holds_nothing_up() -> None:
    """The client sends a bad chunk after the end has begun, and keeps its connection open."""
    start = b"POST /x HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
    with served() as it, closing(it.connect()) as client:
        client.sendall(start)
        wait_until(it.connection(client).has_request)
        it.stop()
        client.sendall(b"z\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 400 ")
        wait_until(lambda: not it.server.server_state.connections)
