"""Takeover: end what a dead starter left running, before another starter goes on.

The lock is free the moment its session dies, while the session that ran the migration may still
be at work: a server does not notice at once that its client is gone, and a process that was
stopped may be continued.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from psycopg2.extensions import connection as Connection

from alembic_boot.errors import LockTimeoutError
from alembic_boot.polling import poll
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.running.lock import IsDone, SchemaLock, schema_lock
from alembic_boot.running.worker import end_sessions, sessions_at_work
from alembic_boot.state.journal import Journal, Starter
from alembic_boot.state.journal_rows import Running

_log = logging.getLogger(__name__)

_GRACE = 2.0
"""Seconds a session gets to end by itself: the server looks every second for its client."""

_INTERVAL = 0.1


@contextmanager
def exclusively(
    url: DatabaseUrl, journal: Journal, timeout: float, is_done: IsDone | None = None
) -> Iterator[SchemaLock]:
    """Hold the schema's lock, after the sessions of dead starters have ended.

    `timeout` is in seconds, for the lock and for the sessions. Raises LockTimeoutError, and
    NotNeededError as soon as another starter has the lock and `is_done` returns True.
    """
    with schema_lock(url, journal, timeout, is_done) as lock:
        with connected(url) as connection:
            end_abandoned(connection, journal, timeout)
        yield lock


@contextmanager
def exclusively_at_once(url: DatabaseUrl, journal: Journal) -> Iterator[SchemaLock | None]:
    """Do the same if there is nothing to wait for; otherwise yield None."""
    with ExitStack() as held:
        lock = None
        with suppress(LockTimeoutError):
            lock = held.enter_context(schema_lock(url, journal, 0))
            with connected(url) as connection:
                is_abandoned = journal.why_unseen(connection) or journal.running(connection)
            if is_abandoned:
                lock = None
                held.close()
        yield lock


def end_abandoned(connection: Connection, journal: Journal, timeout: float) -> None:
    """Return when no session of an earlier starter can change anything any more.

    The caller holds the lock. So a starter that is still `running` in the journal has died. Its
    session may end by itself within a moment, and is then terminated. Raises LockTimeoutError after
    `timeout` seconds if this role may not terminate it.
    """
    if refusal := journal.why_unseen(connection):  # a row that is hidden is none that is over
        raise refusal
    for left in journal.running(connection):
        _log.warning(
            "A starter died during a migration (%s): waiting for the end of its session", left
        )
        if left.session_key is not None:
            _await_end(connection, left, AdvisoryKey(left.session_key), timeout)
        journal.fail(connection, left.id, f"Its starter died; {Starter.here()} went on.")


def _await_end(connection: Connection, left: Running, key: AdvisoryKey, timeout: float) -> None:
    sessions: list[int] = []

    def is_over() -> bool:
        sessions[:] = sessions_at_work(connection, key)
        return not sessions

    def end(waited: float) -> None:
        if waited >= _GRACE:
            for pid in end_sessions(connection, key):
                _log.warning("Ended the session of the dead starter (backend %s)", pid)

    if not poll(is_over, max(timeout, 2 * _GRACE), _INTERVAL, say=end):
        backends = ", ".join(map(str, sessions))
        statements = "; ".join(f"SELECT pg_terminate_backend({pid})" for pid in sessions)
        raise LockTimeoutError(
            f"A session of a starter that died (backend {backends}, at {left.revision}) is "
            "still running, and this role may not end it.",
            f"End it as the superuser with `{statements}`. Nothing was changed.",
        )
