"""The session that runs the migrations: how other sessions find it and terminate it."""

from dataclasses import dataclass

from psycopg2 import errors
from psycopg2.extensions import connection as Connection

from alembic_boot.postgres.advisory import AdvisoryKey


@dataclass(frozen=True)
class Worker:
    """A server process as it was when the work began, and a key that no other session has."""

    backend_pid: int
    backend_start: str | None
    """When the process began, as SQL writes it; hidden from a session that became another role."""
    key: AdvisoryKey


def sessions_at_work(connection: Connection, key: AdvisoryKey, *, idle: bool = True) -> list[int]:
    """Return the server processes that work with this key.

    With `idle` also those that only could: a connection of the worker's own holds the key as long
    as it lives.
    """
    query = _sessions(key) + ("" if idle else " AND state IS DISTINCT FROM 'idle'")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pid {query}")
        return [pid for (pid,) in cursor.fetchall()]


def end_sessions(connection: Connection, key: AdvisoryKey) -> list[int]:
    """End the sessions that work with this key, and return their processes; none without the right.

    One statement looks and ends: in between, a pooler could lend the process to another client.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT pid, pg_terminate_backend(pid) {_sessions(key)}")
            return [pid for pid, was_ended in cursor.fetchall() if was_ended]
    except errors.InsufficientPrivilege:
        return []


def _sessions(key: AdvisoryKey) -> str:
    return f"FROM pg_stat_activity WHERE pid IN ({key.holder_query})"
