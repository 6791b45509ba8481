"""An empty database for replays, removed afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.errors import InsufficientPrivilege

from alembic_boot.adoption.creation import create_like
from alembic_boot.adoption.given_scratch import MARK, given
from alembic_boot.adoption.leftover_databases import drop, in_use, new_name, remove_leftovers
from alembic_boot.adoption.temporary_role import hand_over
from alembic_boot.commands import setting
from alembic_boot.description import BootDescription
from alembic_boot.errors import (
    BootError,
    ConfigurationError,
    DatabaseUnreachableError,
    LoginRefusedError,
)
from alembic_boot.postgres.connection import connected, one_line
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.state.schema import Schema
from alembic_boot.state.unrecordable import Unrecordable


@contextmanager
def scratch_database(boot: BootDescription, *, with_role: bool = False) -> Iterator[DatabaseUrl]:
    """Yield the URL of an empty database: the given one, or one beside the real one.

    With `with_role` the latter belongs to a temporary role, and the URL logs in as that role, if
    there can be one. Raises ConfigurationError if both databases are impossible, and
    LockTimeoutError if another process works in the given one for too long.
    """
    real = boot.migration_database_url
    remove_leftovers(real)
    if boot.scratch_database_url is not None:
        with given(boot.scratch_database_url, real, boot.schema.lock_timeout) as url:
            yield url
        return
    name = new_name(real)
    with in_use(real, name):
        try:
            url = _make(real, name)
            yield hand_over(real, url) if with_role else url
        finally:
            drop(real, name)


def _make(real: DatabaseUrl, name: str) -> DatabaseUrl:
    """Create a database beside the real one, and log in: a server or a pooler may refuse that."""
    try:
        url = create_like(real, name)
    except (LoginRefusedError, DatabaseUnreachableError, psycopg2.Error) as error:
        raised = error.__cause__ if isinstance(error.__cause__, InsufficientPrivilege) else error
        cause = raised.what.rstrip(".") if isinstance(raised, BootError) else one_line(raised)
        raise ConfigurationError(
            f"No scratch database could be made beside {real.masked}: {cause}.",
            f"Give the role CREATEDB, or {_instead()}",
        ) from error
    try:
        with connected(url):
            return url
    except BootError as error:
        raise ConfigurationError(
            f"A scratch database was made, but it cannot be reached. {error.what}",
            "Let the role in there; if a pooler stands in between that knows no other "
            "databases, set MIGRATION_DATABASE_URL to the server itself; or " + _instead(),
        ) from error


def make_room(schema: Schema) -> Unrecordable | None:
    """Let a scratch database record any revision; return those it had no room for."""
    history = schema.project.history
    found = schema.unrecordable(history.in_order(history.revisions))
    if found is None or not found.widening:
        return None
    with connected(schema.url) as connection:
        connection.cursor().execute(found.widening)
    return found


def _instead() -> str:
    return f"name a database that has the schema {MARK} in {setting('SCRATCH_DATABASE_URL')}."
