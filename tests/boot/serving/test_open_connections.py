"""More connections than there is room for: those that wait longest make room."""

import errno
import logging
import socket
from contextlib import ExitStack, closing
from typing import Any

import pytest

from alembic_boot.serving import server as server_module
from alembic_boot.serving.open_connections import NO_ROOM, OpenConnections, closed
from tests.boot.serving.served import REQUEST, Served, read_all, served
from tests.waiting import wait_until

MOST = 16


@pytest.fixture(autouse=True)
def _little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "most_connections", lambda: MOST)


def is_answered(server: Served) -> bool:
    """Return whether a caller who connects and asks at once is answered."""
    with closing(socket.create_connection(server.address, timeout=20)) as client:
        client.sendall(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return read_all(client).endswith(b"/first")


def test_silent_clients_make_room(caplog: pytest.LogCaptureFixture) -> None:
    """However many there are, a caller who asks is answered; the log says so once."""
    before = closed[NO_ROOM]
    with served() as it, ExitStack() as stack:
        for number in range(3 * MOST):
            stack.enter_context(closing(socket.create_connection(it.address, timeout=20)))
            if number % MOST == 0:
                assert is_answered(it)
        assert is_answered(it)
        wait_until(lambda: len(it.server.server_state.connections) <= MOST)
    said = [it.message for it in caplog.records if "connections, the maximum" in it.message]
    assert len(said) == 1
    assert closed[NO_ROOM] - before >= 2 * MOST


def test_the_last_to_come_are_closed_if_nobody_waits() -> None:
    """The server is at work for all of them: none is ended for another."""

    async def work(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await receive()  # until the client is gone

    with served(work) as it, ExitStack() as stack:
        for _ in range(MOST):
            client = stack.enter_context(closing(it.connect()))
            client.sendall(REQUEST)
            connection = it.connection(client)
            wait_until(connection.has_request)
            assert connection.wait() is None
        with closing(socket.create_connection(it.address, timeout=20)) as late:
            assert read_all(late) == b""
        assert len(it.server.server_state.connections) == MOST


class Odd:
    """A connection that cannot even be looked at."""

    def __init__(self) -> None:
        self.is_reset = False

    def end_if_overdue(self, _now: float) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    def abort(self) -> None:
        self.is_reset = True


def test_an_odd_connection_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the others nor the server feel it."""
    odd = [Odd(), Odd()]
    OpenConnections(set(odd), MOST).end_overdue(0)
    assert [it.is_reset for it in odd] == [True, True]
    assert len(caplog.records) == 2


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.EHOSTUNREACH])
def test_a_connection_that_failed_in_the_queue(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    """It is left out without a word, also when the server ends; the next one is served."""
    accept = socket.socket.accept
    failures = iter(range(3))

    def fail_at_first(listener: socket.socket) -> Any:
        if next(failures, None) is not None:
            raise OSError(number, "A client's network failed")
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", fail_at_first)
    with served() as it:
        assert is_answered(it)
        failures = iter(range(3))
        it.stop()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_system_without_descriptors_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is said once, without a traceback, and connections are accepted afterwards."""
    failures = iter(range(3))
    accept = socket.socket.accept

    def fail_at_first(listener: socket.socket) -> Any:
        if next(failures, None) is not None:
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", fail_at_first)
    with served() as it:
        assert is_answered(it)
    said = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.message for record in said] == [
        "No connection can be accepted now: Too many open files. Trying again"
    ]
    assert [record.exc_info for record in said] == [None]
