"""Timeouts for clients, and the choice of connections to close for new ones."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeVar

T = TypeVar("T")


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


def longest_waits(waits: Iterable[tuple[T, Wait | None]], count: int) -> list[T]:
    """Return up to `count` connections, those with the longest waits first.

    A connection for which the server itself is working (None) is never among them.
    """
    waiting = ((wait.since, number, it) for number, (it, wait) in enumerate(waits) if wait)
    return [it for _, _, it in heapq.nsmallest(count, waiting)]


_CALM = 60.0
"""Seconds without a trouble after which the next one is news."""


class Episodes:
    """Tells the first time of a trouble from its repetitions, so that each is logged once."""

    def __init__(self, calm: float = _CALM) -> None:
        """Take the seconds without the trouble after which it counts as over."""
        self._calm = calm
        self._last: float | None = None

    def begins(self, now: float) -> bool:
        """Note the trouble; return whether it is the first of an episode."""
        is_first = self._last is None or now - self._last >= self._calm
        self._last = now
        return is_first
