"""Timeouts for clients, and the times at which a trouble with them is logged."""

from dataclasses import dataclass
from enum import Enum, auto


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
