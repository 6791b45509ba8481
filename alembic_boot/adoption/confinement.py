"""Keep what a replay runs inside its scratch database.

An env.py or a revision may open a connection of its own with the application's settings. That
connection leads to the real database, and a comparison must not change its rows. A statement may
also reach the real database through the server. What a driver does without SQLAlchemy is not seen.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import connection as Connection
from sqlalchemy import Engine, Pool, event

from alembic_boot.errors import ConfigurationError
from alembic_boot.sql.reach import Reach, Reaches

_SAYS = {
    Reach.SHARED: "changes what all databases of the server share",
    Reach.OUTSIDE: "reaches out of its database",
    Reach.UNKNOWN: "runs code whose effect cannot be checked, as a role that may change "
    "more than its database",
}
_ANOTHER_SERVER = "ame an empty database of another server in SCRATCH_DATABASE_URL. "
_ADVICE = {
    Reach.SHARED: f"N{_ANOTHER_SERVER}",
    Reach.OUTSIDE: "",
    Reach.UNKNOWN: f"Set MIGRATION_DATABASE_URL to that of an ordinary role, or n{_ANOTHER_SERVER}",
}

# A role without these rights does no harm by code that cannot be read: PostgreSQL refuses it.
_IS_MIGHTY = """
SELECT EXISTS (
    SELECT FROM pg_roles
    WHERE pg_has_role(session_user, oid, 'MEMBER') AND (
        rolsuper OR rolcreaterole OR rolreplication OR rolname IN (
            'pg_write_server_files', 'pg_execute_server_program', 'pg_read_server_files',
            'pg_signal_backend', 'pg_create_subscription')))
"""


def is_mighty(connection: Connection) -> bool:
    """Return whether the login may change more than its database and the objects that it owns."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_MIGHTY)
        [(answer,)] = cursor.fetchall()
    return bool(answer)


def refusal(who: str, reach: Reach, text: str) -> ConfigurationError:
    """Return the refusal of a statement, or of another step, that reaches that far."""
    return ConfigurationError(
        f"{who} {_SAYS[reach]} ({text}).", f"{_ADVICE[reach]}Nothing was changed."
    )


@contextmanager
def confined(
    is_scratch: str, running: Callable[[], str], *, is_alone: bool, is_mighty: bool
) -> Iterator[None]:
    """Raise ConfigurationError before a statement or a connection leaves the scratch database.

    `is_scratch` is a query that is true in the scratch database and nowhere else. `running` returns
    the name of the step that runs now. `is_alone` says that the scratch database is on another
    server than the real one, and `is_mighty` that the role may do harm by code that cannot be read.
    """
    refused = {Reach.OUTSIDE}
    if not is_alone:
        refused |= {Reach.SHARED, Reach.UNKNOWN} if is_mighty else {Reach.SHARED}
    reaches = Reaches()

    def checked_out(dbapi_connection: Any, _record: object, _fairy: object) -> None:
        if not _is_true(dbapi_connection, is_scratch):
            raise ConfigurationError(
                f"{running()} opens a connection to another database than the one it was given.",
                "Let it use the connection that Alembic has, and take sqlalchemy.url from the "
                "Alembic configuration. Nothing was changed.",
            )

    def executing(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        for reach, text in reaches.of(statement):
            if reach in refused:
                raise refusal(running(), reach, text)

    # At each checkout, because an imported engine may have a connection in its pool already.
    event.listen(Pool, "checkout", checked_out)
    event.listen(Engine, "before_cursor_execute", executing)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", executing)
        event.remove(Pool, "checkout", checked_out)


def _is_true(dbapi_connection: Any, query: str) -> bool:
    cursor = dbapi_connection.cursor()
    try:
        cursor.execute(query)
        [(answer,)] = cursor.fetchall()
    except Exception as error:
        # PostgreSQL answers this query for every role, so this is another kind of database.
        raise ConfigurationError(
            "The replay opens a connection whose database cannot be identified "
            f"({type(error).__name__}).",
            "Let it use the connection that Alembic has. Nothing was changed.",
        ) from error
    finally:
        cursor.close()
        dbapi_connection.rollback()  # the driver has begun a transaction
    return bool(answer)
