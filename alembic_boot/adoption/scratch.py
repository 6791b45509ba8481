"""An empty database for replays, removed afterwards."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2
from psycopg2.extensions import connection as Connection

from alembic_boot.adoption import contents
from alembic_boot.adoption.creation import create_like, settings
from alembic_boot.adoption.leftover_databases import drop, in_use, new_name, remove_leftovers
from alembic_boot.adoption.replay_note import Note, end_work, noting, read_note
from alembic_boot.description import BootDescription
from alembic_boot.errors import (
    BootError,
    ConfigurationError,
    DatabaseMissingError,
    DatabaseUnreachableError,
    LockTimeoutError,
    LoginRefusedError,
)
from alembic_boot.polling import poll
from alembic_boot.postgres.advisory import AdvisoryKey, begin, end, try_lock
from alembic_boot.postgres.answer import Refusal
from alembic_boot.postgres.connection import connect, connected, one_line
from alembic_boot.postgres.failed_login import understand
from alembic_boot.postgres.identity import same_database_query
from alembic_boot.postgres.urls import DatabaseUrl

_log = logging.getLogger(__name__)

_GIVEN = AdvisoryKey.named("scratch")
"""The lock of a process that works in the database of SCRATCH_DATABASE_URL."""

_INTERVAL = 0.1


@contextmanager
def scratch_database(boot: BootDescription) -> Iterator[DatabaseUrl]:
    """Yield the URL of an empty database: SCRATCH_DATABASE_URL, or one beside the real one.

    Raises ConfigurationError if both are impossible, and LockTimeoutError if another process works
    in the given one for too long.
    """
    real, given = boot.migration_database_url, boot.scratch_database_url
    remove_leftovers(real)
    if given is not None:
        with _given(given, real, boot.schema.lock_timeout) as url:
            yield url
        return
    name = new_name(real)
    with in_use(real, name):
        try:
            yield _make(real, name)
        finally:
            drop(real, name)


def _make(real: DatabaseUrl, name: str) -> DatabaseUrl:
    """Create a database beside the real one, and log in: a server or a pooler may refuse that."""
    try:
        url = create_like(real, name)
    except (LoginRefusedError, DatabaseUnreachableError, psycopg2.Error) as error:
        cause = error.what.rstrip(".") if isinstance(error, BootError) else one_line(error)
        raise ConfigurationError(
            f"No scratch database could be made beside {real.masked}: {cause}.",
            "Give the role CREATEDB, or name an empty database in SCRATCH_DATABASE_URL.",
        ) from error
    try:
        with connected(url):
            return url
    except BootError as error:
        raise ConfigurationError(
            f"A scratch database was made, but it cannot be reached. {error.what}",
            "Let the role in there; if a pooler stands in between that knows no other "
            "databases, set MIGRATION_DATABASE_URL to the server itself; or name an empty database "
            "in SCRATCH_DATABASE_URL.",
        ) from error


@contextmanager
def _given(url: DatabaseUrl, real: DatabaseUrl, timeout: float) -> Iterator[DatabaseUrl]:
    _refuse_login(url)
    with connected(url) as keeper:
        with connected(real) as other:
            if same_database_query(keeper) == same_database_query(other):
                raise ConfigurationError(
                    "SCRATCH_DATABASE_URL names the real database.",
                    "Name another one, an empty one.",
                )
            _warn_of_settings(keeper, other)
        _take(keeper, timeout)
        with connected(url) as connection:
            _prepare(connection)
        try:
            with noting(url):
                yield url
        finally:
            # It was empty, so the replay made everything in it.
            with connected(url) as connection:
                contents.empty(connection)
            with suppress(psycopg2.Error):  # a lost session holds no lock
                end(keeper)


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
                    "Check that it runs, or fix SCRATCH_DATABASE_URL.",
                ) from error
            case Refusal.DATABASE_MISSING:
                raise DatabaseMissingError(
                    f"Database {url.database!r} does not exist at {url.masked}.",
                    "Create it, or fix SCRATCH_DATABASE_URL.",
                ) from error
        raise LoginRefusedError(
            f"PostgreSQL refused the login at {url.masked}: {failed.cause}.",
            "Correct the role, the password or the TLS settings in SCRATCH_DATABASE_URL.",
        ) from error


def _warn_of_settings(given: Connection, real: Connection) -> None:
    """Warn of settings that only the real database has: a history may depend on them."""
    there = settings(given)
    differing = [name for name, value in settings(real).items() if there.get(name) != value]
    if differing:
        _log.warning(
            "The database of SCRATCH_DATABASE_URL lacks settings of the real one (%s): "
            "a history may run differently there. Give it the same by ALTER DATABASE … SET.",
            ", ".join(differing),
        )


def _take(keeper: Connection, timeout: float) -> None:
    """Lock a given database for this process; wait for the lock at most `timeout` seconds.

    The lock is one of a transaction, so a pooler cannot keep it in a session of its own.
    """
    begin(keeper)
    if try_lock(keeper, _GIVEN):
        return
    _log.info("Waiting for another starter that works in the database of SCRATCH_DATABASE_URL")
    if not poll(lambda: try_lock(keeper, _GIVEN), timeout, _INTERVAL):
        raise LockTimeoutError(
            "Another starter has kept the database that SCRATCH_DATABASE_URL names for more "
            f"than {timeout:g} s.",
            "Give each its own, or start again. Nothing was changed.",
        )


def _prepare(connection: Connection) -> None:
    """Check that the database is empty, after removing objects of a killed replay.

    Raises ConfigurationError if there are other objects: they may be needed.
    """
    is_marked = any(map(contents.is_mark, contents.objects(connection)))
    note = read_note(connection) if is_marked else Note()
    end_work(connection, note)
    found = contents.objects(connection)
    others = [it for it in found if it.address not in note.made and not contents.is_mark(it)]
    if others:
        no_replay = ", and no replay is known to have made that" if is_marked else ""
        raise ConfigurationError(
            "SCRATCH_DATABASE_URL names a database that is not empty "
            f"({contents.some(others)}){no_replay}.",
            "Name an empty one. Nothing was changed.",
        )
    if is_marked:
        _log.warning("Emptying the scratch database: a starter died during its work")
        contents.empty(connection, note.made)
