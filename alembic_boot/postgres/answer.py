"""Repeat a failed login to learn its SQLSTATE, and which side closed the connection.

psycopg2 has no SQLSTATE for a failed login, and the server's message may be in any language. libpq
can write the code into its message. That setting is possible on a connection that is being made
asynchronously: psycopg2 gives the address of libpq's own object for such purposes.
"""

import ctypes
import os
import re
import select
import socket
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import _psycopg
from psycopg2.extensions import POLL_OK, POLL_READ
from psycopg2.extensions import connection as Connection

from alembic_boot.postgres.message import causes

_VERBOSE = 2
"""libpq's PQERRORS_VERBOSE."""

_CODED = re.compile(r":  (?P<code>[0-9A-Z]{5}): ")
"""The code in such a message, after the severity, which may be a word of any language."""


@dataclass(frozen=True)
class Answer:
    """The outcome of a login."""

    code: str = ""
    """SQLSTATE of the refusal by the server or a pooler; empty if there was none."""
    sentence: str = ""
    """Message of the refusal, in its own language."""
    libpq_gave_up: bool = False
    """Whether the server would have continued, but libpq refused its answer."""
    is_good: bool = False
    """Whether the login worked."""
    is_late: bool = False
    """Whether no answer came in time, neither good nor bad."""


def ask(login: Mapping[str, Any], timeout: float) -> Answer:
    """Return the result of a login now, within `timeout` seconds."""
    watched = _Watched()
    with closing(watched):
        try:
            arguments: dict[str, Any] = {**login, "async_": True}
            with closing(psycopg2.connect(**arguments)) as connection:
                _have_codes(connection)
                is_good = _finish(connection, watched, time.monotonic() + timeout)
                return Answer(is_good=is_good, is_late=not is_good)
        except UnicodeDecodeError as error:  # a message in the server's own encoding
            said = error.object.decode(errors="replace")
        except psycopg2.Error as error:
            said = str(error)
        return _read(said, libpq_gave_up=watched.goes_on)


def _read(said: str, *, libpq_gave_up: bool) -> Answer:
    """Return the answer in an error: libpq stops at the first server that refuses for good."""
    coded = [(line, found) for line in causes(said) if (found := _CODED.search(line))]
    if not coded:
        return Answer(libpq_gave_up=libpq_gave_up)
    line, found = coded[-1]
    return Answer(found["code"], line[found.end() :].rstrip("."))


def _have_codes(connection: Connection) -> None:
    library = ctypes.CDLL(_psycopg.__file__)  # loaded already, and libpq with it
    set_verbosity = getattr(library, "PQsetErrorVerbosity", None)
    if set_verbosity is None:  # psycopg2 hides its libpq: then waiting may always help
        return
    set_verbosity.argtypes = (ctypes.c_void_p, ctypes.c_int)
    set_verbosity(connection.pgconn_ptr, _VERBOSE)


def _finish(connection: Connection, watched: "_Watched", deadline: float) -> bool:
    """Return True when the connection is made, and False if that takes too long."""
    while True:
        watched.look_at(connection)
        state = connection.poll()
        if state == POLL_OK:
            return True
        poller = select.poll()
        wanted = select.POLLIN if state == POLL_READ else select.POLLOUT
        poller.register(connection.fileno(), wanted)
        left = deadline - time.monotonic()
        if left <= 0 or not poller.poll(left * 1000):
            return False


class _Watched:
    """Keeps libpq's socket open, to look at it after libpq has closed it."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def look_at(self, connection: Connection) -> None:
        """Keep the current socket: libpq opens another one for each host."""
        self.close()
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))

    @property
    def goes_on(self) -> bool:
        """Return whether the other side is still connected and waits."""
        if self._socket is None:
            return False
        try:
            self._socket.getpeername()
            self._socket.setblocking(False)
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Close the kept socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
