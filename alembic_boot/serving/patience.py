"""Decide how long the server waits for a client, and whose connections make room for new ones."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeVar

T = TypeVar("T")


class Awaited(Enum):
    """The thing that a client has to do next."""

    HEAD = auto()
    """Send a whole request head: the first one, or another one after an answer."""
    BODY = auto()
    """Send more of the body of its request."""
    READ = auto()
    """Take more of an answer."""
    CLOSE = auto()
    """Close the connection, which the server has ended by an error."""


@dataclass(frozen=True)
class Wait:
    """The server waits for a client."""

    awaited: Awaited
    since: float
    """Seconds on the clock of the event loop. A head counts from its start, the rest from the
    last byte: of a head, a client can send a byte now and then for ever."""


_LIMITS = {Awaited.HEAD: 15.0, Awaited.BODY: 15.0, Awaited.READ: 30.0, Awaited.CLOSE: 2.0}
"""Seconds that the server waits."""


def is_too_long(wait: Wait, now: float) -> bool:
    """Return whether the server waits no longer."""
    return now - wait.since >= _LIMITS[wait.awaited]


def longest_waits(waits: Iterable[tuple[T, Wait | None]], count: int) -> list[T]:
    """Return up to `count` connections, those first that have kept the server waiting longest.

    A connection for which the server itself is at work (None) is never among them.
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
        """Note the trouble; return whether it is the first time of an episode."""
        is_first = self._last is None or now - self._last >= self._calm
        self._last = now
        return is_first
