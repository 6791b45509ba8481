"""Wait until the real login works; stop at the timeout or at a permanent refusal."""

import logging
import threading
import time
from collections.abc import Callable

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection

from alembic_boot.commands import creating, setting
from alembic_boot.errors import (
    BootError,
    ConfigurationError,
    DatabaseMissingError,
    DatabaseUnreachableError,
    LoginRefusedError,
)
from alembic_boot.output.log_fields import fields
from alembic_boot.postgres.answer import Refusal
from alembic_boot.postgres.connection import (
    FOR_DATABASES,
    answer_to,
    connect_and_ask,
    connected,
    each_host,
    give_back,
)
from alembic_boot.postgres.failed_login import FailedLogin, understand
from alembic_boot.postgres.hosts import SESSION
from alembic_boot.postgres.message import STANDBY
from alembic_boot.postgres.urls import PARTS, DatabaseUrl
from alembic_boot.signals import raise_if_stopped
from alembic_boot.situation import note

_log = logging.getLogger(__name__)

INTERVAL = 0.025
"""Seconds between attempts: a ready database is noticed within twice that."""

_ATTEMPT = 5.0
"""Seconds for an attempt at each host, if packets are lost without an answer."""

_QUERY = "SELECT current_setting('server_version'), pg_is_in_recovery(), pg_backend_pid()"

_REPEAT = 5.0
"""Seconds after which an unchanged cause is logged again."""

_LEAST = 2.0
"""Seconds for finding out why a login failed, when the timeout leaves no time."""

_HINT = (
    " A pooler stands in between, which knows only those of its [databases]: name it there, or "
    "set MIGRATION_DATABASE_URL to the server itself."
)

_ADVICE_ON_LOGIN = "Correct the role, the password, the TLS settings or the options"
_ADVICE_ON_PARTS = (
    "Correct POSTGRES_USER or POSTGRES_PASSWORD. A database container takes them for a new "
    "volume only, and an old volume keeps its first password: set that one again, or change it "
    "in the database (ALTER ROLE … PASSWORD …), or remove the volume with its data."
)
_REMEDY = "Start it, or fix {}"
_REMEDY_OF_STANDBY = "Promote it, or name the primary, or all the hosts, in {}"


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)


def wait_for_database(  # noqa: PLR0913 (the last two are for tests)
    url: DatabaseUrl,
    timeout: float,
    *,
    is_again: bool = False,
    meanwhile: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = _pause,
) -> str:
    """Return the server's version as soon as a login succeeds and the server accepts writes.

    A standby counts as not ready until it is promoted; of several hosts the primary is found.
    `timeout` is in seconds; 0 makes one attempt. `is_again` keeps the first line from the log: a
    call before has written it. `meanwhile` is called before each pause, and may raise. Raises
    DatabaseUnreachableError at the timeout. Raises LoginRefusedError or DatabaseMissingError at
    once if waiting cannot help.
    """
    started = clock()
    deadline = started + timeout
    attempt = _ATTEMPT * url.host_count
    if not is_again:
        _log.info("Waiting for PostgreSQL... (%s)", url.masked, extra=fields("waiting"))
    last_cause, said_at = "", started
    held_back: psycopg2.OperationalError | None = None
    while True:
        raise_if_stopped()  # a signal during an import may have been lost there
        remaining = deadline - clock()
        try:
            if held_back is not None:  # another query would mean another login, which gets the code
                raise held_back
            # The first attempt gets its time even if the timeout is shorter.
            version = _login(url, min(attempt, remaining) if timeout > 0 else attempt)
        except psycopg2.OperationalError as error:
            failed = understand(url, error, min(attempt, max(remaining, _LEAST)))
            _raise_if_never(url, failed)
            held_back = error if failed.is_held_back else None
            cause = failed.cause if url.host_count == 1 else each_host(error)
        else:
            if version is not None:
                spent = clock() - started
                ready = fields("database_ready", seconds=spent)
                _log.info("PostgreSQL is ready (%s, %.1f s)", version, spent, extra=ready)
                return version
            cause = STANDBY
        now = clock()
        if now >= deadline:
            raise _unreachable(url, timeout, cause)
        if cause != last_cause or now - said_at >= _REPEAT:
            note(reason=f"PostgreSQL is not ready: {cause}")
            still = fields("waiting", seconds=now - started, reason=cause)
            line = "Not yet: %s (waiting %.0f of %g s)"
            _log.info(line, cause, now - started, timeout, extra=still)
            last_cause, said_at = cause, now
        meanwhile()
        pause(min(INTERVAL, deadline - now))


