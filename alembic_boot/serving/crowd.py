"""All connections of a process: end those that keep it waiting, and make room for new ones."""

import logging
from collections.abc import Set
from typing import Any

from alembic_boot.serving.closed import NO_ROOM, TOO_SLOW, closed
from alembic_boot.serving.connection import Connection
from alembic_boot.serving.patience import Episodes, longest_waits

_PART = 8
"""Of all places, this part at most is kept free for new connections."""

_log = logging.getLogger(__name__)


class Crowd:
    """The connections that a process has, of which there may be so many."""

    def __init__(self, connections: Set[Any], most: int) -> None:
        """Take Uvicorn's own set of connections, which changes, and how many there may be."""
        self._connections: Set[Connection] = connections
        self._most = most
        self._full = Episodes()

    def end_overdue(self, now: float) -> None:
        """End each connection whose client has kept the server waiting for too long.

        A connection at which that fails is reset: it must not keep the others from their end.
        """
        for connection in tuple(self._connections):
            try:
                closed[TOO_SLOW] += connection.end_if_overdue(now)
            except Exception:  # noqa: BLE001 (logged; the server must go on)
                _log.exception("A connection could not be looked at: it is reset")
                connection.abort()

    def room_for(self, count: int, now: float) -> int:
        """Return how many connections may be added, which is at least `count` if possible.

        To make room, those are closed that have kept the server waiting longest. So a crowd of
        silent clients never keeps a probe out: the probe sends its request at once.
        """
        wanted = min(count, self._most // _PART)
        room = self._most - len(self._connections)
        if room >= wanted:
            return room
        if self._full.begins(now):
            _log.warning(
                "There are %d connections, which is all that may be: closing those that have kept"
                " the server waiting longest, until there are fewer",
                len(self._connections),
            )
        waits = ((it, it.wait()) for it in self._connections)
        least_busy = longest_waits(waits, wanted - room)
        for connection in least_busy:
            connection.abort()
        closed[NO_ROOM] += len(least_busy)
        return max(0, room + len(least_busy))
