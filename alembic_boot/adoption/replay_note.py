"""Note a replay's objects in a given scratch database, for the case that its process is killed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from sqlalchemy import Engine, event

from alembic_boot.adoption.contents import MARK, objects
from alembic_boot.errors import BootError
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.urls import DatabaseUrl

_READ = "SELECT obj_description(to_regnamespace(%s), 'pg_namespace')"

_STARTED = """
SELECT backend_start::text FROM pg_stat_activity
WHERE pid = %s AND datname = current_database() AND usename = current_user
"""

_END_WORK = """
SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
WHERE datname = current_database() AND pid = %s AND backend_start = %s::timestamptz
"""


@dataclass(frozen=True)
class Note:
    """The objects that a replay has made so far, and its sessions."""

    made: frozenset[str] = frozenset()
    """Addresses."""
    backends: tuple[tuple[int, str], ...] = ()
    """Processes of the server, each with its start time."""


@contextmanager
def noting(url: DatabaseUrl) -> Iterator[None]:
    """Mark an empty database; before each transaction of the block note its present objects.

    So objects that others create after the process has died are never noted. The last commit of the
    process, and changes outside of transactions, may not be noted either.
    """
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(MARK)))
    noted = Note()

    def look(pid: int | None) -> None:
        nonlocal noted
        with connected(url) as connection:
            note = _look(connection, noted, pid)
            if note != noted:
                _write(connection, note)
                noted = note

    def begun(by: Any) -> None:
        look(_process(by.connection.driver_connection))

    event.listen(Engine, "begin", begun)
    try:
        yield
    finally:
        event.remove(Engine, "begin", begun)
        with suppress(BootError, psycopg2.Error):
            look(None)


def read_note(connection: Connection) -> Note:
    """Return the note of a dead process; an empty one if it cannot be read."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, (MARK,))
        [(text,)] = cursor.fetchall()
    try:
        made, backends = json.loads(text or "")
        return Note(frozenset(made), tuple((int(pid), str(start)) for pid, start in backends))
    except (ValueError, TypeError):
        return Note()


def end_work(connection: Connection, note: Note) -> None:
    """End the sessions that a dead process has left; sessions of others continue."""
    with connection.cursor() as cursor:
        for backend in note.backends:
            cursor.execute(_END_WORK, backend)


def _look(connection: Connection, noted: Note, pid: int | None) -> Note:
    made = frozenset(it.address for it in objects(connection))
    backends = dict(noted.backends)
    if pid is not None and pid not in backends:
        with connection.cursor() as cursor:
            cursor.execute(_STARTED, (pid,))
            backends.update((pid, start) for (start,) in cursor.fetchall())
    return Note(made, tuple(backends.items()))


def _write(connection: Connection, note: Note) -> None:
    text = json.dumps([sorted(note.made), note.backends])
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(MARK), sql.Literal(text))
        )


def _process(driver: Any) -> int | None:
    """Return the server's process behind a driver's connection, if the driver tells it."""
    if hasattr(driver, "get_server_pid"):  # asyncpg's
        return int(driver.get_server_pid())
    pid: int | None = getattr(getattr(driver, "info", None), "backend_pid", None)
    return pid
