"""Notice that the answer to a statement is lost while its connection stays open.

A network can lose the answer alone, as a proxy does that restarts. The client would wait for ever:
nothing more is under way, and the server has nothing more to say.
"""

import logging
import time
from collections.abc import Callable

import psycopg2
from psycopg2.extensions import connection as Connection

from alembic_boot.errors import BootError
from alembic_boot.running.worker import Worker

_log = logging.getLogger(__name__)

Use = Callable[[Callable[[Connection], str | None]], str | None]
"""Calls a function with a connection to the database, which may be a new one."""

LIMIT = 10.0
"""Seconds that an answer may take after the server has ended the statement."""

_GONE = "gone"

_BACKEND = """
SELECT CASE WHEN state LIKE 'idle%%' THEN state_change::text END FROM pg_stat_activity
WHERE pid = %s
    AND coalesce(to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00') = %s,
                 true)
"""


class Silence:
    """The time that a client has waited for a server process that does nothing."""

    def __init__(self) -> None:
        self._idle_since: str | None = None
        self._seen_at = 0.0

    def is_too_long(self, idle_since: str | None, now: float) -> bool:
        """Return whether every look has found the same wait for `LIMIT` seconds, up to `now`.

        `idle_since` identifies the time since when the process is idle; None if the process works,
        or if the client does not wait.
        """
        if idle_since is None or idle_since != self._idle_since:
            self._idle_since, self._seen_at = idle_since, now
            return False
        return now - self._seen_at >= LIMIT


class LostAnswer:
    """Looks at the server process of the migrations while its client waits for an answer."""

    def __init__(self, use: Use, worker: Worker, is_waiting: Callable[[], bool]) -> None:
        """Look over the connection that `use` gives; `is_waiting` says that the client waits."""
        self._use = use
        self._worker = worker
        self._is_waiting = is_waiting
        self._silence = Silence()

    def look(self) -> bool:
        """Return whether no answer will come any more."""
        try:
            idle_since = self._use(self._idle_since) if self._is_waiting() else None
        except (psycopg2.Error, BootError) as error:
            _log.debug("The session of the migrations could not be looked at: %s", error)
            idle_since = None
        if not self._silence.is_too_long(idle_since, time.monotonic()):
            return False
        _log.warning(
            "The answer to the last statement is lost: the server has been idle for %.0f s; "
            "ending the connection",
            LIMIT,
        )
        return True

    def _idle_since(self, connection: Connection) -> str | None:
        """Return since when the process is idle; None if it works, or if its state is hidden."""
        with connection.cursor() as cursor:
            cursor.execute(_BACKEND, (self._worker.backend_pid, self._worker.backend_start))
            [since] = cursor.fetchone() or [_GONE]
        return since
