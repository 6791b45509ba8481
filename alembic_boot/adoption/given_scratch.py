"""A scratch database that the operator gives: lock it for one replay, and empty it.

The schema `boot_scratch` is the operator's word that everything else in that database may be
dropped at any time.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2
from psycopg2.extensions import connection as Connection

from alembic_boot.adoption.creation import settings
from alembic_boot.adoption.other_queries import OTHERS
from alembic_boot.commands import setting
from alembic_boot.errors import (
    ConfigurationError,
    DatabaseMissingError,
    DatabaseUnreachableError,
    LockTimeoutError,
    LoginRefusedError,
    some,
)
from alembic_boot.polling import poll
from alembic_boot.postgres.advisory import AdvisoryKey, begin, end, share_lock, try_lock
from alembic_boot.postgres.answer import Refusal
from alembic_boot.postgres.connection import connect, connected
from alembic_boot.postgres.failed_login import understand
from alembic_boot.postgres.identity import same_database_query
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.state.access import asking

_log = logging.getLogger(__name__)

MARK = "boot_scratch"
"""The schema that the operator makes."""

_AT_WORK = AdvisoryKey.named("scratch")
"""The lock of a process that works in the database."""

_ALIVE = AdvisoryKey.named("scratch", "alive")
"""The lock that each living process shares, while it works there or waits for that."""

_INTERVAL = 0.1

# The sessions of a killed process: they work in the database, and belong to no living process.
END_WORK = f"""
SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
WHERE datname = current_database() AND usename = session_user AND state <> 'idle'
  AND pid <> pg_backend_pid() AND pid NOT IN ({_ALIVE.holder_query})
"""  # noqa: S608 (the query of a lock)

# All kinds of user objects, each with PostgreSQL's name for its kind and the identity that DROP
# accepts. They can be dropped in this order. A table's identity sequences are dropped with the
# table, and a range type's constructors with the type. An extension of another role stays.
_OBJECTS = f"""
WITH people AS (
    SELECT oid FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'),
found (classid, objid) AS (
    SELECT 'pg_class'::regclass, oid FROM pg_class
    WHERE relnamespace IN (SELECT oid FROM people) AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE typnamespace IN (SELECT oid FROM people)
      AND (typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
    UNION ALL
    SELECT 'pg_proc'::regclass, oid FROM pg_proc
    WHERE pronamespace IN (SELECT oid FROM people)
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid FROM pg_namespace
    WHERE oid IN (SELECT oid FROM people) AND nspname NOT IN ('public', '{MARK}')
    UNION ALL
    SELECT * FROM ({OTHERS}) others
    WHERE classid <> 'pg_extension'::regclass
       OR objid IN (SELECT oid FROM pg_extension WHERE pg_has_role(extowner, 'USAGE')))
SELECT CASE object.type WHEN 'foreign-data wrapper' THEN 'foreign data wrapper'
                        WHEN 'statistics object' THEN 'statistics' ELSE object.type END
       || ' ' || object.identity
FROM found, LATERAL pg_identify_object(classid, objid, 0) AS object
WHERE NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = found.classid AND d.objid = found.objid AND d.deptype = 'e')
ORDER BY array_position(ARRAY['table', 'type'], object.type), object.type, object.identity
"""  # noqa: S608 (the query of the others)


@contextmanager
def given(url: DatabaseUrl, real: DatabaseUrl, timeout: float) -> Iterator[DatabaseUrl]:
    """Yield the database, empty and locked for this process; empty it again at the end.

    Raises ConfigurationError if it lacks the mark, or is the real database. Raises LockTimeoutError
    if another process works there for more than `timeout` seconds.
    """
    _refuse_login(url)
    with connected(url) as keeper:
        begin(keeper)  # it keeps the locks: a pooler lends a session only for that long
        share_lock(keeper, _ALIVE)
        with connected(real) as other:
            if same_database_query(keeper) == same_database_query(other):
                raise ConfigurationError(
                    f"{url.setting} names the real database.",
                    "Name another one, an empty one.",
                )
            _refuse_unmarked(keeper, url)
            _warn_of_settings(keeper, other)
        _take(keeper, timeout)
        if dropped := _empty(url):
            _log.warning("Emptied the database of %s: it had %s", url.setting, some(dropped))
        try:
            yield url
        finally:
            _empty(url)
            with suppress(psycopg2.Error):  # a lost session holds no lock
                end(keeper)


def objects(connection: Connection) -> list[str]:
    """Return all user objects of a database but the mark, as DROP names them, in its order."""
    with connection.cursor() as cursor:
        cursor.execute(_OBJECTS)
        return [name for (name,) in cursor.fetchall()]


def _empty(url: DatabaseUrl) -> list[str]:
    """Drop all user objects of a database but the mark, and return their names."""
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute(END_WORK)
        found = left = objects(connection)
        while left:
            cursor.execute(f"DROP {left[0]} CASCADE")
            left = objects(connection)
    return found


def _refuse_unmarked(connection: Connection, url: DatabaseUrl) -> None:
    if not asking(connection)(f"SELECT true FROM pg_namespace WHERE nspname = '{MARK}'"):  # noqa: S608
        raise ConfigurationError(
            f"{url.setting} names {url.masked}, which no schema marks as a scratch.",
            f"If all its content may be dropped, run `CREATE SCHEMA {MARK}` there. Nothing was "
            "changed.",
        )


def _refuse_login(url: DatabaseUrl) -> None:
    """Raise the error for a given database that cannot be reached, with the setting's name."""
    try:
        connect(url).close()
    except psycopg2.OperationalError as error:
        failed = understand(url, error, timeout=10)
        match failed.refusal:
            case Refusal.NOT_YET:
                raise DatabaseUnreachableError(
                    f"PostgreSQL at {url.masked} does not answer: {failed.cause}.",
                    f"Check that it runs, or fix {url.setting}.",
                ) from error
            case Refusal.DATABASE_MISSING:
                raise DatabaseMissingError(
                    f"Database {url.database!r} does not exist at {url.masked}.",
                    f"Create it, or fix {url.setting}.",
                ) from error
        raise LoginRefusedError(
            f"PostgreSQL refused the login at {url.masked}: {failed.cause}.",
            f"Correct the role, the password or the TLS settings in {url.setting}.",
        ) from error


def _warn_of_settings(scratch: Connection, real: Connection) -> None:
    """Warn of settings that only the real database has: a history may depend on them."""
    there = settings(scratch)
    differing = [name for name, value in settings(real).items() if there.get(name) != value]
    if differing:
        _log.warning(
            "The database of %s lacks settings of the real one (%s): "
            "a history may run differently there. Give it the same by ALTER DATABASE … SET.",
            setting("SCRATCH_DATABASE_URL"),
            ", ".join(differing),
        )


def _take(keeper: Connection, timeout: float) -> None:
    """Lock the database for this process; wait for the lock at most `timeout` seconds."""
    if try_lock(keeper, _AT_WORK):
        return
    name = setting("SCRATCH_DATABASE_URL")
    _log.info("Waiting for another starter that works in the database of %s", name)
    if not poll(lambda: try_lock(keeper, _AT_WORK), timeout, _INTERVAL):
        raise LockTimeoutError(
            f"Another starter has kept the database that {name} names for more than {timeout:g} s.",
            "Give each its own, or start again. Nothing was changed.",
        )
