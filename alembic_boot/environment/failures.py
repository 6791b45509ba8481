"""Failures of an env.py or of a revision, as sentences with advice."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from traceback import walk_tb
from typing import Any

from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from psycopg2 import OperationalError
from sqlalchemy.exc import DBAPIError, InvalidRequestError, MissingGreenlet

from alembic_boot.environment.logins import last_attempt
from alembic_boot.errors import (
    BootError,
    ConfigurationError,
    DatabaseUnreachableError,
    LoginRefusedError,
)
from alembic_boot.output.foreign import describe, missing_package
from alembic_boot.postgres.answer import Answer, Refusal, ask, meaning
from alembic_boot.postgres.message import causes
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.private_names import version_locations
from alembic_boot.signals import Stopped, raise_if_stopped

_WAYS_OUT = {
    "25006": "The database is read-only: connect to the primary, or make it writable.",
    # Prepared statements that exist already, or not any more: another session than before.
    "42P05": "A pooler is in between: set MIGRATION_DATABASE_URL to the server itself.",
    "26000": "A pooler is in between: set MIGRATION_DATABASE_URL to the server itself.",
    "42501": "Grant the role the right, or set MIGRATION_DATABASE_URL to the schema's owner.",
    "3F000": "Create that schema (`CREATE SCHEMA`), or let env.py do so first, and start again.",
    # Insufficient resources: disk full, out of memory …
    "53": "Give the server what it lacks and start again.",
    # Lock not available, deadlock, serialization failure: another session was at work.
    "55P03": "Somebody else had a table locked: start again.",
    "40": "Somebody else was at work on the same tables: start again.",
}
"""What helps, by how PostgreSQL's SQLSTATE begins."""

_OF_LOGINS = ("28", "3D")
"""The beginnings of SQLSTATEs that only a login has: refused, or the database is missing."""

_ASKED_WITHIN = 10.0
"""Seconds that the repeated login may take."""

_NEEDS_BLOCK = "25001"
"""Also of a SET TRANSACTION that comes too late."""
_BLOCK = (
    "Let it run as a statement of its own, outside of the transaction, in "
    "`with op.get_context().autocommit_block():`, and start again."
)

_NO_RIGHT = "42501"
_POLICIES = "rls.c"
"""The place in the server's source: nothing else identifies this error."""
_ROW_SECURITY = (
    "With row_security = off, PostgreSQL refuses to read a table whose rows a policy may hide: "
    "set it to on for that role or in env.py, or do without row level security on that table."
)

# Violated constraints, and values that a type cannot hold: NULL, duplicates, a long text.
_OF_ROWS = ("23", "22001", "22003", "22007", "22008", "22P02")
_UNIQUE = "23505"

_KEY = re.compile(r"\((.+?)\)=\(")
"""In the detail of a violation, in any language; the values come after it."""


def describe_error(error: BaseException, scripts: ScriptDirectory) -> str:
    """Return the error on one line, with the file and line of the project's code."""
    return describe(error, _folders(scripts), plain=(CommandError,))


Failed = Callable[[BaseException], BootError | None]
"""Returns the failure for an exception of the project's code; None lets the exception go on."""


@contextmanager
def failing_as(scripts: ScriptDirectory, failed: Failed) -> Iterator[None]:
    """Raise the failure for what the project's code raises.

    A package that is missing always means the same: ConfigurationError.
    """
    try:
        yield
    except (BootError, Stopped):
        raise
    except BaseException as error:
        raise_if_stopped()  # what was made of a cancelled statement is beside the point
        failure = missing_package(error, _folders(scripts)) or failed(error)
        if failure is None:
            raise
        raise failure from error


def _folders(scripts: ScriptDirectory) -> list[Path]:
    folder = Path(scripts.dir).absolute()
    return [*map(Path, version_locations(scripts)), folder, folder.parent]


