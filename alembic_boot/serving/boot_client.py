"""One connection of the boot server: first its request, then its answer, then its end."""

import re
import socket
import time
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE

from alembic_boot.serving.boot_answers import Later, too_long

_TIME_FOR_HEAD = 5.0
"""Seconds that a client has to send the head of its request."""

_TIME_TO_TAKE = 2.0
"""Seconds that a client has to take its answer and close."""

_TIME_TO_MAKE = 3.0
"""Seconds that a client waits for an answer that another thread makes."""

_LONGEST_HEAD = 16 << 10
"""Bytes."""

_PIECE = 16 << 10
"""Bytes of one read."""

_END_OF_HEAD = re.compile(rb"\n\r?\n")


class Client:
    """A client whose connection does not block."""

    def __init__(self, connection: socket.socket, answer: Callable[[bytes], bytes | Later]) -> None:
        """Take the connection, and the function from the head of a request to its answer."""
        connection.setblocking(False)
        self.connection = connection
        self.deadline = time.monotonic() + _TIME_FOR_HEAD
        self._answer = answer
        self._head = b""
        self._unsent: bytes | None = None
        self.later: Later | None = None
        """The answer that the client waits for."""

    @property
    def has_asked(self) -> bool:
        """True if the head of the request is complete."""
        return self._unsent is not None or self.later is not None

    @property
    def events(self) -> int:
        """The event of the connection to wait for."""
        return EVENT_WRITE if self._unsent else EVENT_READ

    def is_due(self, now: float) -> bool:
        """Return whether `later` is to be finished."""
        return self.later is not None and (self.later.made.done() or self.deadline <= now)

    def take(self, found: bytes | Later) -> None:
        """Take the answer, to be sent as the connection goes on, or wait for it."""
        is_made = isinstance(found, bytes)
        self._unsent, self.later = (found, None) if isinstance(found, bytes) else (None, found)
        self.deadline = time.monotonic() + (_TIME_TO_TAKE if is_made else _TIME_TO_MAKE)

    def go_on(self) -> bool:
        """Read or write what is possible now; return False if the connection is over."""
        try:
            return self._write() if self._unsent else self._read()
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:  # the client has gone
            return False

    def _read(self) -> bool:
        piece = self.connection.recv(_PIECE)
        if not piece:
            return False
        if self.has_asked:  # a body, which is of no interest
            return True
        # RFC 9112, 2.2: empty lines before a request are ignored. They do not extend its time.
        self._head = (self._head + piece).lstrip(b"\r\n")
        end = _END_OF_HEAD.search(self._head)
        if end is None and len(self._head) <= _LONGEST_HEAD:
            return True
        self.take(self._answer(self._head[: end.start()]) if end else too_long())
        return self.later is not None or self._write()

    def _write(self) -> bool:
        self._unsent = (self._unsent or b"")[self.connection.send(self._unsent or b"") :]
        if not self._unsent:
            # To close now would reset the connection if a body is still on its way, and the client
            # might lose its answer. So the client closes first.
            self.connection.shutdown(socket.SHUT_WR)
        return True
