"""Tell the application, while it serves, whether the schema is what this release needs."""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection

from alembic_boot.errors import BootError
from alembic_boot.masking import mask
from alembic_boot.postgres.connection import one_line
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.serving.handover import boot_differences
from alembic_boot.serving.judge import Judge, Readiness
from alembic_boot.serving.probe_connection import KeptConnection, LoginFailedError
from alembic_boot.serving.shortage import Shortage, is_shortage
from alembic_boot.serving.sqlstates import sentence

Lend = Callable[[], AbstractContextManager[Connection]]
"""Gives a connection of those by which requests ask, in autocommit; raises psycopg2.Error."""

_log = logging.getLogger(__name__)


class ReadinessProbe:
    """Looks at the database at every check, so that it notices what others changed there.

    Thread-safe. All checks use one connection, which is kept. If the database is short of
    connections, a check borrows one of those by which requests ask.
    """

    def __init__(self, url: DatabaseUrl, judge: Judge, lend: Lend) -> None:
        self._url = url
        self._judge = judge
        self._lend = lend
        self._connection = KeptConnection(url)
        self._shortage = Shortage()
        self._is_login_due = False
        self._lock = threading.Lock()
        self._last: tuple[float, object, Readiness] | None = None
        self._told: str | None = None

    def check(self) -> Readiness:
        """Return whether the schema is at its target, and if not, why; never raises for that.

        The log has the cause with all names, once for as long as it stays the same.
        """
        with self._lock:
            known = self._own_knowledge()
            found = self._check()
            self._tell(found)
            self._last = (time.monotonic(), known, found)
            return found

    def last(self, within: float = math.inf) -> Readiness | None:
        """Return what the last check found, if it was in the last `within` seconds.

        None also if this process has learned since then that requests fail.
        """
        if self._last is None:
            return None
        when, known, found = self._last
        is_fresh = time.monotonic() - when <= within
        return found if is_fresh and known == self._own_knowledge() else None

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def note_failed(self, statement: str, sqlstate: str, parameters: Mapping[str, Any]) -> None:
        """Not be ready as long as this statement of a request fails in this way."""
        self._judge.statements.note_failed(statement, sqlstate, parameters)

    def note_failed_run(
        self, statement: str, sqlstate: str, message: str, *, is_certain: bool
    ) -> None:
        """Not be ready until this statement works again, or for half a minute.

        PostgreSQL could plan the statement, so nothing else than a run can tell. If the statement
        has worked before, and it is not `is_certain` that it fails for everybody, this is ready
        and says so. The message must not have anything in it that a client has sent.
        """
        statements = self._judge.statements
        statements.note_failed_run(statement, sqlstate, message, is_certain=is_certain)

    def note_worked(self, statement: str) -> None:
        """Hear that a statement has worked."""
        self._judge.statements.note_worked(statement)

    def note_unavailable(self, sqlstate: str | None) -> None:
        """Find out why a request got no answer, or what the database is short of.

        Without a SQLSTATE the request's login may have failed: the next check logs in as well.
        """
        if sqlstate is None:
            self._is_login_due = True
        elif is_shortage(sqlstate):
            self._shortage.note(sqlstate)

    def _own_knowledge(self) -> object:
        """Return what this process knows without a look at the database."""
        return self._judge.statements.noted, boot_differences()

    def _tell(self, found: Readiness) -> None:
        cause = found.cause or found.reason
        if cause == self._told:
            return
        self._told = cause
        if cause is None:
            _log.info("Ready again")
        elif found.ready:
            _log.warning("Ready, but some requests fail: %s", mask(cause))
        else:
            _log.warning("Not ready: %s", mask(cause))

    def _check(self) -> Readiness:
        try:
            return self._asked()
        except BootError as error:
            reason = self._judge.failure_of_boot() or error.public
            return Readiness(ready=False, reason=reason, cause=str(error))
        except psycopg2.Error as error:
            cause = f"the database at {self._url.masked} cannot be asked: {one_line(error)}."
            return Readiness(ready=False, reason=sentence(sqlstate(error)), cause=cause)

    def _asked(self) -> Readiness:
        if self._is_login_due:
            self._is_login_due = False
            self._connection.close()
        try:
            with self._connection.lent() as connection:
                found = self._judge.judge(connection)
        except LoginFailedError as refused:
            if not is_shortage(refused.sqlstate):
                raise
            return self._asked_of_pool(refused)
        code = self._shortage.now()
        return found if code is None else _although(found, sentence(code))

    def _asked_of_pool(self, refused: LoginFailedError) -> Readiness:
        """Return what one of the requests' own connections shows: on those, requests work."""
        try:
            with self._lend() as connection:
                found = self._judge.judge(connection)
        except psycopg2.OperationalError as error:
            raise refused from error
        return _although(found, sentence(refused.sqlstate))


def _although(found: Readiness, shortage: str) -> Readiness:
    """Return the answer with what the database is short of, unless it has a reason already."""
    return replace(found, reason=found.reason or shortage)
