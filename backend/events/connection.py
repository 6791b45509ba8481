"""A listening connection with a timeout for every wait, and an immediate end after a stop."""

import math
import os
import select
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, connection as Connection, cursor as Cursor

from alembic_boot.postgres.connection import named
from alembic_boot.postgres.urls import DatabaseUrl
from backend import __version__
from backend.events.event import CHANNEL

_ANSWER = 3.0
"""Seconds that the server has to answer; a connection without an answer by then is lost."""


class ListeningStopped(Exception):  # noqa: N818 - nothing went wrong
    """The listener was asked to stop."""


class Bell:
    """Wakes a thread that waits for a connection; after the first ring it stays on."""

    def __init__(self) -> None:
        self._hears, self._rings = os.pipe()

    def fileno(self) -> int:
        """Return the file descriptor to wait for beside the connection's own."""
        return self._hears

    def ring(self) -> None:
        """Wake all waiting threads, now and from now on."""
        os.write(self._rings, b"!")

    def wait(self, seconds: float) -> None:
        """Return after that time; raise ListeningStopped as soon as the bell rings."""
        if _ready({self.fileno(): select.POLLIN}, seconds):
            raise ListeningStopped

    def close(self) -> None:
        """Close the pipe; no thread may still be waiting."""
        os.close(self._hears)
        os.close(self._rings)


class Ear:
    """An asynchronous psycopg2 connection that listens on the channel.

    Each method raises ListeningStopped once the bell has rung. It raises psycopg2.Error if the
    connection is lost or was silent for too long.
    """

    def __init__(self, connection: Connection, bell: Bell) -> None:
        self._connection = connection
        self._bell = bell

    def heard(self, seconds: float) -> list[str]:
        """Return the received payloads as soon as there are any, or none after `seconds`."""
        if not self._connection.notifies:
            self._wait(seconds, writes=False)
            self._connection.poll()
        found = [it.payload for it in self._connection.notifies]
        self._connection.notifies.clear()
        return found

    def ask(self, statement: str) -> Cursor:
        """Run a statement, wait until the server has answered, and return the cursor."""
        cursor = self._connection.cursor()
        cursor.execute(statement)
        self.settle()
        return cursor

    def require_direct(self) -> None:
        """Raise psycopg2.OperationalError if a pooler is in between.

        A pooler lends the server's session to other clients, which would receive our events. It
        gives its clients an invented process id.
        """
        [(backend,)] = self.ask("SELECT pg_backend_pid()").fetchall()
        if backend != self._connection.info.backend_pid:
            raise psycopg2.OperationalError(
                "a pooler stands in between: set EVENTS_DATABASE_URL to the server itself"
            )

    def settle(self) -> None:
        """Wait until the connection has no operation in progress."""
        deadline = time.monotonic() + _ANSWER
        while (state := self._connection.poll()) != POLL_OK:
            left = deadline - time.monotonic()
            if left <= 0:
                raise psycopg2.OperationalError(f"no answer within {_ANSWER:g} s")
            self._wait(left, writes=state != POLL_READ)

    def _wait(self, seconds: float, *, writes: bool) -> None:
        bell, connection = self._bell.fileno(), self._connection.fileno()
        wanted = select.POLLOUT if writes else select.POLLIN
        if bell in _ready({bell: select.POLLIN, connection: wanted}, seconds):
            raise ListeningStopped


def _ready(wanted: Mapping[int, int], seconds: float) -> set[int]:
    """Return the file descriptors that are ready or broken; none after that time.

    By `poll`: `select` refuses descriptors from 1024 on, which a process with many clients has.
    """
    poller = select.poll()
    for number, events in wanted.items():
        poller.register(number, events)
    return {number for number, _ in poller.poll(math.ceil(seconds * 1000))}


@contextmanager
def opened_ear(url: DatabaseUrl, bell: Bell) -> Iterator[Ear]:
    """Yield a connection that is listening, and close it at the end; raise as an Ear does."""
    parameters: dict[str, Any] = {
        "application_name": named("moriai events", __version__),
        **url.login,
    }
    connection = psycopg2.connect(**parameters, async_=True)
    try:
        ear = Ear(connection, bell)
        ear.settle()
        ear.require_direct()
        ear.ask(f"LISTEN {CHANNEL}")
        yield ear
    finally:
        connection.close()
