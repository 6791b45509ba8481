"""End what a session waits for, from another thread, when a stop signal arrives."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2

_CANCELS = 4
"""How often a cancel is tried before the connection is cut: a frozen server hears none."""


class Interruption:
    """The action for `interrupting`: cancels the statement of a driver's connection.

    Psycopg 2 and 3 have what it takes; a connection without it, as an asyncio driver's, needs
    none, for no C code of its own keeps Python's signal handlers from running.
    """

    def __init__(self, driver_connection: Any = None) -> None:
        self.driver_connection = driver_connection
        self._tries = 0

    def __call__(self) -> None:
        """Cancel; after some tries in vain cut the connection, which fails the statement."""
        if not hasattr(self.driver_connection, "cancel"):
            return
        self._tries += 1
        if self._tries <= _CANCELS:
            # A cancel is a connection of its own, which may get no answer either.
            threading.Thread(target=self._cancel, name="cancel", daemon=True).start()
        else:
            self.cut()

    def _cancel(self) -> None:
        with suppress(psycopg2.Error, OSError):  # a connection that is gone runs no statement
            self.driver_connection.cancel()

    def cut(self) -> None:
        """Cut the connection at once."""
        if self.driver_connection is not None:
            cut(self.driver_connection)


def cut(driver_connection: Any) -> None:
    """Shut a driver's connection down below it, so that whoever waits on it gets an error."""
    transport = getattr(driver_connection, "_transport", None)  # asyncpg's
    owner = transport.get_extra_info("socket") if transport else driver_connection
    if not hasattr(owner, "fileno"):
        return
    with suppress(psycopg2.Error, OSError):  # one that is closed already is cut well enough
        raw = socket.socket(fileno=os.dup(owner.fileno()))
        raw.shutdown(socket.SHUT_RDWR)
        raw.close()


@contextmanager
def cut_when_silent(driver_connection: Any, seconds: float) -> Iterator[None]:
    """Cut the connection where the block takes longer than this."""
    silence = threading.Timer(seconds, cut, [driver_connection])
    silence.daemon = True
    silence.start()
    try:
        yield
    finally:
        silence.cancel()
