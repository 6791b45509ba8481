"""Remember shortages of the database that requests met: disk, memory, connections."""

import time

from psycopg2 import errorcodes

SHORTAGES = frozenset(
    {
        errorcodes.INSUFFICIENT_RESOURCES,
        errorcodes.DISK_FULL,
        errorcodes.OUT_OF_MEMORY,
        errorcodes.TOO_MANY_CONNECTIONS,
        errorcodes.CONFIGURATION_LIMIT_EXCEEDED,
    }
)
"""The SQLSTATEs of a server that works, but not for all requests."""

_REMEMBERED = 30.0
"""Seconds: a probe only reads, so only a request shows whether the shortage lasts."""


class Shortage:
    """The last shortage that a request met, while it counts."""

    def __init__(self) -> None:
        self._last: tuple[float, str] | None = None

    def note(self, sqlstate: str) -> None:
        """Remember that a request has just failed with this SQLSTATE."""
        self._last = (time.monotonic(), sqlstate)

    def now(self) -> str | None:
        """Return the SQLSTATE of the last shortage; None if there was none lately."""
        if self._last is None or time.monotonic() - self._last[0] > _REMEMBERED:
            return None
        return self._last[1]


def is_shortage(sqlstate: str | None) -> bool:
    """Return whether a SQLSTATE means that the database lacks a resource."""
    return sqlstate in SHORTAGES
