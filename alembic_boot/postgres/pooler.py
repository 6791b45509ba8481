"""A pooler before the server: recognised by its answers, and named if it causes a failure."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from alembic_boot.errors import DatabaseUnreachableError, MigrationFailedError
from alembic_boot.postgres.connection import connect_and_ask
from alembic_boot.postgres.urls import DatabaseUrl

_ASKED_WITHIN = 5.0
"""Seconds."""


def is_pooled(url: DatabaseUrl) -> bool:
    """Return whether a pooler answers, and the server behind it does as well.

    A pooler gives its clients an invented process id.
    """
    try:
        connection, rows = connect_and_ask(url, "SELECT pg_backend_pid()", _ASKED_WITHIN)
    except psycopg2.Error:
        return False
    told = connection.info.backend_pid
    connection.close()
    return rows != [(told,)]


@contextmanager
def naming_pooler(url: DatabaseUrl) -> Iterator[None]:
    """Add advice to a failure in which a connection through a pooler was lost.

    The pooler may have too few connections for boot, which needs three at once. It may end long
    statements, or lend connections for less than a transaction. If the server is gone, there is
    nothing to add.
    """
    try:
        yield
    except (DatabaseUnreachableError, MigrationFailedError) as error:
        if _has_lost_connection(error) and is_pooled(url):
            advice = (
                f"{error.advice} A pooler stands in between: if it ends connections, or has "
                "fewer than three for boot, set MIGRATION_DATABASE_URL to the server itself."
            )
            raise type(error)(error.what, advice) from error
        raise


def _has_lost_connection(error: BaseException) -> bool:
    """Return whether the failure began with a lost connection, which has no SQLSTATE."""
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return error.pgcode is None
    if getattr(error, "connection_invalidated", False):  # SQLAlchemy's word for any driver
        return True
    return error.__cause__ is not None and _has_lost_connection(error.__cause__)
