"""The open connections of a process: end slow ones, and make room for new ones."""

import logging
from collections.abc import Set
from typing import Any

from alembic_boot.serving.client_timeouts import Episodes, longest_waits
from alembic_boot.serving.closed_connections import NO_ROOM, TOO_SLOW, closed
from alembic_boot.serving.connection import Connection

_PART = 8
"""Divisor: up to this fraction of all places is kept free for new connections."""

_log = logging.getLogger(__name__)


class OpenConnections:
    """The open connections of a process, up to a maximum."""

    def __init__(self, connections: Set[Any], most: int) -> None:
        """Take Uvicorn's own changing set of connections, and the maximum."""
        self._connections: Set[Connection] = connections
        self._most = most
        self._full = Episodes()

    def end_overdue(self, now: float) -> None:
        """End each connection whose client has kept the server waiting too long.

        If that fails for a connection, it is reset: it must not prevent the end of the others.
        """
        for connection in tuple(self._connections):
            try:
                closed[TOO_SLOW] += connection.end_if_overdue(now)
            except Exception:  # noqa: BLE001 (logged; the server must go on)
                _log.exception("A connection could not be checked: it is reset")
                connection.abort()

    def room_for(self, count: int, now: float) -> int:
        """Return how many connections may be added, which is at least `count` if possible.

        To make room, the connections that have kept the server waiting longest are closed. So many
        silent clients can never block a probe, because a probe sends its request at once.
        """
        wanted = min(count, self._most // _PART)
        room = self._most - len(self._connections)
        if room >= wanted:
            return room
        if self._full.begins(now):
            _log.warning(
                "There are %d connections, the maximum: closing those that have kept"
                " the server waiting longest, until there are fewer",
                len(self._connections),
            )
        waits = ((it, it.wait()) for it in self._connections)
        least_busy = longest_waits(waits, wanted - room)
        for connection in least_busy:
            connection.abort()
        closed[NO_ROOM] += len(least_busy)
        return max(0, room + len(least_busy))
