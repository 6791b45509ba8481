"""A pooler between us and the server: known by what it says of itself, named where it fails us."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from alembic_boot.errors import DatabaseUnreachableError, MigrationFailedError
from alembic_boot.postgres.connection import connect_and_ask
from alembic_boot.postgres.urls import DatabaseUrl

_ASKED_WITHIN = 5.0
"""Seconds."""


def is_pooled(url: DatabaseUrl) -> bool:
    """Whether somebody between us and the server answers, and the server behind does as well.

    A pooler tells its clients a process id of its own making.
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
    """Add what helps to a failure by which a connection was lost that went through a pooler.

    It may have too few connections for boot, which needs three at once, end what takes long, or
    lend them for less than a transaction. Where the server is gone, that is all there is to say.
    """
    try:
        yield
    except (DatabaseUnreachableError, MigrationFailedError) as error:
        if _has_lost_connection(error) and is_pooled(url):
            advice = (
                f"{error.advice} A pooler stands in between: where it ends connections, or has "
                "fewer than three for boot, set MIGRATION_DATABASE_URL to the server itself."
            )
            raise type(error)(error.what, advice) from error
        raise


def _has_lost_connection(error: BaseException) -> bool:
    """Whether the failure began with a connection that ended, for which there is no SQLSTATE."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, psycopg2.OperationalError | psycopg2.InterfaceError):
            return cause.pgcode is None
        if getattr(cause, "connection_invalidated", False):  # SQLAlchemy's word for any driver
            return True
        cause = cause.__cause__
    return False
