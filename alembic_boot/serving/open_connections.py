"""The open connections of a process: timeouts for their clients, and room for new ones."""

import heapq
import logging
import resource
from collections import Counter
from collections.abc import Iterable, Set
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # the application reads `closed`, and needs no server for that
    from alembic_boot.serving.connection import Connection

T = TypeVar("T")

TOO_SLOW, NO_ROOM = "too slow", "no room"

closed: Counter[str] = Counter({TOO_SLOW: 0, NO_ROOM: 0})
"""Connections that this process has closed because of their clients, by reason, for the metrics."""

_MOST = 4096
"""A connection takes about 10 kB when it is silent, and 30 kB while it is answered."""

_RESERVE = 256
"""File descriptors for the database, files, pipes, and connections that are being closed."""

_PART = 8
"""Divisor: up to this fraction of all places is kept free for new connections."""

_log = logging.getLogger(__name__)


class Awaited(Enum):
    """The next action that the server waits for."""

    HEAD = auto()
    """Send a whole request head: the first one, or another one after an answer."""
    BODY = auto()
    """Send more of the body of its request."""
    READ = auto()
    """Read more of an answer."""
    CLOSE = auto()
    """Close the connection, which the server has ended by an error."""


@dataclass(frozen=True)
class Wait:
    """The server waits for a client."""

    awaited: Awaited
    since: float
    """Seconds on the clock of the event loop.

    For a head they count from its start, otherwise from the last byte: a client could send single
    bytes of a head for ever.
    """


_LIMITS = {Awaited.HEAD: 15.0, Awaited.BODY: 15.0, Awaited.READ: 30.0, Awaited.CLOSE: 2.0}
"""Seconds until each timeout."""


def is_too_long(wait: Wait, now: float) -> bool:
    """Return whether the timeout is over."""
    return now - wait.since >= _LIMITS[wait.awaited]


class Episodes:
    """Tells the first time of a trouble from its repetitions, so that each is logged once.

    After `calm` seconds without the trouble, it is over.
    """

    def __init__(self, calm: float = 60) -> None:
        self._calm = calm
        self._last: float | None = None

    def begins(self, now: float) -> bool:
        """Note the trouble; return whether it is the first of an episode."""
        is_first = self._last is None or now - self._last >= self._calm
        self._last = now
        return is_first


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


def longest_waits(waits: Iterable[tuple[T, Wait | None]], count: int) -> list[T]:
    """Return up to `count` connections, those with the longest waits first.

    A connection for which the server itself is working (None) is never among them.
    """
    waiting = ((wait.since, number, it) for number, (it, wait) in enumerate(waits) if wait)
    return [it for _, _, it in heapq.nsmallest(count, waiting)]


def allow_all_descriptors() -> None:
    """Raise the soft limit of this process and its children to the hard limit, if allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted_limit(soft, hard), hard))


def wanted_limit(soft: int, hard: int) -> int:
    """Return the soft limit to request: the hard one, or enough if that is infinite.

    macOS has an infinite hard limit, and accepts no such soft limit.
    """
    if hard != resource.RLIM_INFINITY:
        return hard
    return soft if soft == resource.RLIM_INFINITY else max(soft, _MOST + _RESERVE)


def most_connections() -> int:
    """Return the maximum number of connections of this process."""
    return connections_within(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def connections_within(descriptors: int) -> int:
    """Return the number of connections for so many file descriptors."""
    if descriptors == resource.RLIM_INFINITY:
        return _MOST
    return min(_MOST, max(descriptors - _RESERVE, descriptors // 2))
