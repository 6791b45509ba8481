"""End a session's wait from another thread: after a stop signal, or after too long a silence.

A connection is cut below its driver. The driver's own cancel opens another connection to the
server. In a network that drops all packets, that takes minutes. psycopg2 holds the interpreter's
lock meanwhile, so that no signal is handled at all.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from psycopg2 import errors
from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE, connection as Connection

_PRECISION = 0.25
"""Seconds by which a silence may exceed its limit."""

SET_CLIENT_CHECK = "set_config('client_connection_check_interval', '1s', {is_local})"
"""SQL by which the server notices within a second, during a statement, that its client is gone."""


def can_check_client(connection: Connection) -> bool:
    """Return whether the server has that setting: since version 14, and not on every system."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {SET_CLIENT_CHECK.format(is_local='true')}")
    except (errors.UndefinedObject, errors.InvalidParameterValue):
        return False
    return True


def interrupt(driver_connection: Any) -> None:
    """End the wait of a psycopg 2 or 3 connection in C code; other drivers wait in Python."""
    if is_waiting(driver_connection):
        cut(driver_connection)


def is_waiting(driver_connection: Any) -> bool | None:
    """Return whether a psycopg 2 or 3 connection waits for an answer; None for other drivers."""
    status = getattr(getattr(driver_connection, "info", None), "transaction_status", None)
    return None if status is None else bool(status == TRANSACTION_STATUS_ACTIVE)


def cut(driver_connection: Any) -> None:
    """Shut a driver's connection down below it, so that a thread waiting on it gets an error.

    A connection without a socket, or one that is closed already, stays as it is.
    """
    transport = getattr(driver_connection, "_transport", None)  # asyncpg's
    owner = transport.get_extra_info("socket") if transport else driver_connection
    if not hasattr(owner, "fileno"):
        return
    with suppress(Exception):
        raw = socket.socket(fileno=os.dup(owner.fileno()))
        raw.shutdown(socket.SHUT_RDWR)
        raw.close()


class _Silences:
    """The statements without an answer so far, and their deadlines.

    One thread watches all of them while there are any: starting a thread for each statement would
    take as long as many a statement.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[object, tuple[float, Any]] = {}
        self._watcher: threading.Thread | None = None

    @contextmanager
    def bounded(self, driver_connection: Any, seconds: float) -> Iterator[None]:
        """Cut the connection if the block takes longer than this."""
        statement = object()
        with self._lock:
            self._due[statement] = (time.monotonic() + seconds, driver_connection)
            if self._watcher is None or not self._watcher.is_alive():  # as after a fork
                self._watcher = threading.Thread(target=self._watch, name="silence", daemon=True)
                self._watcher.start()
        try:
            yield
        finally:
            with self._lock:
                self._due.pop(statement, None)

    def _watch(self) -> None:
        while True:
            threading.Event().wait(_PRECISION)
            with self._lock:
                now = time.monotonic()
                late = [it for it, (deadline, _) in self._due.items() if deadline <= now]
                overdue = [self._due.pop(statement)[1] for statement in late]
                if is_last := not self._due:
                    self._watcher = None
            for driver_connection in overdue:
                cut(driver_connection)
            if is_last:
                return


cut_when_silent = _Silences().bounded
"""Cut a connection if a block takes longer than so many seconds."""
