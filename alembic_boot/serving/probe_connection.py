"""The connection of the readiness probe: kept open, so that a query needs no login."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import connection as Connection

from alembic_boot.postgres.connection import ConnectTimeoutError, answer_to, connect, one_line
from alembic_boot.postgres.urls import DatabaseUrl

# Together shorter than the three seconds that probes wait.
_CONNECT_TIMEOUT = 1.5
"""Seconds that a login may take."""

_SILENCE = 0.75
"""Seconds to wait for a server that ignores its own statement timeout."""

_REASON_TIMEOUT = 0.75
"""Seconds to find out why a login failed."""

_MOST_AGE = 120.0
"""Seconds after which the connection is replaced."""


class LoginFailedError(psycopg2.OperationalError):
    """No login succeeded. `sqlstate` is the server's code; None if no server answered."""

    def __init__(self, cause: str, sqlstate: str | None) -> None:
        super().__init__(cause)
        self.sqlstate = sqlstate


class KeptConnection:
    """One connection in autocommit, opened when needed and replaced when broken.

    It is also replaced every two minutes. So readiness learns within that time what only a login
    shows: NOLOGIN, another password, another server under the same name. Not thread-safe: one query
    at a time.
    """

    def __init__(
        self,
        url: DatabaseUrl,
        clock: Callable[[], float] = time.monotonic,
        name: str = "readiness",
    ) -> None:
        self._url = url
        self._name = name
        self._clock = clock
        self._connection: Connection | None = None
        self._opened_at = 0.0

    @contextmanager
    def lent(self) -> Iterator[Connection]:
        """Yield the connection; close it if the block fails. Raises LoginFailedError."""
        connection = self._answering() or self._logged_in()
        self._connection = connection
        try:
            yield connection
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection: the next query logs in again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _answering(self) -> Connection | None:
        """Return the kept connection if the server still answers on it."""
        if self._connection is not None and self._clock() - self._opened_at >= _MOST_AGE:
            self.close()
        if self._connection is None:
            return None
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT")
        except psycopg2.Error:  # the server has ended or lost it; a login tells more
            self.close()
        return self._connection

    def _logged_in(self) -> Connection:
        self._opened_at = self._clock()
        try:
            return connect(self._url, _CONNECT_TIMEOUT, _SILENCE, self._name)
        except ConnectTimeoutError as error:
            raise LoginFailedError(one_line(error), None) from error
        except psycopg2.OperationalError as error:
            # psycopg2 has no code for a failed login.
            answer = answer_to(self._url, _REASON_TIMEOUT)
            raise LoginFailedError(one_line(error), answer.code) from error
