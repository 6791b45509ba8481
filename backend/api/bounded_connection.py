"""A connection of psycopg2's that waits for an answer only so long, whatever has become of it.

The server's own limit for statements is of no use where the server does not get to it, nor are
TCP's where somebody still acknowledges: a process that was stopped, a proxy, a disk that hangs.
"""

from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from alembic_boot.postgres.interruption import cut_when_silent

STATEMENT_TIMEOUT = 8.0
"""Seconds after which the server ends a statement itself.

A stop gives requests ten, and one that waits for a lock has to be over.
"""

_SILENCE = STATEMENT_TIMEOUT + 1
"""Seconds without an answer after which a connection counts as gone."""

_SILENCE_OF_PING = 3.0
"""As many for the pool's question whether a connection still is one."""


class _BoundedCursor(Cursor):
    def execute(self, query: Any, values: Any = None) -> None:
        # Nothing else is asked outside of a transaction.
        silence = _SILENCE_OF_PING if self.connection.autocommit else _SILENCE
        with cut_when_silent(self.connection, silence):
            super().execute(query, values)

    def executemany(self, query: Any, values: Any) -> None:
        with cut_when_silent(self.connection, _SILENCE):
            super().executemany(query, values)


class BoundedConnection(Connection):
    """Raises psycopg2.OperationalError, and is closed, where the server does not answer in time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cursor_factory = _BoundedCursor

    def commit(self) -> None:
        """Commit, as `connection.commit` does."""
        with cut_when_silent(self, _SILENCE):
            super().commit()

    def rollback(self) -> None:
        """Roll back, as `connection.rollback` does."""
        with cut_when_silent(self, _SILENCE):
            super().rollback()
