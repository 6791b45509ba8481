"""A psycopg2 connection that waits for an answer only for a limited time.

The server's statement_timeout does not help if the server process is stopped or its disk hangs. TCP
timeouts do not help if a peer, such as a proxy, still acknowledges.
"""

from typing import Any

from psycopg2.extensions import connection as Connection, cursor as Cursor

from alembic_boot.postgres.interruption import cut_when_silent

STATEMENT_TIMEOUT = 8.0
"""Seconds after which the server itself ends a statement.

A shutdown gives requests ten seconds, and a request that waits for a lock must end before.
"""

_SILENCE = STATEMENT_TIMEOUT + 1
"""Seconds without an answer after which a connection counts as lost."""

_SILENCE_OF_PING = 3.0
"""Seconds without an answer to the pool's ping."""


class _BoundedCursor(Cursor):
    def execute(self, query: Any, values: Any = None) -> None:
        # Only the ping runs outside of a transaction.
        silence = _SILENCE_OF_PING if self.connection.autocommit else _SILENCE
        with cut_when_silent(self.connection, silence):
            super().execute(query, values)

    def executemany(self, query: Any, values: Any) -> None:
        with cut_when_silent(self.connection, _SILENCE):
            super().executemany(query, values)


class BoundedConnection(Connection):
    """Raises psycopg2.OperationalError and closes itself if the server does not answer in time."""

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
