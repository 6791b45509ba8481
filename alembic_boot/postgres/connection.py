"""Boot's own connections: plain psycopg2, whose import takes a quarter of SQLAlchemy's time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from queue import Empty, Queue
from typing import Any, TypeVar

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection as Connection, cursor as Cursor

from alembic_boot.errors import DatabaseUnreachableError, LoginRefusedError
from alembic_boot.postgres.answer import Answer, ask
from alembic_boot.postgres.interruption import cut_when_silent, interrupt
from alembic_boot.postgres.message import at_host, causes, reason
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.signals import interrupting, is_stopping, raise_if_stopped

T = TypeVar("T")

# A connection is idle while a revision runs. A router must not forget it, and a lost server must be
# noticed before hours have passed.
_KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3}
_DEFAULTS: dict[str, Any] = {"application_name": "boot", **_KEEPALIVES}
"""libpq's keywords that apply if the URL does not set them; times are in seconds."""

_SILENCE = 60.0
"""Seconds without an answer to a statement after which its connection counts as lost."""

FOR_DATABASES = 600.0
"""The same for a statement that creates or drops a whole database."""


class ConnectTimeoutError(psycopg2.OperationalError):
    """The attempt took longer than it may."""


def name_sessions(release: str | None) -> None:
    """Have the sessions of this process show the release that it starts."""
    _DEFAULTS["application_name"] = named("boot", release)


def own_name() -> str:
    """Return the name of the sessions of this process."""
    return str(_DEFAULTS["application_name"])


def named(name: str, release: str | None) -> str:
    """Return the application_name from which the status page reads the release."""
    return f"{name} {release}" if release else name


def connect(
    url: DatabaseUrl, timeout: float = 10, silence: float = _SILENCE, name: str | None = None
) -> Connection:
    """Return an autocommit connection, made within `timeout` seconds.

    It is cut if a statement gets no answer for `silence` seconds. Raises psycopg2.OperationalError.
    The attempt runs in a thread of its own: libpq blocks in name lookups and connects, where Python
    cannot handle a signal. libpq's own `connect_timeout` only supports whole seconds from two up.
    """
    connection, _ = connect_and_ask(url, "", timeout, silence, name)
    return connection


def connect_and_ask(
    url: DatabaseUrl,
    query: str,
    timeout: float,
    silence: float = _SILENCE,
    name: str | None = None,
) -> tuple[Connection, list[tuple[Any, ...]]]:
    """Return an autocommit connection and the rows of a query, both within `timeout` seconds."""

    def attempt() -> tuple[Connection, list[tuple[Any, ...]]] | psycopg2.Error:
        try:
            session = {"application_name": name or own_name()}
            parameters: dict[str, Any] = {**_DEFAULTS, **session, **url.login}
            # libpq gives each host this time; a lost host must leave time for the next.
            parameters["connect_timeout"] = max(2, round(timeout / url.host_count))
            connection = psycopg2.connect(**parameters, cursor_factory=_cursor(silence))
            connection.autocommit = True
            if not query:
                return connection, []
            with connection.cursor() as cursor:
                cursor.execute(query)
                return connection, cursor.fetchall()
        except psycopg2.Error as error:
            # Python 3.11.2 drops the message; later versions cannot decode it either.
            unreadable = "the server's message is not UTF-8"
            return error if str(error) else psycopg2.OperationalError(unreadable)
        except UnicodeDecodeError as error:  # a message in the server's own encoding
            return psycopg2.OperationalError(error.object.decode(errors="replace"))

    result = _within(timeout, attempt, _close_late)
    if isinstance(result, psycopg2.Error):
        raise result
    return result


def answer_to(url: DatabaseUrl, timeout: float) -> Answer:
    """Return the server's answer to a login now, within `timeout` seconds."""

    def attempt() -> Answer:
        try:
            login: dict[str, Any] = {**_DEFAULTS, **url.login}
            return ask(login, timeout)
        except psycopg2.Error:  # there is no password to log in with
            return Answer()

    try:
        return _within(timeout, attempt)
    except ConnectTimeoutError:
        return Answer(is_late=True)


def _within(
    timeout: float, attempt: Callable[[], T], late: Callable[[T], None] = lambda _: None
) -> T:
    """Return the result of an attempt in its own thread; `late` gets a late result."""
    outcome: Queue[T] = Queue(1)
    given_up = threading.Event()

    def run() -> None:
        result = attempt()
        outcome.put(result)
        if given_up.is_set():
            late(result)

    threading.Thread(target=run, name="connect", daemon=True).start()
    try:
        return outcome.get(timeout=timeout)
    except BaseException as error:
        given_up.set()
        if isinstance(error, Empty):
            raise ConnectTimeoutError(f"no answer within {round(timeout, 1):g} s") from None
        raise


def _close_late(result: tuple[Connection, list[tuple[Any, ...]]] | psycopg2.Error) -> None:
    if not isinstance(result, psycopg2.Error):
        result[0].close()


