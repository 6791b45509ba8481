"""Keep what a replay runs inside its scratch database.

An env.py or a revision may open a connection of its own, to where the application's settings say:
that is the real database, and its rows would be changed by a mere comparison. What goes by a
driver alone, without SQLAlchemy, is out of reach.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, Pool, event

from backend.boot.errors import ConfigurationError

_SERVER_WIDE = re.compile(
    r"""
    \b (?: CREATE | ALTER | DROP ) \s+
        (?: ROLE | USER (?! \s+ MAPPING ) | GROUP | DATABASE | TABLESPACE | SUBSCRIPTION ) \b
    | \b ALTER \s+ SYSTEM \b
    | \b ON \s+ (?: DATABASE | TABLESPACE | ROLE | SUBSCRIPTION | PARAMETER ) \b
    | \b (?: REASSIGN | DROP ) \s+ OWNED \b
    # of a role: privileges on something have an ON
    | \b (?: GRANT | REVOKE ) \b (?: (?! \b ON \b ) [^;] )* \b (?: TO | FROM ) \b
    | \b COPY \b [^;]* \b (?: TO \s+ ' | PROGRAM \b )
    | \b pg_ (?: replication_ | create_ | drop_ | reload_conf | terminate_ | cancel_ | promote
        | switch_wal | rotate_ | file_ ) \w* \s* \(
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What changes more than the database it is said in. Wherever it stands: it is often in a DO."""

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)

_SHOWN = 60


@contextmanager
def confined(is_scratch: str, running: Callable[[], str], *, is_alone: bool) -> Iterator[None]:
    """Raise ConfigurationError for whatever leaves the scratch meanwhile, before it has an effect.

    `is_scratch` is a query that is true there and nowhere else, `running` says what is at work,
    and `is_alone` whether the scratch has a server that is not the real one's.
    """

    def checked_out(dbapi_connection: Any, _record: object, _fairy: object) -> None:
        if not _is_true(dbapi_connection, is_scratch):
            raise ConfigurationError(
                f"{running()} opens a connection to another database than the one it was given.",
                "Let it use the connection that Alembic has, and take sqlalchemy.url from the "
                "Alembic configuration. Nothing was changed.",
            )

    def executing(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        bare = _COMMENT.sub(" ", statement)
        if not is_alone and (found := _SERVER_WIDE.search(bare)):
            text = " ".join(bare[found.start() :].split())[:_SHOWN]
            raise ConfigurationError(
                f"{running()} changes what all databases of the server share ({text}).",
                "Name an empty database of another server in SCRATCH_DATABASE_URL. "
                "Nothing was changed.",
            )

    # At each checkout and not at each connect: an engine that is imported may have one left over.
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
        # Of PostgreSQL everybody may ask this: it is something else.
        raise ConfigurationError(
            "What a replay runs opens a connection of which nobody can tell where it goes "
            f"({type(error).__name__}).",
            "Let it use the connection that Alembic has. Nothing was changed.",
        ) from error
    finally:
        cursor.close()
        dbapi_connection.rollback()  # the driver has begun a transaction
    return bool(answer)
