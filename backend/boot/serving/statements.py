"""Statements that the schema has to fit: PostgreSQL is asked to plan them, and runs none."""

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import psycopg2
from psycopg2 import errorcodes
from psycopg2.extensions import connection as Connection

from backend.boot.commands import as_typed

UNFIT = frozenset(
    {
        errorcodes.UNDEFINED_TABLE,
        errorcodes.UNDEFINED_COLUMN,
        errorcodes.UNDEFINED_FUNCTION,  # operators, too: the type of a column has changed
        errorcodes.UNDEFINED_OBJECT,
        errorcodes.INVALID_SCHEMA_NAME,
        errorcodes.INVALID_COLUMN_REFERENCE,  # ON CONFLICT without the constraint that it needs
        errorcodes.DATATYPE_MISMATCH,
        errorcodes.CANNOT_COERCE,
        errorcodes.WRONG_OBJECT_TYPE,
        errorcodes.GENERATED_ALWAYS,
        errorcodes.INSUFFICIENT_PRIVILEGE,
    }
)
"""The SQLSTATEs of a statement that does not fit the schema, or the rights that it was given."""

_LABEL_MISSING = errorcodes.INVALID_TEXT_REPRESENTATION
"""Of a statement without parameters: an enum has not the label that stands in it."""

_MOST = 8
"""Failed statements that are kept: one is enough not to be ready."""

_TRIED_AGAIN_AFTER = 30.0
"""Seconds after which requests are let in again to try what has failed only when it ran."""

_PATIENCE = "100ms"
"""How long a table may be locked."""

_BUSY = frozenset({errorcodes.LOCK_NOT_AVAILABLE, errorcodes.QUERY_CANCELED})
"""PostgreSQL could not say whether a statement fits."""

# What psycopg2 and psycopg take as a parameter, and the percent sign that is none.
_PARAMETER = re.compile(r"%(?P<percent>%)|%(\((?P<name>[^)]*)\))?s")

_TYPES: Mapping[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "double precision",
    datetime: "timestamptz",
}
"""The types of parameters that the statement itself does not say."""

_REVISION = 'inv revision --message "what changed"'
_ADVICE = (
    "If a model was changed, write its revision: `{}`. "
    "If the schema was, put back what it has lost."
)
_ADVICE_IF_PINNED = (
    "The schema is held below head, where this release needs it: unset MIGRATION_TARGET and "
    "MIGRATION_ROLLBACK, or deploy the release that the schema is for."
)
_ADVICE_ON_RIGHTS = "GRANT the role of DATABASE_URL what it needs there."


def explained(statement: str, parameters: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Return the statement that has PostgreSQL plan this one, with NULL for every parameter.

    Of the parameters only the types are kept.
    """

    def written(found: re.Match[str]) -> str:
        if found["percent"]:
            return "%"
        known = _TYPES.get(type(parameters.get(found["name"])))
        return f"CAST(NULL AS {known})" if known else "NULL"

    return "EXPLAIN " + _PARAMETER.sub(written, statement)


@dataclass(frozen=True)
class _FailedRun:
    """Why a statement failed when it ran, and until when that counts."""

    sqlstate: str
    message: str
    until: float


class Statements:
    """The statements that an application cannot do without, and those that have failed.

    A failed statement is planned again at each look, without its parameters, and forgotten when
    that no longer fails in the same way. So a client cannot keep a replica from being ready by
    what it sends, and readiness comes back without a request that tries. A statement that can be
    planned, and fails only when it runs, counts until it works or half a minute is over: a replica
    that gets no requests would else stay out for ever. Thread-safe.
    """

    def __init__(
        self, needed: Iterable[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._needed = "; ".join(map(explained, needed))
        self._failed: dict[str, str] = {}
        self._failed_runs: dict[str, _FailedRun] = {}
        self._clock = clock
        self.noted = 0
        """How often something new was learnt of a statement."""
        self._lock = threading.Lock()

    def note_failed(
        self, statement: str, sqlstate: str, parameters: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """Have a look, from now on, at a statement of a request that failed in this way."""
        planned = explained(statement, parameters)
        with self._lock:
            if len(self._failed) < _MOST and self._failed.get(planned) != sqlstate:
                self._failed[planned] = sqlstate
                self.noted += 1

    def note_failed_run(self, statement: str, sqlstate: str, message: str) -> None:
        """Not fit for a while because of a statement that can be planned, but fails when it runs.

        The message must not have anything in it that a client has sent.
        """
        until = self._clock() + _TRIED_AGAIN_AFTER
        with self._lock:
            if len(self._failed_runs) < _MOST:
                self.noted += statement not in self._failed_runs
                self._failed_runs[statement] = _FailedRun(sqlstate, message, until)

    def note_worked(self, statement: str) -> None:
        """Forget that this statement has failed when it ran."""
        if self._failed_runs:
            with self._lock:
                self.noted += self._failed_runs.pop(statement, None) is not None

    def why_unfit(self, connection: Connection, *, is_pinned: bool = False) -> str | None:
        """Return why a statement does not fit the schema; None if all of them fit.

        Of a schema that `is_pinned` below head, those that are needed are not asked for.
        """
        with self._lock:
            failed = dict(self._failed)
        for statement, sqlstate in failed.items():
            error = _plan(connection, statement)
            if error is not None and error.pgcode in _BUSY:
                return "A request has failed on a table that is locked now. Ask again."
            if error is not None and error.pgcode == sqlstate:
                return _sentence_of(error, is_pinned=is_pinned)
            with self._lock:
                self._failed.pop(statement, None)
        if (failed_run := self._last_failed_run()) is not None:
            return _sentence(failed_run.message, failed_run.sqlstate, is_pinned=is_pinned)
        # All of them in one round trip, at every probe.
        if is_pinned or not self._needed:
            return None
        error = _plan(connection, self._needed)
        if error is None or error.pgcode in _BUSY:
            return None
        if error.pgcode in UNFIT or error.pgcode == _LABEL_MISSING:
            return _sentence_of(error)
        raise error

    def _last_failed_run(self) -> _FailedRun | None:
        now = self._clock()
        with self._lock:
            self._failed_runs = {
                statement: it for statement, it in self._failed_runs.items() if now < it.until
            }
            return next(reversed(self._failed_runs.values()), None)


def _plan(connection: Connection, statement: str) -> psycopg2.Error | None:
    """Return the server's refusal to plan these statements; None if it does."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN READ ONLY")
        try:
            cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'; {statement}")
        except psycopg2.Error as error:
            if error.pgcode is None:  # the connection is gone
                raise
            return error
        finally:
            if not connection.closed:
                cursor.execute("ROLLBACK")
    return None


def _sentence_of(error: psycopg2.Error, *, is_pinned: bool = False) -> str:
    return _sentence(error.diag.message_primary or "", error.pgcode, is_pinned=is_pinned)


def _sentence(message: str, sqlstate: str | None, *, is_pinned: bool = False) -> str:
    if sqlstate == errorcodes.INSUFFICIENT_PRIVILEGE:
        advice = _ADVICE_ON_RIGHTS
    else:
        advice = _ADVICE_IF_PINNED if is_pinned else _ADVICE.format(as_typed(_REVISION))
    return f"Requests fail on this schema: {message} ({sqlstate}). {advice}"
