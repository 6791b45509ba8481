"""Remember what the database is short of, as requests have met it: disk, memory, connections."""

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
"""The SQLSTATEs of a server that works, but not for everybody."""

_REMEMBERED = 30.0
"""Seconds: a probe only reads, so that nothing but a request shows whether the shortage lasts."""


class Shortage:
    """The last shortage that a request met, for as long as it counts."""

    def __init__(self) -> None:
        self._last: tuple[float, str] | None = None

    def note(self, sqlstate: str) -> None:
        """Remember that a request has failed with this SQLSTATE just now."""
        self._last = (time.monotonic(), sqlstate)

    def now(self) -> str | None:
        """Return the SQLSTATE of the last shortage; None if no request has met one lately."""
        if self._last is None or time.monotonic() - self._last[0] > _REMEMBERED:
            return None
        return self._last[1]


def is_shortage(sqlstate: str | None) -> bool:
    """Return whether a SQLSTATE says that the database is short of something."""
    return sqlstate in SHORTAGES
