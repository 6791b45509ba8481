"""What a dead starter left running must be over before another one goes on.

The lock is free the moment its session dies, while the session that ran the migration may still
be at work: a server does not notice at once that its client is gone, and a process that was
stopped may be continued.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2 import errors
from psycopg2.extensions import connection as Connection

from backend.boot.errors import LockTimeoutError
from backend.boot.exclusive.lock import SchemaLock, schema_lock
from backend.boot.postgres.connection import connected
from backend.boot.postgres.urls import DatabaseUrl
from backend.boot.signals import raise_if_stopped
from backend.boot.state.journal import Journal, Running, Starter

_log = logging.getLogger(__name__)

_GRACE = 2.0
"""Seconds a session gets to end by itself: the server looks every second for its client."""

_INTERVAL = 0.1

# A process id is used again, so the start of the session tells it from a later one. It may be
# hidden from this role: then the process id alone has to do.
_ALIVE = """
SELECT a.pid FROM pg_stat_activity a JOIN {journal} j ON j.backend_pid = a.pid
WHERE j.id = %s AND a.datname = current_database()
  AND coalesce(a.backend_start = j.backend_start, true)
"""


@contextmanager
def exclusively(url: DatabaseUrl, journal: Journal, timeout: float) -> Iterator[SchemaLock]:
    """Hold the schema's lock, with nothing left at work of a starter that lost it.

    `timeout` is in seconds, for each of the two. Raises LockTimeoutError.
    """
    with schema_lock(url, journal, timeout) as lock:
        with connected(url) as connection:
            end_abandoned(connection, journal, timeout)
        yield lock


def end_abandoned(connection: Connection, journal: Journal, timeout: float) -> None:
    """Return when no session of a starter before us can change anything any more.

    Called by the holder of the lock, so whoever is still marked as running has lost it. Such a
    session gets a moment, and is then ended. Raises LockTimeoutError where that is not allowed
    and `timeout` seconds are over.
    """
    for left in journal.running(connection):
        _log.warning("A starter died at its work (%s): making sure that it is over", left)
        _await_end(connection, journal, left, timeout)
        journal.fail(connection, left.id, f"Its starter died; {Starter.here()} went on.")


def _await_end(connection: Connection, journal: Journal, left: Running, timeout: float) -> None:
    started = time.monotonic()
    was_ended = False
    while _is_alive(connection, journal, left):
        raise_if_stopped()
        waited = time.monotonic() - started
        if waited >= _GRACE and not was_ended:
            was_ended = _terminate(connection, left)
        if waited >= max(timeout, 2 * _GRACE):
            raise LockTimeoutError(
                f"A session of a starter that died (backend {left.backend_pid}, at "
                f"{left.revision}) is still running, and this role may not end it.",
                f"End it with pg_terminate_backend({left.backend_pid}) as the superuser. "
                "Nothing was changed.",
            )
        threading.Event().wait(_INTERVAL)


def _is_alive(connection: Connection, journal: Journal, left: Running) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_ALIVE.format(journal=journal.table), (left.id,))
        return cursor.fetchone() is not None


def _terminate(connection: Connection, left: Running) -> bool:
    """End the session; return whether that was allowed."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", (left.backend_pid,))
    except errors.InsufficientPrivilege:
        return False
    _log.warning("Ended the session that it left behind (backend %s)", left.backend_pid)
    return True
