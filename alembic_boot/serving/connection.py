"""One HTTP/1.1 connection: Uvicorn's protocol, with a timeout for each wait for a client."""

import asyncio
import fcntl
import logging
import socket
import struct
import sys
import termios
from contextlib import suppress
from typing import Any

from alembic_boot.serving.open_connections import Awaited, Episodes, Wait, is_too_long
from alembic_boot.serving.requests import Requests, refusal
from alembic_boot.serving.uvicorn_private_names import PlainProtocol

_FOR_A_FIRST_REQUEST = 1.0
"""Seconds for the first request of a new connection when the server shuts down."""

_FOR_ANOTHER = 0.05
"""The same for a client that was answered before: its next request may wait in the socket."""

_PART = 4 << 10
"""Bytes to read at once. asyncio alone would read 256 KiB, perhaps tens of thousands of events."""

_AT_ONCE = struct.pack("ii", 1, 0)
"""The option SO_LINGER: on, 0 seconds."""

_log = logging.getLogger(__name__)
_unreadable = Episodes()


class Connection(PlainProtocol, asyncio.BufferedProtocol):
    """Uvicorn's protocol; ends idle clients, and answers a last request at shutdown.

    It reads up to 4 KiB in one pass of the event loop, so that the loop serves the others, too.
    Later data waits in the system's buffer.
    """

    conn: Requests
    _buffer = bytearray()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn = Requests()
        self._is_ending = False
        self._is_refused = False
        self._idle_since = self.loop.time()
        self._heard_at = self._idle_since
        self._taken_at = self._idle_since
        self._left = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; a write that the system does not accept at once pauses the application."""
        transport.set_write_buffer_limits(high=0)
        super().connection_made(transport)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 (asyncio's own guess)
        """Return the buffer for the next bytes."""
        self._buffer = bytearray(_PART)
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass the received bytes on; an idle connection keeps no buffer."""
        data = bytes(self._buffer[:nbytes])
        self._buffer = bytearray()
        self.data_received(data)

    def data_received(self, data: bytes) -> None:
        """Receive data; a request that comes during the shutdown is the last one."""
        if self._is_refused:
            return
        self._heard_at = self.loop.time()
        super().data_received(data)
        if self._is_ending and self.has_request():
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        """Make the application wait until the client has read more of the answer."""
        self._taken_at = self.loop.time()
        super().pause_writing()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def wait(self) -> Wait | None:
        """Return what the server waits for; None if the server itself is working."""
        if self.transport.get_write_buffer_size() > 0:
            return Wait(Awaited.READ, self._taken_at)
        if self._is_refused:
            return Wait(Awaited.CLOSE, self._idle_since)
        if self.transport.is_closing():
            return None
        if not self.has_request():
            return Wait(Awaited.HEAD, self._idle_since)
        if self.cycle.more_body and not self.flow.read_paused:
            return Wait(Awaited.BODY, self._heard_at)
        return None

    def end_if_overdue(self, now: float) -> bool:
        """End the connection if its client is too slow; return whether it was ended."""
        self._note_progress(now)
        wait = self.wait()
        if wait is None or not is_too_long(wait, now):
            return False
        if wait.awaited in {Awaited.READ, Awaited.CLOSE}:
            self.abort()
        elif wait.awaited is Awaited.HEAD and not self.conn.trailing_data[0]:
            super().shutdown()
        else:
            self._refuse(408)
        return wait.awaited is not Awaited.CLOSE  # it was ended before

    def abort(self) -> None:
        """Reset the connection at once: the system keeps no bytes for the client."""
        sock = self.transport.get_extra_info("socket")
        with suppress(OSError):  # macOS refuses the option once the client has left
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.transport.abort()

    def handle_events(self) -> None:
        """Handle received data; answer data that is not a valid request."""
        super().handle_events()
        if (status := self.conn.refused_with) is None or self._is_refused:
            return
        if _unreadable.begins(self.loop.time()):
            _log.warning("A client sent an invalid HTTP/1.1 request: refused (%d)", status)
        self._refuse(status)

    def shutdown(self) -> None:
        """Close the connection in order, because the server shuts down.

        Uvicorn would close an idle connection at once, and lose a request that the client has sent
        or is sending. So each idle connection may send one more request, for a short time.
        """
        self._is_ending = True
        if self._is_refused:
            self.transport.close()
            return
        if self.has_request():
            super().shutdown()
            return
        seconds = _FOR_A_FIRST_REQUEST if self.cycle is None else _FOR_ANOTHER
        self.loop.call_later(seconds, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if not self.has_request() and not self.transport.is_closing():
            super().shutdown()

    def has_request(self) -> bool:
        """Return whether a request has come that is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def _note_progress(self, now: float) -> None:
        """Note whether the client has read more of the answer since the last check."""
        if (left := self.transport.get_write_buffer_size()) > 0:
            left += not_acknowledged(self.transport)
        if left != self._left:
            self._left = left
            self._taken_at = now

    def _refuse(self, status: int) -> None:
        """Answer in place of the application, and close after the client has closed.

        Closing at once would reset the connection, and a client that is still sending would lose
        the answer.
        """
        is_too_late = False
        if self.has_request():
            is_too_late = self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if is_too_late:
            self.abort()
            return
        self._is_refused = True
        self._idle_since = self.loop.time()
        self.transport.write(refusal(status, self.server_state.default_headers))
        with suppress(OSError):  # the client has left meanwhile
            self.transport.write_eof()
        self.flow.resume_reading()


def not_acknowledged(transport: asyncio.Transport) -> int:
    """Return the bytes that the client has not acknowledged; 0 if the system does not tell."""
    if sys.platform != "linux":
        return 0
    sock = transport.get_extra_info("socket")
    count: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
    return count
