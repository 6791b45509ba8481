"""An empty database to try a history on, gone afterwards."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from alembic.runtime.migration import MigrationContext
from psycopg2 import sql

from backend.boot.description import BootDescription
from backend.boot.errors import BootError, ConfigurationError
from backend.boot.migration.facts import VersionTable, read_facts
from backend.boot.postgres.connection import connected
from backend.boot.postgres.urls import DatabaseUrl


@contextmanager
def scratch_database(boot: BootDescription) -> Iterator[DatabaseUrl]:
    """Give the URL of an empty database: SCRATCH_DATABASE_URL, or one beside the real one.

    Raises ConfigurationError where neither can be had.
    """
    if boot.scratch_database_url is not None:
        with _given(boot.scratch_database_url) as url:
            yield url
        return
    real = boot.migration_database_url
    # 63 bytes is the longest name PostgreSQL keeps whole.
    name = f"{real.database[:40]}_scratch_{secrets.token_hex(6)}"
    _execute(real, sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    try:
        yield real.with_database(name)
    finally:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        _execute(real, drop)


def refuse_other_database(scratch: DatabaseUrl, context: MigrationContext) -> None:
    """Raise ConfigurationError unless env.py connected to the scratch database.

    An env.py that ignores the URL it is given would replay the history on the real one.
    """
    if context.connection is None:
        return
    info = getattr(context.connection.connection.driver_connection, "info", None)
    found = getattr(info, "dbname", None) or context.connection.engine.url.database
    if found != scratch.database:
        raise ConfigurationError(
            f"Alembic's env.py connects to {found!r}, not to the scratch database it was given.",
            "Let it take sqlalchemy.url from the Alembic configuration. Nothing was changed.",
        )


@contextmanager
def _given(url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    with connected(url) as connection:
        tables = read_facts(connection, VersionTable()).tables
    if tables:
        raise ConfigurationError(
            f"SCRATCH_DATABASE_URL names a database with tables ({', '.join(tables[:5])}).",
            "Name an empty one: everything in it is dropped afterwards.",
        )
    try:
        yield url
    finally:
        with connected(url) as connection:
            connection.cursor().execute("DROP OWNED BY CURRENT_USER CASCADE")


def _execute(real: DatabaseUrl, statement: sql.Composable) -> None:
    try:
        with connected(real) as connection:
            connection.cursor().execute(statement)
    except (BootError, psycopg2.Error) as error:
        raise ConfigurationError(
            f"No scratch database could be made beside {real.masked}: {error}.",
            "Give the role CREATEDB, or name an empty database in SCRATCH_DATABASE_URL.",
        ) from error
