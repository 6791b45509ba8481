"""Statements that the schema has to support, and how they have fared."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import psycopg2
from psycopg2 import errorcodes
from psycopg2.extensions import connection as Connection

from alembic_boot.commands import as_typed, setting
from alembic_boot.serving.planning import explained, plan, shape_of
from alembic_boot.serving.sqlstates import BUSY, UNFIT

_LABEL_MISSING = errorcodes.INVALID_TEXT_REPRESENTATION
"""For a statement without parameters: an enum lacks a label in the statement."""

_MOST = 8
"""Failed statements that are kept: a single one is enough for not ready."""

_MOST_WORKING = 4096
"""Working statements that are remembered; after that it starts empty."""

_TRIED_AGAIN_AFTER = 30.0
"""Seconds for which a failure counts that appeared only when the statement ran."""

_REVISION = 'revision --message "what changed"'
_ADVICE = (
    "If a model was changed, write its revision: `{}`. "
    "If the schema was, put back what it has lost."
)
_ADVICE_IF_PINNED = (
    "The schema is held below head, but this release needs head: unset {} and {}, "
    "or deploy the release that the schema is for."
)
_ADVICE_ON_RIGHTS = "GRANT the role of DATABASE_URL what it needs there."

_DOUBT = (
    "Some requests fail, and others like them do not: {} ({}). Look at the functions, triggers "
    "and policies of the table."
)


@dataclass(frozen=True)
class _FailedRun:
    """Why a statement failed when it ran, and until when that counts."""

    sqlstate: str
    message: str
    until: float


class Statements:
    """The statements that an application needs, and those that have failed.

    A failed statement is planned again at each check, without its parameters. It is dropped when it
    no longer fails in the same way. So a client's data cannot keep a replica from being ready, and
    readiness returns without another request.

    A statement that can be planned, but fails when it runs, counts until it works or half a minute
    is over: otherwise a replica without requests would stay not ready for ever. It does not count
    if the same statement has worked on this revision: then a client's data may be the cause, and a
    client could make every replica not ready. Thread-safe.
    """

    def __init__(
        self, needed: Iterable[str] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._needed = "; ".join(map(explained, needed))
        self._failed: dict[str, str] = {}
        self._failed_runs: dict[int, _FailedRun] = {}
        self._last_doubt: _FailedRun | None = None
        self._worked: dict[int, int] = {}
        """Statements that have worked: the hash of the text, and the shape."""
        self._revision: tuple[str, ...] | None = None
        self._clock = clock
        self.noted = 0
        """Number of new facts about statements."""
        self._lock = threading.Lock()

    def note_failed(
        self, statement: str, sqlstate: str, parameters: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """From now on, check a statement of a request that failed in this way."""
        planned = explained(statement, parameters)
        with self._lock:
            if len(self._failed) < _MOST and self._failed.get(planned) != sqlstate:
                self._failed[planned] = sqlstate
                self.noted += 1

    def note_failed_run(
        self, statement: str, sqlstate: str, message: str, *, is_certain: bool = False
    ) -> None:
        """Report not fit for a while, because a statement can be planned, but fails when it runs.

        If the statement has worked before, the failure is only a warning, unless it `is_certain`
        that it fails for everybody. The message must not contain data of a client.
        """
        failed = _FailedRun(sqlstate, message, self._clock() + _TRIED_AGAIN_AFTER)
        shape = shape_of(statement)
        with self._lock:
            if shape in tuple(self._worked.values()) and not is_certain:
                self._last_doubt = failed
            elif len(self._failed_runs) < _MOST:
                self.noted += shape not in self._failed_runs
                self._failed_runs[shape] = failed

    def note_worked(self, statement: str) -> None:
        """Remember that this statement has worked, and forget that it has failed when it ran.

        For a known text this costs only a hash.
        """
        if (text := hash(statement)) not in self._worked:
            if len(self._worked) >= _MOST_WORKING:
                self._worked.clear()
            self._worked[text] = shape_of(statement)
        if self._failed_runs:
            with self._lock:
                self.noted += self._failed_runs.pop(shape_of(statement), None) is not None

    def note_revision(self, revision: tuple[str, ...]) -> None:
        """Forget the working statements if the schema is at another revision than before."""
        if self._revision not in (None, revision):
            self._worked.clear()
        self._revision = revision

    def doubt(self) -> str | None:
        """Return why a statement fails only for some requests, if one did lately."""
        failed = self._last_doubt
        if failed is None or self._clock() >= failed.until:
            return None
        return _DOUBT.format(failed.message, failed.sqlstate)

    def why_unfit(self, connection: Connection, *, is_pinned: bool = False) -> str | None:
        """Return why a statement does not fit the schema; None if all of them fit.

        If the schema `is_pinned` below head, the needed statements are not checked.
        """
        with self._lock:
            failed = dict(self._failed)
        for statement, sqlstate in failed.items():
            error = plan(connection, statement)
            if error is not None and error.pgcode in BUSY:
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
        error = plan(connection, self._needed)
        if error is None or error.pgcode in BUSY:
            return None
        if error.pgcode in UNFIT or error.pgcode == _LABEL_MISSING:
            return _sentence_of(error)
        raise error

    def _last_failed_run(self) -> _FailedRun | None:
        now = self._clock()
        with self._lock:
            self._failed_runs = {
                shape: it for shape, it in self._failed_runs.items() if now < it.until
            }
            return next(reversed(self._failed_runs.values()), None)


def _sentence_of(error: psycopg2.Error, *, is_pinned: bool = False) -> str:
    return _sentence(error.diag.message_primary or "", error.pgcode, is_pinned=is_pinned)


def _sentence(message: str, sqlstate: str | None, *, is_pinned: bool = False) -> str:
    if sqlstate == errorcodes.INSUFFICIENT_PRIVILEGE:
        advice = _ADVICE_ON_RIGHTS
    else:
        advice = (
            _ADVICE_IF_PINNED.format(setting("TARGET"), setting("ROLLBACK"))
            if is_pinned
            else _ADVICE.format(as_typed(_REVISION, is_public=True))
        )
    return f"Requests fail on this schema: {message} ({sqlstate}). {advice}"
