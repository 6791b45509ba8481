"""An empty database to try a history on, gone afterwards.

One that a killed process has left is removed by the next that needs one. Whether somebody is still
at work in it tells a connection that stays open meanwhile: DROP DATABASE refuses then by itself.
"""

import logging
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from backend.boot.description import BootDescription
from backend.boot.environment.project import Project
from backend.boot.errors import BootError, ConfigurationError
from backend.boot.postgres.advisory import AdvisoryKey, begin, try_lock
from backend.boot.postgres.connection import FOR_DATABASES, connected
from backend.boot.postgres.identity import same_database_query
from backend.boot.postgres.urls import DatabaseUrl

_log = logging.getLogger(__name__)

_MARK = "boot_scratch"
"""The schema by which a given database is known to be a replay's, and may be emptied."""

_IN_USE = AdvisoryKey.named("scratch")

_YOUNG = 60
"""Seconds within which whoever makes a scratch database has connected to it."""

# Whatever people can have in a database, by PostgreSQL's own name for the kind and with the
# identity that DROP takes; in an order in which they can be dropped: a table takes its identity
# sequences along, a range type its constructors.
_OBJECTS = """
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
    WHERE oid IN (SELECT oid FROM people) AND nspname <> 'public'
    UNION ALL
    SELECT 'pg_extension'::regclass, oid FROM pg_extension WHERE extname <> 'plpgsql')
SELECT object.type, object.identity
FROM found, LATERAL pg_identify_object(classid, objid, 0) AS object
WHERE NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = found.classid AND d.objid = found.objid AND d.deptype = 'e')
ORDER BY array_position(ARRAY['table', 'type'], object.type), object.type, object.identity
"""


@contextmanager
def scratch_database(boot: BootDescription) -> Iterator[DatabaseUrl]:
    """Give the URL of an empty database: SCRATCH_DATABASE_URL, or one beside the real one.

    Raises ConfigurationError where neither can be had.
    """
    if boot.scratch_database_url is not None:
        with _given(boot.scratch_database_url, boot.migration_database_url) as url:
            yield url
        return
    real = boot.migration_database_url
    _drop_abandoned(real)
    # The time tells one that nobody has connected to yet from one that nobody will connect to.
    name = f"{_prefix(real)}{int(time.time()):x}_{secrets.token_hex(3)}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    try:
        _execute(real, create)
        url = real.with_database(name)
        with ExitStack() as stack:
            _reach(url, stack)
            yield url
    finally:
        _execute(real, drop)


def _reach(url: DatabaseUrl, stack: ExitStack) -> None:
    """Keep a connection to the new database, on which others see that it is in use."""
    try:
        stack.enter_context(connected(url))
    except BootError as error:
        raise ConfigurationError(
            f"A scratch database was made, but it cannot be reached. {error.what}",
            "A pooler that knows no other databases leads to none: set MIGRATION_DATABASE_URL to "
            "the server itself, or name an empty database in SCRATCH_DATABASE_URL.",
        ) from error


def _prefix(real: DatabaseUrl) -> str:
    # 63 bytes is the longest name PostgreSQL keeps whole.
    return f"{real.database.encode()[:38].decode(errors='ignore')}_scratch_"


def _drop_abandoned(real: DatabaseUrl) -> None:
    """Drop the scratch databases that killed processes have left beside this one."""
    pattern = re.compile(rf"{re.escape(_prefix(real))}([0-9a-f]+)_[0-9a-f]{{6}}")
    with connected(real, silence=FOR_DATABASES) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        for (name,) in cursor.fetchall():
            found = pattern.fullmatch(name)
            if found is None or int(found[1], 16) > time.time() - _YOUNG:
                continue
            try:
                cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
                _log.info("Dropped %s, which a killed process has left", name)
            except psycopg2.Error as error:
                # In use, gone already, or another role's.
                _log.debug("%s was not dropped: %s", name, error)


def refuse_other_database(scratch: DatabaseUrl, project: Project) -> None:
    """Raise ConfigurationError unless env.py connects to the scratch database.

    An env.py that ignores the URL it is given would replay the history on the real one.
    """
    with connected(scratch) as connection:
        is_same_database = same_database_query(connection)
    project.version_table(is_same_database)


@contextmanager
def _given(url: DatabaseUrl, real: DatabaseUrl) -> Iterator[DatabaseUrl]:
    with connected(url) as lock, connected(url) as connection:
        with connected(real) as other:
            is_real = same_database_query(connection) == same_database_query(other)
        if is_real:
            raise ConfigurationError(
                "SCRATCH_DATABASE_URL names the real database.", "Name another one, an empty one."
            )
        # In a transaction: behind a pooler, a session that holds a lock is lent to others with it.
        begin(lock)
        if not try_lock(lock, _IN_USE):
            raise ConfigurationError(
                "SCRATCH_DATABASE_URL names a database in which another replay is running.",
                "Wait for it, or name one for each. Nothing was changed.",
            )
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT to_regnamespace('{_MARK}') IS NOT NULL")
            if cursor.fetchone() == (True,):
                _clear(connection)  # whoever had marked it as his was killed
            if found := _objects(connection):
                some = ", ".join(" ".join(each) for each in found[:5])
                raise ConfigurationError(
                    f"SCRATCH_DATABASE_URL names a database that is not empty ({some}).",
                    "Name an empty one. Nothing was changed.",
                )
            cursor.execute(f"CREATE SCHEMA {_MARK}")
        try:
            yield url
        finally:
            # It was empty, so all that is there now was made by the replay.
            with connected(url) as cleaner:
                _clear(cleaner)


def _clear(connection: Connection) -> None:
    """Drop all that is in a database; the mark that says it is ours goes last."""
    with connection.cursor() as cursor:
        while left := [it for it in _objects(connection) if it != ("schema", _MARK)]:
            kind, identity = left[0]
            cursor.execute(f"DROP {kind} IF EXISTS {identity} CASCADE")
        cursor.execute(f"DROP SCHEMA IF EXISTS {_MARK}")


def _objects(connection: Connection) -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_OBJECTS)
        return cursor.fetchall()


def _execute(real: DatabaseUrl, statement: sql.Composable) -> None:
    try:
        with connected(real, silence=FOR_DATABASES) as connection:
            connection.cursor().execute(statement)
    except (BootError, psycopg2.Error) as error:
        raise ConfigurationError(
            f"No scratch database could be made beside {real.masked}: {error}.",
            "Give the role CREATEDB, or name an empty database in SCRATCH_DATABASE_URL.",
        ) from error
