"""Scratch databases of replays and their roles, and the removal after a process was killed."""

import hashlib
import logging
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection

from alembic_boot.errors import BootError
from alembic_boot.polling import poll
from alembic_boot.postgres.advisory import AdvisoryKey, begin, end, share_lock, try_lock
from alembic_boot.postgres.connection import FOR_DATABASES, connected, one_line
from alembic_boot.postgres.timeouts import lift
from alembic_boot.postgres.urls import DatabaseUrl

_log = logging.getLogger(__name__)

_SHOWN = 38
"""Bytes of the real name. Together with the rest they are 63, PostgreSQL's limit for names."""

# A process may be killed before it has made the database of a role, and after it has dropped that.
_OURS = """
SELECT datname FROM pg_database
WHERE starts_with(datname, %(prefix)s) AND pg_has_role(datdba, 'USAGE')
UNION
SELECT rolname FROM pg_roles
WHERE starts_with(rolname, %(prefix)s) AND pg_has_role(oid, 'USAGE')
  AND (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user)
ORDER BY 1
"""


_CREATING = "SELECT FROM pg_stat_activity WHERE state = 'active' AND starts_with(query, %s)"

_CREATION = 60.0
"""Seconds that the server may take to create a database."""

_INTERVAL = 0.05
"""Seconds between two looks."""


def new_name(real: DatabaseUrl, *keys: str) -> str:
    """Return a name for a scratch database that contains the name of the real one.

    With `keys`, the name is the same in every process.
    """
    digest = hashlib.blake2b("\0".join(keys).encode(), digest_size=4).hexdigest()
    return f"{_prefix(real)}{digest if keys else secrets.token_hex(4)}"


@contextmanager
def in_use(real: DatabaseUrl, name: str, *, is_shared: bool = False) -> Iterator[bool]:
    """Lock a scratch database for this process; yield whether the lock was free.

    With `is_shared`, several processes have the lock; it is waited for.

    The lock belongs to a transaction in the real database. It exists from before the scratch
    database is created until it is dropped, and ends at once with this process.
    """
    with connected(real) as connection:
        begin(connection)
        key = AdvisoryKey.named("scratch", name)
        yield share_lock(connection, key) if is_shared else try_lock(connection, key)
        with suppress(psycopg2.Error):  # a lost session holds no lock
            end(connection)


def remove_leftovers(real: DatabaseUrl) -> None:
    """Drop the scratch databases of killed processes, with their roles; others stay.

    A database that cannot be dropped is logged, and left to the next start.
    """
    with connected(real) as connection, connection.cursor() as cursor:
        cursor.execute(_OURS, {"prefix": _prefix(real)})
        pattern = re.compile(re.escape(_prefix(real)) + "[0-9a-f]{8}")
        names = [name for (name,) in cursor.fetchall() if pattern.fullmatch(name)]
    for name in names:
        with in_use(real, name) as is_dead:
            if is_dead and drop(real, name):
                _log.warning("Removed %s, left behind by a starter that died", name)


def drop(real: DatabaseUrl, name: str) -> bool:
    """Drop a scratch database with its sessions and its role.

    Return whether they are gone, and log if they are not.
    """
    statement = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
    try:
        with connected(real, silence=FOR_DATABASES) as connection:
            lift(connection)
            _await_creation(connection, name)
            try:
                connection.cursor().execute(statement + sql.SQL(" WITH (FORCE)"))
            except errors.InsufficientPrivilege:
                # An autovacuum worker runs as a superuser. Only without FORCE does PostgreSQL end
                # it for any owner, and wait five seconds for that.
                connection.cursor().execute(statement)
            drop_role(connection, name)
    except (BootError, psycopg2.Error) as error:
        cause = error.what.rstrip(".") if isinstance(error, BootError) else one_line(error)
        _log.warning("The scratch database %s could not be removed: %s", name, cause)
        return False
    return True


def _await_creation(connection: Connection, name: str) -> None:
    """Wait while the server creates the database: it goes on with that if its client is stopped."""
    creating = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)).as_string(connection)

    def is_over() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(_CREATING, (creating,))
            return cursor.fetchone() is None

    poll(is_over, _CREATION, _INTERVAL, is_closing=True)


def drop_role(connection: Connection, name: str) -> None:
    """Drop the role that a scratch database was made for, if there is one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,))
        if cursor.fetchone() is not None:
            cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def _prefix(real: DatabaseUrl) -> str:
    """Return the prefix of scratch names. Databases with similar names must not share it."""
    shown = real.database.encode()[:_SHOWN].decode(errors="ignore")
    digest = hashlib.blake2b(real.database.encode(), digest_size=4).hexdigest()
    return f"{shown}_scratch_{digest}"
