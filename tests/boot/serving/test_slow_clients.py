"""Clients that send or take too little: the clock of the server is moved, nothing waits."""

import socket
import threading
from contextlib import closing
from typing import Any

import pytest

from alembic_boot.serving import server as server_module
from alembic_boot.serving.connection import Connection, not_acknowledged
from alembic_boot.serving.middleware import PIECE
from alembic_boot.serving.open_connections import TOO_SLOW, closed
from tests.boot.serving.served import REQUEST, Served, echo, read_all, served
from tests.waiting import SOON, wait_until

LONG = 20 << 20
"""Bytes of an answer that no buffer takes."""

POST = b"POST /x HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n12345"


def pass_time(server: Served, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Move the clock of the server on, and have it look at its connections."""
    is_done = threading.Event()
    loop = server.loop
    time = loop.time

    def look() -> None:
        monkeypatch.setattr(loop, "time", lambda: time() + seconds)
        connections = server.server._connections
        assert connections is not None
        connections.end_overdue(loop.time())
        is_done.set()

    loop.call_soon_threadsafe(look)
    assert is_done.wait(SOON)


@pytest.fixture(autouse=True)
def _no_looks_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave all looks to the test."""
    monkeypatch.setattr(server_module, "_LOOK", 1 << 30)


def has_heard(connection: Connection) -> bool:
    return connection.has_request() or bool(connection.conn.trailing_data[0])


def left(connection: Connection) -> int:
    """Return the bytes of the answer that the client has not taken."""
    return connection.transport.get_write_buffer_size() + not_acknowledged(connection.transport)


def wait_until_still(connection: Connection) -> None:
    """Return when all buffers are full: what is left has been the same for 20 looks."""
    looks = [0] * 20

    def is_still() -> bool:
        looks.append(left(connection))
        return connection.transport.get_write_buffer_size() > 0 and len({*looks[-20:]}) == 1

    wait_until(is_still)


def is_open(client: socket.socket) -> bool:
    """Return whether the server has not ended the connection."""
    client.setblocking(False)
    try:
        return client.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    finally:
        client.settimeout(SOON)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [(b"", b""), (REQUEST[:-2], b"HTTP/1.1 408 "), (POST, b"HTTP/1.1 408 ")],
    ids=["nothing", "half a head", "half a body"],
)
def test_half_a_request(monkeypatch: pytest.MonkeyPatch, sent: bytes, answer: bytes) -> None:
    """It has 15 seconds; then the client is told, if it has begun."""
    with served() as it, closing(it.connect()) as client:
        client.sendall(sent)
        if sent:
            wait_until(lambda: has_heard(it.connection(client)))
        pass_time(it, 14, monkeypatch)
        assert is_open(client)
        pass_time(it, 2, monkeypatch)
        told = read_all(client)
    assert told.startswith(answer)
    assert bool(told) == bool(answer)


def test_each_client_that_is_ended_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it does not close after the answer that ends it."""
    before = closed[TOO_SLOW]
    with served() as it, closing(it.connect()) as client:
        client.sendall(REQUEST[:5])
        wait_until(lambda: has_heard(it.connection(client)))
        pass_time(it, 16, monkeypatch)
        assert closed[TOO_SLOW] == before + 1
        pass_time(it, 3, monkeypatch)
        wait_until(lambda: not it.server.server_state.connections)
    assert closed[TOO_SLOW] == before + 1


def test_half_a_request_after_a_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time begins with the answer before."""
    with served() as it, closing(it.connect()) as client:
        client.sendall(REQUEST + REQUEST[:5])
        client.recv(1)
        wait_until(lambda: it.connection(client).conn.trailing_data[0] == REQUEST[:5])
        pass_time(it, 16, monkeypatch)
        assert b"HTTP/1.1 408 " in read_all(client)


def test_a_client_that_leaves_while_it_is_refused(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server goes on: the answer is sent, the client's system resets, the end fails."""
    with served() as it, closing(it.connect()) as client:
        client.sendall(POST)
        connection = it.connection(client)
        wait_until(connection.has_request)
        end_if_overdue = connection.end_if_overdue

        def leave_and_look(now: float) -> bool:
            client.close()
            return end_if_overdue(now)

        monkeypatch.setattr(connection, "end_if_overdue", leave_and_look)
        with closing(it.connect()) as other:
            pass_time(it, 16, monkeypatch)
            assert read_all(other) == b""  # silent as well, and looked at all the same
        assert not [record for record in caplog.records if record.exc_info]


async def answer_much(scope: Any, receive: Any, send: Any) -> None:
    """Answer more than any buffer takes, before the request is read."""
    headers = [(b"content-length", str(LONG).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": bytes(LONG)})


def test_a_client_that_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has 30 seconds after the last byte that it took; little is buffered for it."""
    with served(answer_much) as it, closing(it.connect()) as client:
        client.sendall(REQUEST)
        connection = it.connection(client)
        wait_until_still(connection)
        assert connection.transport.get_write_buffer_size() <= PIECE
        pass_time(it, 0, monkeypatch)
        pass_time(it, 28, monkeypatch)
        assert is_open(client)
        pass_time(it, 3, monkeypatch)
        with pytest.raises(ConnectionResetError):
            read_all(client)


def test_a_client_that_takes_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part that it takes gives it another 30 seconds."""
    with served(answer_much) as it, closing(it.connect()) as client:
        client.sendall(REQUEST)
        connection = it.connection(client)
        wait_until_still(connection)
        for _ in range(5):
            before = left(connection)
            while left(connection) == before:
                client.recv(1 << 16)
            pass_time(it, 25, monkeypatch)
        assert left(connection) > 0


def test_an_answer_that_has_begun_is_not_followed_by_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection ends: a client would take the refusal for a part of the answer."""

    async def begin(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await echo(scope, receive, send)

    with served(begin) as it, closing(it.connect()) as client:
        client.sendall(POST)
        assert client.recv(1000).startswith(b"HTTP/1.1 200 OK")
        pass_time(it, 16, monkeypatch)
        with pytest.raises(ConnectionResetError):
            read_all(client)
