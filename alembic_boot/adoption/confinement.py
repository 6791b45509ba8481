"""Keep what a replay runs inside its scratch database.

An env.py or a revision may open a connection of its own with the application's settings. That
connection leads to the real database, and a comparison must not change its rows. A statement may
also reach the real database through the server. What a driver does without SQLAlchemy is not seen.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection
from sqlalchemy import Engine, Pool

from alembic_boot.commands import setting
from alembic_boot.environment.listening import listening
from alembic_boot.errors import ConfigurationError
from alembic_boot.history.history import History
from alembic_boot.history.source import OWN_LOGINS, below_sqlalchemy, certain_statements
from alembic_boot.own_work import own_work
from alembic_boot.sql.reach import Reach, Reaches
from alembic_boot.state.access import asking

_SAYS = {
    Reach.SHARED: "changes what all databases of the server share",
    Reach.OUTSIDE: "reaches out of its database",
    Reach.UNKNOWN: "runs code whose effect cannot be checked, as a role that may change "
    "more than its database",
}
_ANOTHER_SERVER = "ame a scratch database of another server in {}. "
_ADVICE = {
    Reach.SHARED: f"N{_ANOTHER_SERVER}",
    Reach.OUTSIDE: "",
    Reach.UNKNOWN: f"Set MIGRATION_DATABASE_URL to that of an ordinary role, or n{_ANOTHER_SERVER}",
}

# A login without these rights does no harm by code that cannot be read: PostgreSQL refuses it. What
# counts is who logged in, because a session can leave every role that it takes on.
_IS_MIGHTY = """
SELECT coalesce(bool_or(
    rolsuper OR rolcreaterole OR rolreplication OR rolname IN (
        'pg_write_server_files', 'pg_execute_server_program', 'pg_read_server_files',
        'pg_signal_backend', 'pg_create_subscription')), true)
FROM pg_stat_activity a JOIN pg_roles r ON pg_has_role(a.usesysid, r.oid, 'MEMBER')
WHERE a.pid = pg_backend_pid()
"""

_KEY = "alembic_boot_is_mighty"
"""The entry of a connection's `info`."""


def is_mighty(connection: Connection) -> bool:
    """Return whether the login may change more than its database and the objects that it owns."""
    return bool(asking(connection)(_IS_MIGHTY))


@dataclass(frozen=True)
class Caller:
    """The login to the real database, seen from the scratch database."""

    role: str = ""
    """Its name, as SQL writes it."""
    is_mighty: bool = False
    is_mighty_there: bool = False
    """Whether the login to the scratch database is mighty."""
    is_elsewhere: bool = False
    """Whether its server is another one than that of the scratch database."""


def read_caller(real: Connection, scratch: Connection) -> Caller:
    """Return what a replay has to know of the login to the real database."""
    role = asking(real)("SELECT quote_ident(current_user)")
    server, other = (asking(it)("SELECT pg_postmaster_start_time()") for it in (real, scratch))
    return Caller(role, is_mighty(real), is_mighty(scratch), server != other)


def refuse_by_files(history: History, caller: Caller) -> ConfigurationError | None:
    """Raise the refusal of what the files show to be impossible, before anything runs.

    Return the refusal of statements that would not be seen. It holds for a login that may do harm
    by them: if ours may not, env.py's own may.
    """
    if caller.is_elsewhere:
        return None
    revisions = (history.revisions[it] for it in history.in_order(history.revisions))
    sources = [
        (f"Migration {it.label}", code) for it in revisions if (code := it.source()) is not None
    ]
    for name, source in sources:
        for text in certain_statements(source):
            for reach, part in Reaches().of(text):
                if reach is Reach.SHARED:
                    raise _refusal(name, reach, part)

    def unseen(*names: frozenset[str]) -> ConfigurationError | None:
        for name, source in sources:
            if found := below_sqlalchemy(source, *names):
                return _refusal(name, Reach.UNKNOWN, ", ".join(found))
        return None

    if caller.is_mighty and (own_login := unseen(OWN_LOGINS)):
        raise own_login
    if (refusal := unseen()) and caller.is_mighty_there:
        raise refusal
    return refusal


def _refusal(who: str, reach: Reach, text: str) -> ConfigurationError:
    return ConfigurationError(
        f"{who} {_SAYS[reach]} ({text}).",
        f"{_ADVICE[reach].format(setting('SCRATCH_DATABASE_URL'))}Nothing was changed.",
    )


@contextmanager
def confined(
    is_scratch: str,
    running: Callable[[], str],
    *,
    is_elsewhere: bool,
    unseen: ConfigurationError | None,
) -> Iterator[None]:
    """Raise ConfigurationError before a statement or a connection leaves the scratch database.

    `is_scratch` is a query that is true in the scratch database and nowhere else. `running` returns
    the name of the step that runs now. `is_elsewhere` says that the scratch database is on another
    server than the real one. `unseen` is raised for a mighty login: the history has statements that
    are not seen here.
    """
    reaches = Reaches()
    is_ours = own_work()

    def checked_out(dbapi_connection: Any, record: Any, _fairy: object) -> None:
        if not is_ours():
            return
        is_there, record.info[_KEY] = _ask(dbapi_connection, is_scratch, _IS_MIGHTY)
        if not is_there:
            raise ConfigurationError(
                f"{running()} opens a connection to another database than the one it was given.",
                "Let it use the connection that Alembic has, and take sqlalchemy.url from the "
                "Alembic configuration. Nothing was changed.",
            )
        if record.info[_KEY] and unseen is not None:
            raise unseen

    def executing(connection: Any, _cursor: object, statement: str, *_more: object) -> None:
        if not is_ours():
            return
        for reach, text in reaches.of(statement):
            # Only of a session that was asked it is known that its login is an ordinary one.
            is_harmless = reach is Reach.UNKNOWN and not connection.info.get(_KEY, True)
            if reach is Reach.OUTSIDE or not (is_elsewhere or is_harmless):
                raise _refusal(running(), reach, text)

    # At each checkout, because an imported engine may have a connection in its pool already.
    with (
        listening(Pool, checkout=checked_out),
        listening(Engine, before_cursor_execute=executing),
    ):
        yield


def _ask(dbapi_connection: Any, *queries: str) -> tuple[bool, ...]:
    cursor = dbapi_connection.cursor()
    try:
        cursor.execute(f"SELECT {', '.join(f'({query})' for query in queries)}")
        [answers] = cursor.fetchall()
    except Exception as error:
        # PostgreSQL answers these queries for every role, so this is another kind of database.
        raise ConfigurationError(
            "The replay opens a connection whose database cannot be identified "
            f"({type(error).__name__}).",
            "Let it use the connection that Alembic has. Nothing was changed.",
        ) from error
    finally:
        cursor.close()
        dbapi_connection.rollback()  # the driver has begun a transaction
    return tuple(map(bool, answers))
