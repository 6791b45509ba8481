"""Accept connections on the listening socket, and stop without losing one.

`loop.create_server` cannot do that. On close, asyncio drops a connection that it has accepted and
not yet set up. Connections in the kernel's queue stay there, and the kernel resets them. Without a
free file descriptor, asyncio 3.11 logs a traceback for each place in the queue, every second.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

from alembic_boot.serving.open_connections import Episodes

_AT_A_TIME = 64
"""Connections accepted in one pass of the event loop, which serves the open ones as well."""

_PAUSE = 0.2
"""Seconds before the next attempt if the system has no resources for a connection."""

_GONE = frozenset({errno.ECONNRESET, errno.ENOTCONN, errno.EINVAL})
"""Errors of a socket whose client has left between the accept and the set-up."""

_OF_NETWORK = (
    "ECONNABORTED EPERM EPROTO ENOPROTOOPT EOPNOTSUPP ENETDOWN ENETUNREACH EHOSTDOWN EHOSTUNREACH"
    " ENONET"  # only on Linux
)
_OF_THE_CLIENT = frozenset(getattr(errno, it, None) for it in _OF_NETWORK.split())
"""Errors of a single connection: accept(2) advises to try again."""

_log = logging.getLogger(__name__)


class Acceptor:
    """Accepts the connections of one listening socket."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        room_for: Callable[[int, float], int],
    ) -> None:
        """Take a bound socket, a factory of protocols, and a function for room.

        `room_for` gets the wanted number of connections and the time; it returns the allowed one.
        """
        self._listener = listener
        self._protocol = protocol
        self._room_for = room_for
        self._loop = asyncio.get_running_loop()
        self._being_set_up: set[asyncio.Task[None]] = set()
        self._exhaustion = Episodes()

    def start(self, backlog: int) -> None:
        """Listen and accept; `backlog` is the length of the kernel's queue.

        Raises OSError if the port cannot be listened on.
        """
        self._listener.listen(backlog)
        self._listener.setblocking(False)
        self._resume()

    async def stop(self) -> None:
        """Close the listener; every connection that was made before has its protocol then."""
        if not self._is_open():
            return
        while self._accept_up_to(_AT_A_TIME):
            pass
        self._loop.remove_reader(self._listener)
        self._listener.close()
        if self._being_set_up:
            await asyncio.wait(self._being_set_up)

    def _is_open(self) -> bool:
        return self._listener.fileno() != -1

    def _resume(self) -> None:
        if self._is_open():
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        """Accept as many connections as there is room for; without room, refuse the next one."""
        others = len(self._being_set_up)
        room = self._room_for(_AT_A_TIME + others, self._loop.time()) - others
        if room > 0:
            self._accept_up_to(min(room, _AT_A_TIME))
        elif not others and (connection := self._next()):
            connection.close()

    def _accept_up_to(self, most: int) -> bool:
        """Accept at most so many connections; return whether there may be more."""
        for _ in range(most):
            connection = self._next()
            if connection is None:
                return False
            connection.setblocking(False)
            task = self._loop.create_task(self._set_up(connection))
            self._being_set_up.add(task)
            task.add_done_callback(self._being_set_up.discard)
        return True

    def _next(self) -> socket.socket | None:
        """Return the next connection of the kernel's queue; None if there is none now.

        Connections that have failed already are skipped, even a whole queue of them.
        """
        for _ in range(_AT_A_TIME):
            try:
                return self._listener.accept()[0]
            except (BlockingIOError, InterruptedError):
                return None
            except OSError as error:
                if error.errno in _OF_THE_CLIENT:
                    continue
                if self._exhaustion.begins(self._loop.time()):
                    line = "No connection can be accepted now: %s. Trying again"
                    _log.error(line, error.strerror)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_PAUSE, self._resume)
                return None
        return None

    async def _set_up(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError as error:
            connection.close()
            if error.errno not in _GONE:
                raise
            _log.debug("A client left while its connection was set up: %s", error.strerror)