def create_database(url: DatabaseUrl) -> None:
    """Create the database that `url` names, through the server's `postgres` database.

    It is no error if another process has just created it. Raises DatabaseMissingError if the role
    may not.
    """
    statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(url.database))
    elsewhere = url.with_database("postgres")
    try:
        with connected(elsewhere, silence=FOR_DATABASES) as connection:
            connection.cursor().execute(statement)
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        return
    except BootError as error:
        cause = error.__cause__
        by_pooler = isinstance(cause, psycopg2.OperationalError) and (
            understand(elsewhere, cause, _ATTEMPT).by_pooler
        )
        raise DatabaseMissingError(
            f"Database {url.database!r} does not exist and could not be created. {error.what}",
            "Create it by hand, or give the role the right CREATEDB."
            + (_HINT if by_pooler else ""),
        ) from error
    _log.info("Database %s created", url.database)


def _login(url: DatabaseUrl, timeout: float) -> str | None:
    """Return the version of the server, or None if it is a standby."""
    connection, rows = connect_and_ask(url, _QUERY, max(timeout, 0.1))
    try:
        [(version, is_standby, pid)] = rows
        if pid != connection.info.backend_pid:  # a pooler returns its own
            _refuse_without_transactions(url, connection)
    except BaseException:
        connection.close()
        raise
    if is_standby:
        connection.close()
        return None
    give_back(url, connection)
    # Distributions add their name: "15.18 (Debian 15.18-0+deb12u1)".
    return str(version).split(" ")[0]


def _refuse_without_transactions(url: DatabaseUrl, connection: Connection) -> None:
    """Raise ConfigurationError if a pooler lends a session for only one statement at a time."""
    try:
        for statement in ("BEGIN", "SELECT 1", "COMMIT"):
            connection.cursor().execute(statement)
    except psycopg2.OperationalError as error:
        if not connection.closed:
            raise
        raise ConfigurationError(
            f"The pooler at {url.masked} does not keep a transaction on one session.",
            "Let it pool transactions or sessions (pool_mode), or set MIGRATION_DATABASE_URL to "
            "the server itself and let the application have another pool.",
        ) from error


def _unreachable(url: DatabaseUrl, timeout: float, cause: str) -> DatabaseUnreachableError:
    # If the URL asks for a primary, libpq looks for one: then a login anywhere shows a standby.
    if SESSION in url.parameters:
        is_standby = answer_to(url.having(**{SESSION: "any"}), _ATTEMPT).is_good
    else:
        is_standby = cause == STANDBY
    remedy = (_REMEDY_OF_STANDBY if is_standby else _REMEDY).format(url.setting)
    if timeout == 0:  # as for `inv status`, which does not wait
        return DatabaseUnreachableError(
            f"PostgreSQL at {url.masked} is not reachable: {cause}.", f"{remedy}."
        )
    return DatabaseUnreachableError(
        f"PostgreSQL at {url.masked} was not reachable within {timeout:g} s: {cause}.",
        f"{remedy}; {setting('WAIT_TIMEOUT')} sets how long to wait.",
    )


def _raise_if_never(url: DatabaseUrl, failed: FailedLogin) -> None:
    if failed.for_options:
        raise LoginRefusedError(
            f"A pooler at {url.masked} refused the login: {failed.cause}.",
            "Leave that out of the URL; if migrations need it, set MIGRATION_DATABASE_URL to the "
            "server itself.",
        )
    if failed.refusal is Refusal.LOGIN:
        raise LoginRefusedError(
            f"PostgreSQL refused the login at {url.masked}: {failed.cause}.",
            _ADVICE_ON_PARTS if url.setting == PARTS else f"{_ADVICE_ON_LOGIN} in {url.setting}.",
        )
    if failed.refusal is Refusal.DATABASE_MISSING:
        raise DatabaseMissingError(
            f"Database {url.database!r} does not exist at {url.masked}.",
            f"Create it, or correct the name; {creating()}.{_HINT if failed.by_pooler else ''}",
        )
