"""Accept connections on the listening socket, and stop without losing one.

`loop.create_server` cannot do that. On close, asyncio drops a connection that it has accepted and
not yet set up. It leaves those in the kernel's queue there, and the kernel resets them.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

_AT_A_TIME = 64
"""Connections accepted in one pass of the event loop, which serves the open ones as well."""

_log = logging.getLogger(__name__)

_GONE = frozenset({errno.ECONNRESET, errno.ENOTCONN, errno.EINVAL})
"""Errors of a socket whose client has left between the accept and the set-up."""


class Acceptor:
    """Accepts the connections of one listening socket."""

    def __init__(self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Take a bound socket, and what makes the protocol of each connection."""
        self._listener = listener
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._being_set_up: set[asyncio.Task[None]] = set()

    def start(self, backlog: int) -> None:
        """Listen and accept; `backlog` is how many connections the kernel queues.

        Raises OSError if the port cannot be listened on.
        """
        self._listener.listen(backlog)
        self._listener.setblocking(False)
        self._loop.add_reader(self._listener, self._accept)

    async def stop(self) -> None:
        """Accept what the kernel has queued, close this process's listener, and set up the rest.

        Every connection that was made before has its protocol when this returns.
        """
        if self._listener.fileno() == -1:
            return
        while self._accept():
            pass
        self._loop.remove_reader(self._listener)
        self._listener.close()
        if self._being_set_up:
            await asyncio.wait(self._being_set_up)

    def _accept(self) -> bool:
        """Accept some connections; return whether there may be more."""
        for _ in range(_AT_A_TIME):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return False
            connection.setblocking(False)
            task = self._loop.create_task(self._set_up(connection))
            self._being_set_up.add(task)
            task.add_done_callback(self._being_set_up.discard)
        return True

    async def _set_up(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError as error:
            connection.close()
            if error.errno not in _GONE:
                raise
            _log.debug("A client left while its connection was set up: %s", error.strerror)