def _cursor(silence: float) -> type[Cursor]:
    """Return a cursor class whose statements must be answered within that many seconds."""

    class WatchedCursor(Cursor):
        def execute(self, query: Any, values: Any = None) -> None:
            with cut_when_silent(self.connection, silence):
                super().execute(query, values)

    return WatchedCursor


@contextmanager
def connected(
    url: DatabaseUrl, timeout: float = 10, silence: float = _SILENCE
) -> Iterator[Connection]:
    """Yield an autocommit connection and close it at the end; a stop signal ends its statement.

    A silence of that many seconds ends the statement, too. Raises DatabaseUnreachableError if the
    server is not there, is lost meanwhile, or accepts no writes (any more). Raises
    LoginRefusedError if the role lacks a right. Other errors of the statements pass through.
    """
    connection = _opened(url, timeout, silence)
    try:
        try:
            with interrupting(partial(_interrupt, connection)):
                yield connection
        except BaseException:
            connection.close()
            raise
        _kept.give(url, connection)
    except errors.InsufficientPrivilege as error:
        raise LoginRefusedError(
            f"The role may not do this at {url.masked}: {one_line(error)}.",
            "Grant it the right, or set MIGRATION_DATABASE_URL to the schema's owner.",
        ) from error
    except errors.ReadOnlySqlTransaction as error:
        raise DatabaseUnreachableError(
            f"PostgreSQL at {url.masked} takes no writes: {one_line(error)}.",
            "Connect to the primary, or make it writable.",
        ) from error
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        # It may be the connection that a stop signal cut, found again while things are closed in
        # order.
        raise_if_stopped()
        raise DatabaseUnreachableError(
            f"PostgreSQL at {url.masked} does not answer: {one_line(error)}.",
            "Check that it runs, and try again.",
        ) from error


def _opened(url: DatabaseUrl, timeout: float, silence: float) -> Connection:
    try:
        return _kept.take(url, timeout, silence) or connect(url, timeout, silence)
    except psycopg2.OperationalError as error:
        raise_if_stopped()
        raise DatabaseUnreachableError(
            f"Logging in to PostgreSQL at {url.masked} failed: {one_line(error)}.",
            "Check that it runs and that it accepts this login, and try again.",
        ) from error


def driver_connection(url: DatabaseUrl) -> Connection:
    """Return a plain psycopg2 connection, without a limit for its statements.

    Raises psycopg2.OperationalError.
    """
    connection = _kept.take(url, timeout=10, silence=_SILENCE)
    if connection is None:
        parameters: dict[str, Any] = dict(url.login)
        fresh: Connection = psycopg2.connect(**parameters)
        return fresh
    connection.cursor_factory = Cursor
    connection.autocommit = False
    return connection


class _Kept:
    """One connection that is reused by one caller after another, instead of a login for each."""

    _url: DatabaseUrl | None = None
    """The URL whose connection may be kept now, if any."""
    _connection: Connection | None = None

    @contextmanager
    def keeping(self, url: DatabaseUrl) -> Iterator[None]:
        """Keep a connection of this URL between two uses, until the block ends."""
        self._url = url
        try:
            yield
        finally:
            self._url = None
            self.forget()

    def give(self, url: DatabaseUrl, connection: Connection) -> None:
        """Keep a connection that is in order, or close it."""
        is_idle = not connection.closed and (
            connection.info.transaction_status == TRANSACTION_STATUS_IDLE
        )
        if url == self._url and self._connection is None and is_idle:
            self._connection = connection
        else:
            connection.close()

    def take(self, url: DatabaseUrl, timeout: float, silence: float) -> Connection | None:
        """Return the kept connection if it answers within `timeout` seconds."""
        if url != self._url or self._connection is None:
            return None
        connection = self._connection
        try:
            with interrupting(partial(_interrupt, connection)):
                connection.cursor_factory = _cursor(timeout)
                connection.cursor().execute("SELECT")
        except psycopg2.Error:  # it may have been ended while it was idle
            self.forget()
            return None
        connection.cursor_factory = _cursor(silence)
        self._connection = None
        return connection

    def forget(self) -> None:
        """Close the connection: the next query must go where a new login leads."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_kept = _Kept()

keeping_one = _kept.keeping
"""Make `connected` reuse one connection of a URL while a block runs."""

forget_kept = _kept.forget
"""Make the next caller log in again, for example because a failover may have happened."""

give_back = _kept.give
"""Keep a connection that was made elsewhere for the next caller."""


def _interrupt(connection: Connection) -> None:
    """End the running statement, unless the process is closing things after a stop signal."""
    if not is_stopping():
        interrupt(connection)


def one_line(error: psycopg2.Error) -> str:
    """Return the cause of an error, on one line and without libpq's preamble."""
    if primary := error.diag.message_primary:  # of a statement; a login error has none
        return " ".join(primary.split()).rstrip(".")
    lines = causes(str(error))
    return reason(lines[-1] if lines else type(error).__name__)


def each_host(error: psycopg2.Error) -> str:
    """Return the causes of an attempt at several hosts on one line, each with its host."""
    return "; ".join(map(at_host, causes(str(error)))) or one_line(error)
