"""The connection by which readiness asks: kept, so that a question needs no login."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import connection as Connection

from backend.boot.postgres.connection import ConnectTimeoutError, answer_to, connect, one_line
from backend.boot.postgres.urls import DatabaseUrl

# A silent server is given up in less than the three seconds that probes wait.
_CONNECT_TIMEOUT = 1.5
"""Seconds that a login may take."""

_SILENCE = 0.75
"""Seconds that a server has to answer a statement which does not keep to its own timeout."""

_REASON_TIMEOUT = 0.75
"""Seconds to find out why a login failed."""


class LoginFailedError(psycopg2.OperationalError):
    """No login succeeded. `sqlstate` is the server's code; None if no server answered."""

    def __init__(self, cause: str, sqlstate: str | None) -> None:
        super().__init__(cause)
        self.sqlstate = sqlstate


class KeptConnection:
    """One connection in autocommit, which is opened when it is needed and replaced when it broke.

    Not thread-safe: one question at a time.
    """

    def __init__(self, url: DatabaseUrl) -> None:
        self._url = url
        self._connection: Connection | None = None

    @contextmanager
    def lent(self) -> Iterator[Connection]:
        """Give the connection; close it if the block fails. Raises LoginFailedError."""
        connection = self._answering() or self._logged_in()
        self._connection = connection
        try:
            yield connection
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection: the next question logs in anew."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _answering(self) -> Connection | None:
        """Return the kept connection if the server still answers on it."""
        if self._connection is None:
            return None
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT")
        except psycopg2.Error:  # the server has ended or lost it; a login tells more
            self.close()
        return self._connection

    def _logged_in(self) -> Connection:
        try:
            return connect(self._url, _CONNECT_TIMEOUT, _SILENCE)
        except ConnectTimeoutError as error:
            raise LoginFailedError(one_line(error), None) from error
        except psycopg2.OperationalError as error:
            # psycopg2 tells no code of a failed login.
            answer = answer_to(self._url, _REASON_TIMEOUT)
            raise LoginFailedError(one_line(error), answer.code) from error
