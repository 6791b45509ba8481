"""The clients of the boot server: each sends a request, gets its answer, and leaves."""

import asyncio
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from alembic_boot.serving.boot_answers import too_long

_AT_A_TIME = 64
"""Connections accepted before the open ones are looked at again."""

_TIME_FOR_HEAD = 5.0
"""Seconds that a client has to send the head of its request."""

_TIME_TO_TAKE = 2.0
"""Seconds that a client has to take its answer and close."""

_PAUSE = 0.2
"""Seconds without accepting if the system has no resources for a connection."""

_LONGEST_HEAD = 16 << 10
"""Bytes."""

_PIECE = 16 << 10
"""Bytes of one read."""

_END_OF_HEAD = re.compile(rb"\n\r?\n")

_log = logging.getLogger(__name__)


class Clients:
    """Accepts the connections of a listening socket, and serves each in a task of its own."""

    def __init__(
        self, listener: socket.socket, reply: Callable[[bytes], Awaitable[bytes]], most: int
    ) -> None:
        """Take a socket that does not block, what answers the head of a request, and a maximum.

        Beyond the maximum, the longest silent client ends.
        """
        self._listener = listener
        self._reply = reply
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._accepting_again: asyncio.TimerHandle | None = None
        self._have_asked: dict[asyncio.Task[None], bool] = {}
        """The clients, oldest first, and whether the head of a request has come."""

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._have_asked)

    def accept(self) -> None:
        """Accept from now on."""
        self._loop.add_reader(self._listener, self.accept_up_to, _AT_A_TIME)

    def stop_accepting(self) -> None:
        """Leave what comes from now on in the kernel's queue."""
        if self._accepting_again is not None:
            self._accepting_again.cancel()
        self._loop.remove_reader(self._listener)

    def accept_up_to(self, most: int) -> None:
        """Accept what is in the kernel's queue, at most so many connections."""
        for _ in range(most):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # the client has gone meanwhile
                continue
            except OSError as error:
                _log.debug("No connection can be accepted now: %s", error)
                self._loop.remove_reader(self._listener)
                self._accepting_again = self._loop.call_later(_PAUSE, self.accept)
                return
            if len(self) >= self._most:
                self._end(min(self._have_asked, key=self._have_asked.__getitem__))
            client = self._loop.create_task(self._serve(connection))
            self._have_asked[client] = False
            client.add_done_callback(partial(self._left, connection))

    def _left(self, connection: socket.socket, client: asyncio.Task[None]) -> None:
        # Here, because a task that is cancelled before it begins runs none of its own code.
        connection.close()
        self._have_asked.pop(client, None)

    async def gone(self) -> None:
        """Return when no client is left."""
        while self._have_asked:
            await asyncio.wait(tuple(self._have_asked))

    def end_all(self) -> None:
        """Close all connections."""
        for client in tuple(self._have_asked):
            self._end(client)

    def _end(self, client: asyncio.Task[None]) -> None:
        del self._have_asked[client]
        client.cancel()

    async def _serve(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        with suppress(OSError):  # the client has gone, or is too slow
            async with asyncio.timeout(_TIME_FOR_HEAD):
                head = await self._head_from(connection)
            if (client := asyncio.current_task()) in self._have_asked:
                self._have_asked[client] = True
            reply = too_long() if head is None else await self._reply(head)
            async with asyncio.timeout(_TIME_TO_TAKE):
                await self._loop.sock_sendall(connection, reply)
                # To close now would reset the connection if a body is still on its way, and the
                # client might lose its answer. So the client closes first.
                connection.shutdown(socket.SHUT_WR)
                while await self._piece_from(connection):
                    pass

    async def _head_from(self, connection: socket.socket) -> bytes | None:
        """Return the head of a request; None if it is too long. Raises OSError."""
        head = b""
        while len(head) <= _LONGEST_HEAD:
            piece = await self._piece_from(connection)
            if not piece:
                raise ConnectionAbortedError
            # RFC 9112, 2.2: empty lines before a request are ignored. They do not extend its time.
            head = (head + piece).lstrip(b"\r\n")
            if end := _END_OF_HEAD.search(head):
                return head[: end.start()]
        return None

    async def _piece_from(self, connection: socket.socket) -> bytes:
        # Without this pause, a client that sends all the time would stop the others.
        await asyncio.sleep(0)
        return await self._loop.sock_recv(connection, _PIECE)
