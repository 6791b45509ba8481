"""Tell the application, while it serves, whether the schema fits this release."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

import psycopg2
from psycopg2.extensions import connection as Connection

from alembic_boot.errors import BootError
from alembic_boot.output.masking import mask
from alembic_boot.postgres.connection import named, one_line
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.serving.probe_connection import KeptConnection, LoginFailedError
from alembic_boot.serving.readiness_check import ReadinessCheck
from alembic_boot.serving.sqlstates import SHORTAGES, sentence
from alembic_boot.state.readiness import Readiness

Lend = Callable[[], AbstractContextManager[Connection]]
"""Yields a connection from the requests' pool, in autocommit; raises psycopg2.Error."""

FRESH = 1.0
"""Seconds for which an answer is reused, so that callers cause one query per second."""

_SHORTAGE_COUNTS = 30.0
"""Seconds: a probe only reads, so only a request shows whether a shortage lasts."""

_log = logging.getLogger(__name__)


class Probe(Protocol):
    """Checks the database, and remembers the result."""

    def check(self) -> Readiness:
        """Check now; this takes up to three seconds."""

    def last(self, within: float = math.inf) -> Readiness | None:
        """Return the last result if it is recent enough and still true."""


class AnswerLog:
    """Logs the cause of an answer, with all names, once while it stays the same."""

    def __init__(self) -> None:
        self._told: str | None = None

    def tell(self, found: Readiness) -> None:
        """Log an answer if its cause is another one than that of the last answer."""
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


class ReadinessProbe:
    """Queries the database at every check, so that it notices changes by other processes.

    Thread-safe. All checks use one connection, which is kept open. If the database is short of
    connections, a check borrows one from the requests' pool.
    """

    def __init__(
        self, url: DatabaseUrl, check: ReadinessCheck, lend: Lend, log: AnswerLog | None = None
    ) -> None:
        """`log` has the earlier answers, if there were some before this probe was made."""
        self.statements = check.statements
        """To note which statements of requests fail, and which work."""
        self._url = url
        self._readiness = check
        self._lend = lend
        self._connection = KeptConnection(url, name=named("readiness", check.release))
        self._shortage: tuple[float, str] | None = None
        self._is_login_due = False
        self._lock = threading.Lock()
        self._last: tuple[float, object, Readiness] | None = None
        self._log = log or AnswerLog()

    def check(self) -> Readiness:
        """Return whether the schema is at its target, and otherwise why; never raises for that.

        The log gets the cause, as `AnswerLog` writes it.
        """
        with self._lock:
            known = self._own_knowledge()
            found = self._check()
            self._log.tell(found)
            self._last = (time.monotonic(), known, found)
            return found

    def last(self, within: float = math.inf) -> Readiness | None:
        """Return the result of the last check, if it is at most `within` seconds old.

        None also if this process has noticed failed requests since then.
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

    def note_unavailable(self, sqlstate: str | None) -> None:
        """Find out why a request got no answer, or which resource the database lacks.

        Without a SQLSTATE the request's login may have failed: the next check logs in as well.
        """
        if sqlstate is None:
            self._is_login_due = True
        elif sqlstate in SHORTAGES:
            self._shortage = (time.monotonic(), sqlstate)

    def _own_knowledge(self) -> object:
        """Return the knowledge of this process, without a query."""
        return self.statements.noted, self._readiness.facts.get("differences")

    def _check(self) -> Readiness:
        try:
            return self._asked()
        except BootError as error:
            return Readiness(ready=False, reason=error.public, cause=str(error))
        except psycopg2.Error as error:
            cause = f"the database at {self._url.masked} cannot be asked: {one_line(error)}."
            return Readiness(ready=False, reason=sentence(sqlstate(error)), cause=cause)

    def _asked(self) -> Readiness:
        if self._is_login_due:
            self._is_login_due = False
            self._connection.close()
        refused_with: str | None = None
        try:
            with self._connection.lent() as connection:
                found = self._readiness.evaluate(connection)
        except LoginFailedError as refused:
            if refused.sqlstate not in SHORTAGES:
                raise
            # Requests work if one of their own connections does.
            refused_with = refused.sqlstate
            try:
                with self._lend() as connection:
                    found = self._readiness.evaluate(connection)
            except psycopg2.OperationalError as error:
                raise refused from error
        shortage = refused_with or self._last_shortage()
        return replace(found, reason=found.reason or (sentence(shortage) if shortage else None))

    def _last_shortage(self) -> str | None:
        """Return the SQLSTATE of the last shortage that a request met lately."""
        if self._shortage is None or time.monotonic() - self._shortage[0] > _SHORTAGE_COUNTS:
            return None
        return self._shortage[1]


class SharedProbe:
    """Runs one check at a time, for one event loop."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._question: asyncio.Task[Readiness] | None = None

    async def now(self, within: float = FRESH) -> Readiness:
        """Return a result that is at most `within` seconds old, or the next one.

        If requests fail during the check, check again, but only once: otherwise a process with
        constant failures would never answer.
        """
        if (known := self._probe.last(within)) is not None:
            return known
        await self._answer()
        return self._probe.last() or await self._answer()

    async def _answer(self) -> Readiness:
        """Return the result of the running check, or of a new one."""
        if self._question is None:
            self._question = asyncio.create_task(self._ask())
        # If one caller disconnects, the others still get the answer.
        return await asyncio.shield(self._question)

    async def _ask(self) -> Readiness:
        try:
            # Not in the threads for requests: all of those may be waiting for the database.
            return await asyncio.to_thread(self._probe.check)
        finally:
            self._question = None