def no_connection(error: BaseException) -> BootError | None:
    """Return the failure if env.py got no connection; None for any other error."""
    if isinstance(error, MissingGreenlet):
        return ConfigurationError(
            "Alembic's env.py connects without asyncio, and the driver of its URL needs asyncio.",
            "Write the URL as postgresql+psycopg2://…, or let env.py connect as Alembic's "
            "async template does. Nothing was changed.",
        )
    match error, _origin(error):
        # In SQLAlchemy 2.0 a ValueError.
        case ImportError() | ValueError(), (module, _) if (
            module.startswith("sqlalchemy.") and find_spec("greenlet") is None
        ):
            return ConfigurationError(
                "Alembic's env.py connects by asyncio, and that needs the package greenlet.",
                "Install it: pip install greenlet. Nothing was changed.",
            )
        case InvalidRequestError(), ("sqlalchemy.ext.asyncio.engine", "__init__"):
            return ConfigurationError(
                "Alembic's env.py connects by asyncio, and the driver of its URL is not async.",
                "Write postgresql+asyncpg://… in the URL. Nothing was changed.",
            )
        case RuntimeError(), ("asyncio.runners", _):
            return ConfigurationError(
                "Alembic's env.py calls asyncio.run(), and an event loop runs in this thread.",
                "Call this by `await asyncio.to_thread(…)`. Nothing was changed.",
            )
    code = sqlstate(error)
    if isinstance(error, DBAPIError):
        raised: BaseException | None = error.orig
        # An error without a statement comes from connecting.
        if error.statement is not None:
            return None
    else:  # before 2.1, SQLAlchemy lets asyncpg's own errors through
        raised = error
        if not (code or "").startswith(_OF_LOGINS):
            return None
    cause = (causes(str(raised)) or [type(raised).__name__])[-1].rstrip(".")
    if code:
        answer = Answer(code, cause)
    else:  # libpq has none for a login: the same login is tried once more
        login = last_attempt()
        answer = Answer() if login is None else ask(login, _ASKED_WITHIN)
    what = f"Alembic's env.py could not connect: {answer.sentence or cause}."
    if meaning(answer) in (Refusal.LOGIN, Refusal.DATABASE_MISSING):
        return LoginRefusedError(what, "Nothing was changed. Correct the login that env.py uses.")
    return DatabaseUnreachableError(what, "Nothing was changed. Start again.")


def is_missing_url(error: BaseException) -> bool:
    """Return whether SQLAlchemy was to make an engine of a configuration without a URL."""
    module, function = _origin(error)
    return (
        isinstance(error, KeyError)
        and module.startswith("sqlalchemy.")
        and function.endswith("engine_from_config")
    )


def _origin(error: BaseException) -> tuple[str, str]:
    """Return the module and the function that raised an error."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    if not frames:
        return "", ""
    return frames[-1].f_globals.get("__name__", ""), frames[-1].f_code.co_name


def way_out(error: BaseException, what: str = "the revision") -> str:
    """Return the advice for a failed revision, or for other code of env.py.

    A note on the error comes first: the code that added it knows most.
    """
    raised = error.orig if isinstance(error, DBAPIError) else error
    if notes := getattr(raised, "__notes__", ()):
        return str(notes[-1])
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return "Start again."
    if isinstance(error, OperationalError) and error.pgcode is None:  # boot's own has ended
        return "Start again."
    state = sqlstate(error) or ""
    if state == _NO_RIGHT and _field(error, "source_file", "server_source_filename") == _POLICIES:
        return _ROW_SECURITY
    for code, advice in _WAYS_OUT.items():
        if state.startswith(code):
            return advice
    if state == _NEEDS_BLOCK and not _is_setting(error):
        return _BLOCK
    if state.startswith(_OF_ROWS):
        return f"Fix {what} or the rows{_key(error) if state == _UNIQUE else ''} and start again."
    return f"Fix {what} and start again."


def _is_setting(error: BaseException) -> bool:
    # Only here: the parser takes 60 ms to import, and nothing has failed at most starts.
    from alembic_boot.sql.statement import is_setting

    return is_setting(getattr(error, "statement", None) or "")


def _key(error: BaseException) -> str:
    """Return the duplicate key's columns, without its values; an empty text if not known."""
    name, detail = _field(error, "constraint_name"), _field(error, "message_detail", "detail")
    found = _KEY.search(detail)
    columns = f": {found[1]}" if found else ""
    return f" ({name}{columns} must be unique)" if name else ""


def _field(error: BaseException, *names: str) -> str:
    """Return a field of PostgreSQL's error, from the attribute of the driver in use."""
    raised: Any = error.orig if isinstance(error, DBAPIError) else error
    places = [getattr(raised, "diag", None), raised, getattr(raised, "__cause__", None)]
    found = (getattr(place, name, None) for place in places for name in names)
    return next((text for text in found if isinstance(text, str)), "")
