"""An empty database to try a history on, gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from backend.boot.description import BootDescription
from backend.boot.environment.project import Project
from backend.boot.errors import BootError, ConfigurationError
from backend.boot.migration.leftovers import drop, in_use, new_name, remove_leftovers
from backend.boot.postgres.advisory import AdvisoryKey, begin, try_lock
from backend.boot.postgres.connection import FOR_DATABASES, connected
from backend.boot.postgres.identity import same_database_query
from backend.boot.postgres.urls import DatabaseUrl

_MARK = "boot_scratch"
"""The schema by which a given database is known to be a replay's, and may be emptied."""

_IN_USE = AdvisoryKey.named("scratch")
"""Held in a given database by who works in it."""

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
    remove_leftovers(real)
    name = new_name(real)
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
    with in_use(real, name):
        try:
            _execute(real, create)
            made = real.with_database(name)
            _refuse_unreachable(made)
            yield made
        finally:
            drop(real, name)


def _refuse_unreachable(made: DatabaseUrl) -> None:
    try:
        with connected(made):
            pass
    except BootError as error:
        raise ConfigurationError(
            f"A scratch database could be made and not be reached: {error.what}",
            "Where a pooler is in between that does not know it, set MIGRATION_DATABASE_URL to the "
            "server itself; or name an empty database in SCRATCH_DATABASE_URL.",
        ) from error


def refuse_other_database(scratch: DatabaseUrl, project: Project) -> None:
    """Raise ConfigurationError unless env.py connects to the scratch database.

    An env.py that ignores the URL it is given would replay the history on the real one.
    """
    with connected(scratch) as connection:
        is_same_database = same_database_query(connection)
    project.version_table(is_same_database)


@contextmanager
def _given(url: DatabaseUrl, real: DatabaseUrl) -> Iterator[DatabaseUrl]:
    with connected(url) as keeper, connected(url) as connection:
        with connected(real) as other:
            is_real = same_database_query(connection) == same_database_query(other)
        if is_real:
            raise ConfigurationError(
                "SCRATCH_DATABASE_URL names the real database.", "Name another one, an empty one."
            )
        begin(keeper)
        if not try_lock(keeper, _IN_USE):
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
