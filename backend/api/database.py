"""The application's database access: a connection pool, and a check that it works."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any
from weakref import WeakSet

import psycopg2
from psycopg2.extensions import connection as DriverConnection
from sqlalchemy import Connection, Engine, Enum, MetaData, create_engine, event, select, text
from sqlalchemy.exc import DBAPIError, TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from alembic_boot.errors import DatabaseUnreachableError
from alembic_boot.postgres.connection import named, one_line
from alembic_boot.postgres.interruption import interrupt
from alembic_boot.postgres.urls import DatabaseUrl
from backend import __version__
from backend.api.bounded_connection import STATEMENT_TIMEOUT, BoundedConnection

# If a server vanishes, Linux retransmits for a quarter of an hour; a request must not wait so long.
# All values are seconds, except tcp_user_timeout (milliseconds).
_CONNECT_ARGUMENTS: dict[str, str | int] = {
    "application_name": named("moriai", __version__),
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 10,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}

_STATEMENT_TIMEOUT = round(STATEMENT_TIMEOUT * 1000)
"""Milliseconds."""

_IS_BOUND = "has_bounded_statements"

CONNECTIONS = 15
"""Connections that requests may use at once."""

_KEPT = 5
"""Connections that stay open while unused."""

_POOL_TIMEOUT = 3
"""Seconds that a request waits for a connection when all are in use."""


@contextmanager
def opened_engine(url: DatabaseUrl) -> Iterator[Engine]:
    """Yield an engine, which connects at its first use, and close its pool at the end.

    It connects by psycopg2, whichever driver the URL names for an env.py.
    """
    given = url.parameters
    arguments = {name: value for name, value in _CONNECT_ARGUMENTS.items() if name not in given}
    engine = create_engine(
        url.for_driver("psycopg2"),
        connect_args=arguments,
        # The text of an exception goes to the log, and parameters are user data.
        hide_parameters=True,
        # A restart of the server costs no request: the pool replaces a dead connection.
        pool_pre_ping=True,
        pool_size=_KEPT,
        max_overflow=CONNECTIONS - _KEPT,
        pool_timeout=_POOL_TIMEOUT,
    )
    opened: WeakSet[Any] = WeakSet()
    event.listen(engine, "do_connect", partial(_prepare_login, url))
    event.listen(engine, "connect", lambda connection, _: opened.add(connection))
    event.listen(engine, "connect", _bound_statements)
    event.listen(engine, "begin", _bound_transaction)
    try:
        yield engine
    finally:
        # Threads of cancelled requests still wait, and the process would wait for them.
        for connection in tuple(opened):
            interrupt(connection)
        engine.dispose()


def _prepare_login(
    url: DatabaseUrl, _dialect: Any, _record: Any, _args: Any, parameters: dict[str, Any]
) -> None:
    """Make a login use the present password, and limit how long its connection waits."""
    parameters["connection_factory"] = BoundedConnection
    if "password" in (login := url.login):
        parameters["password"] = login["password"]


def _bound_statements(connection: Any, record: ConnectionPoolEntry) -> None:
    """Limit the session's statements, unless a pooler shares the session with others.

    By a statement, because poolers refuse the setting among the start-up options. A pooler is
    recognised by the process id in its answer, which is an invented one.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_backend_pid() = %(told)s, CASE WHEN pg_backend_pid() = %(told)s"
            " THEN set_config('statement_timeout', %(limit)s, false) END",
            {"told": connection.info.backend_pid, "limit": str(_STATEMENT_TIMEOUT)},
        )
        [record.info[_IS_BOUND], _] = cursor.fetchone()
    connection.commit()


def _bound_transaction(connection: Connection) -> None:
    if not connection.info[_IS_BOUND]:
        # Below SQLAlchemy, which begins the transaction only now.
        with closing(connection.connection.cursor()) as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {_STATEMENT_TIMEOUT}")


@contextmanager
def lent(engine: Engine) -> Iterator[DriverConnection]:
    """Yield a pooled connection in autocommit, as the driver's own object.

    Raises psycopg2.OperationalError if the pool has none and can make none.
    """
    try:
        opened = engine.connect()
    except (DBAPIError, PoolTimeoutError) as error:
        raise psycopg2.OperationalError("The pool has no connection.") from error
    with opened.execution_options(isolation_level="AUTOCOMMIT") as connection:
        driver_connection: Any = connection.connection.driver_connection
        yield driver_connection


def check_connection(engine: Engine, url: DatabaseUrl) -> None:
    """Return if the database answers; else raise DatabaseUnreachableError with the cause."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        raise DatabaseUnreachableError(
            f"The database at {url.masked} cannot be used: {cause(error)}.",
            "Check that it runs and that DATABASE_URL is right, then start again.",
        ) from error


def reading_each_table(engine: Engine, metadata: MetaData) -> tuple[str, ...]:
    """Return a statement for each table; it selects every column and every enum label."""
    statements = (
        select(table).where(
            *(it.in_(it.type.enums) for it in table.columns if isinstance(it.type, Enum))
        )
        for table in metadata.sorted_tables
    )
    literal = {"literal_binds": True}
    return tuple(str(it.compile(engine, compile_kwargs=literal)) for it in statements)


def cause(error: DBAPIError) -> str:
    """Return the driver's message, on one line and without the statement."""
    if isinstance(error.orig, psycopg2.Error):
        return one_line(error.orig)
    return type(error).__name__
