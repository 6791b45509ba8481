"""End what a session waits for, from another thread: at a stop signal, or in too long a silence.

A connection is cut below its driver. The driver's own cancel asks the server over a connection
of its own, which a network that swallows everything holds up for minutes; psycopg2 holds the
interpreter's lock meanwhile, so that no signal is heard at all.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from psycopg2 import errors
from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE
from psycopg2.extensions import connection as Connection

_PRECISION = 0.25
"""Seconds by which a silence may last longer than it may."""

SET_CLIENT_CHECK = "set_config('client_connection_check_interval', '1s', {is_local})"
"""Has the server notice in mid-statement, within a second, that its client is gone."""


def can_check_client(connection: Connection) -> bool:
    """Whether the server has that setting: since 14, and not on every system."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {SET_CLIENT_CHECK.format(is_local='true')}")
    except (errors.UndefinedObject, errors.InvalidParameterValue):
        return False
    return True


def interrupt(driver_connection: Any) -> None:
    """End what a connection of psycopg's, 2 or 3, waits for in C code, where no signal is heard.

    One that waits for nothing is left in order, and so are other drivers' connections: they wait
    in Python.
    """
    info = getattr(driver_connection, "info", None)
    if getattr(info, "transaction_status", None) == TRANSACTION_STATUS_ACTIVE:
        cut(driver_connection)


def cut(driver_connection: Any) -> None:
    """Shut a driver's connection down below it, so that whoever waits on it gets an error.

    One without a socket, or closed already, is left alone; each driver has an error of its own
    for that.
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
    """The statements that are not answered yet, and until when they have to be.

    One thread looks after all of them, as long as there are any: to start one for each statement
    would take as long as many a statement does.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: dict[object, tuple[float, Any]] = {}
        self._watcher: threading.Thread | None = None

    @contextmanager
    def bounded(self, driver_connection: Any, seconds: float) -> Iterator[None]:
        """Cut the connection where the block takes longer than this."""
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
            for driver_connection in self._overdue():
                cut(driver_connection)
            with self._lock:
                if not self._due:
                    self._watcher = None
                    return

    def _overdue(self) -> list[Any]:
        with self._lock:
            now = time.monotonic()
            late = [it for it, (deadline, _) in self._due.items() if deadline <= now]
            return [self._due.pop(statement)[1] for statement in late]


cut_when_silent = _Silences().bounded
"""Cut a connection where a block takes longer than so many seconds."""
