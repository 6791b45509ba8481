"""Of several starters that know nothing of the schema one looks; the others wait for what it finds.

To look takes Alembic, whose import takes longer than all else that they do, and they would do the
same. It is a courtesy and no lock: whoever has waited for a while looks himself.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection

from backend.boot.exclusive.lock import holder_of, introduce
from backend.boot.postgres.advisory import AdvisoryKey, begin, try_lock
from backend.boot.postgres.connection import connect, connected
from backend.boot.postgres.urls import DatabaseUrl
from backend.boot.signals import raise_if_stopped

_log = logging.getLogger(__name__)

Found = TypeVar("Found")

_PATIENCE = 5.0
"""Seconds that the others wait at most."""

_INTERVAL = 0.05

_REPEAT = 1.0
"""Seconds after which they say for whom."""


class Turn:
    """That of one starter to look, while others wait for what it finds.

    `name` is the same for all who would find the same; they wait `timeout` seconds at most.
    """

    def __init__(self, url: DatabaseUrl, name: str, timeout: float) -> None:
        self._url = url
        self._key = AdvisoryKey.named("look", name)
        self._patience = min(_PATIENCE, timeout)
        self._held: Connection | None = None

    def await_memory(self, recall: Callable[[Connection], Found | None]) -> Found | None:
        """Return what `recall` does, as soon as that is something; None to who is to look himself.

        Behind a pooler, which may have few connections, that is everybody. Raises BootError.
        """
        with connected(self._url) as connection:
            found = recall(connection)
            if found is not None:
                return found
            try:
                return self._await(connection, recall) if _is_direct(connection) else None
            except psycopg2.Error as error:
                _log.debug("Whether somebody else looks at the schema cannot be told: %s", error)
                return None

    def end(self) -> None:
        """Let the others go on with what was noted, if it was this one's turn."""
        if self._held is not None:
            self._held.close()

    def _await(
        self, connection: Connection, recall: Callable[[Connection], Found | None]
    ) -> Found | None:
        started = said_at = now = time.monotonic()
        while now - started < self._patience:
            if not _ask(connection, self._key.is_held_query):
                found = recall(connection)  # it may have been noted in between
                if found is not None or self._is_taken():
                    return found
            raise_if_stopped()
            if now - said_at >= _REPEAT:
                holder = holder_of(connection, self._key)
                _log.info("Waiting for another starter (%s)", holder)
                said_at = now
            threading.Event().wait(_INTERVAL)
            now = time.monotonic()
        return None

    def _is_taken(self) -> bool:
        """Take the turn, on a connection of its own, unless somebody else was quicker."""
        connection = connect(self._url)
        begin(connection)
        introduce(connection)
        if not try_lock(connection, self._key):
            connection.close()
            return False
        self._held = connection
        return True


def _is_direct(connection: Connection) -> bool:
    return bool(_ask(connection, "SELECT pg_backend_pid()") == connection.info.backend_pid)


def _ask(connection: Connection, query: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(query)
        [(answer,)] = cursor.fetchall()
    return answer
