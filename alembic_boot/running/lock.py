"""One starter works on a schema at a time; the others wait, and name the one that works."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import connection as Connection

from alembic_boot.commands import setting
from alembic_boot.errors import LockLostError, LockTimeoutError
from alembic_boot.output.log_fields import fields
from alembic_boot.polling import poll
from alembic_boot.postgres.advisory import AdvisoryKey, begin, end, try_lock
from alembic_boot.postgres.connection import connected, own_name
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.running.watcher import Watcher
from alembic_boot.situation import enter, note
from alembic_boot.state.journal import Journal, Starter
from alembic_boot.state.journal_rows import Running

_log = logging.getLogger(__name__)

_INTERVAL = 0.1
"""Seconds between two tries.

A blocking lock request would be a deadlock when the holder builds an index concurrently: the build
waits for every open transaction, also for one that waits for the lock.
"""

_REPEAT = 5.0
"""Seconds after which the same holder is named again."""

_HEARTBEAT = 2.0
"""Seconds between two looks whether the lock's own session is still there."""

_SILENCE = 10.0
"""Seconds without an answer after which the lock's own session counts as gone."""

# Unlike SELECT it takes no snapshot. CREATE INDEX CONCURRENTLY waits for every transaction that has
# an older snapshot. This transaction would not end before the index is built.
_STILL_THERE = "SHOW transaction_isolation"

# A host that vanishes does not close its connection, and the server asks only after two hours. The
# heartbeat keeps the session of a living process below this limit.
_UNTIL_SILENT = "SET LOCAL idle_in_transaction_session_timeout = '30s'"

IN_DOUBT = (
    "The answer to its last statement is lost: what that statement has changed may be committed."
)
"""The sentence about a statement of a revision that commits."""

_INTRODUCTION = re.compile(r"boot(?: \S+)?: ")

_HOLDER = """
SELECT coalesce(nullif(application_name, ''), 'backend ' || pid), xact_start
FROM pg_stat_activity WHERE pid IN ({holder})
"""


IsDone = Callable[[], bool]
"""Returns whether there is nothing to do any more."""


class NotNeededError(Exception):
    """The lock is not needed: meanwhile, another starter has done everything."""


@dataclass
class SchemaLock:
    """The lock while it is held. When its session ends, for any reason, the lock is lost."""

    connection: Connection = field(repr=False)
    token: AdvisoryKey
    """A key that only the lock's session holds: as long as it is held, the lock is held."""
    on_loss: Callable[[], None] | None = None
    """Called from another thread when the lock's session is found dead, or if `is_stuck`."""
    is_stuck: Callable[[], bool] = lambda: False
    """Returns whether the work under the lock waits for an answer that will not come."""
    is_lost: bool = False
    watcher: Watcher = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Prepare the regular look at the lock's session.

        A statement under the lock may run for an hour. It must end if the lock is lost meanwhile.
        It must also end if its answer is lost. The look keeps firewalls from closing an idle
        connection, and notices a dead network.
        """
        self.watcher = Watcher(self._look, _HEARTBEAT)

    def _look(self) -> None:
        if self.is_lost:
            return
        if (not self.is_held() or self.is_stuck()) and self.on_loss is not None:
            self.on_loss()

    def is_held(self) -> bool:
        """Ask the session whether it is still there; if it is not, note that the lock is lost."""
        try:
            if not self.is_lost:
                self.connection.cursor().execute(_STILL_THERE)
        except psycopg2.Error:
            self.is_lost = True
        return not self.is_lost


def lock_lost(*, is_committing: bool = False, is_in_doubt: bool = False) -> LockLostError:
    """Return the error for a revision that ran when the lock was lost.

    If the revision was being committed, no session can tell whether the commit was kept: neither
    on this server nor on a standby that takes over. `is_in_doubt` says the same of a statement of
    the revision that commits.
    """
    if is_committing:
        return LockLostError(
            "The lock on the schema was lost while a revision was being committed: its session "
            "ended.",
            "The database has all of that revision or nothing. Start again.",
        )
    if is_in_doubt:
        return LockLostError(
            "The lock on the schema was lost while a revision ran: its session ended.",
            f"{IN_DOUBT} Start again.",
        )
    return LockLostError(
        "The lock on the schema was lost while a revision ran: its session ended.",
        "What the revision's transaction had changed was rolled back. Start again.",
    )


@contextmanager
def schema_lock(
    url: DatabaseUrl, journal: Journal, timeout: float, is_done: IsDone | None = None
) -> Iterator[SchemaLock]:
    """Hold the lock of a version table; wait for it at most `timeout` seconds.

    It is an advisory lock of an open transaction, on a connection of its own. PostgreSQL frees the
    lock when that session ends, also after a kill, and a pooler cannot keep it. `is_done` is asked
    about each starter that has the lock and runs no revision. Raises LockTimeoutError, and
    NotNeededError if `is_done` returns True.
    """
    with connected(url, silence=_SILENCE) as connection:
        _acquire(connection, journal, timeout, is_done)
        lock = SchemaLock(connection, AdvisoryKey.random())
        try_lock(connection, lock.token)
        connection.cursor().execute(_UNTIL_SILENT)
        with lock.watcher.running():
            yield lock
        with suppress(psycopg2.Error):  # a session that is gone holds no lock
            end(connection)


def is_locked(connection: Connection, journal: Journal) -> bool:
    """Return whether anybody holds the lock of a version table now."""
    with connection.cursor() as cursor:
        cursor.execute(_key(journal).is_held_query)
        return cursor.fetchone() == (True,)


def died(connection: Connection, journal: Journal) -> frozenset[Running]:
    """Return the running rows of the journal if the lock is free: a working process holds it."""
    at_work = frozenset(journal.running(connection))
    if not at_work or is_locked(connection, journal):
        return frozenset()
    return at_work.intersection(journal.running(connection))  # one may have ended in between


def _key(journal: Journal) -> AdvisoryKey:
    return AdvisoryKey.named("schema", *journal.version_table.path)


def _acquire(
    connection: Connection, journal: Journal, timeout: float, is_done: IsDone | None
) -> None:
    key = _key(journal)
    holder = said = asked_about = ""
    said_at = 0.0

    def acquired() -> bool:
        nonlocal holder, asked_about
        begin(connection)
        introduce(connection)
        if try_lock(connection, key):
            return True
        running = _running(connection, journal)
        holder = running or holder_of(connection, key)
        end(connection)
        if is_done and not running and holder != asked_about:
            asked_about = holder  # to look at the schema takes a while
            if is_done():
                if said:
                    enter("migrate")
                raise NotNeededError
        if timeout:  # without one, the lock is tried once
            if not said:
                enter("lock", timeout)
            note(blocked_by="another starter")  # its host's name is for the log alone
        return False

    def say(waited: float) -> None:
        nonlocal said, said_at
        if holder != said or waited - said_at >= _REPEAT:
            busy = fields("waiting_for_starter", seconds=waited, blocked_by=holder)
            _log.info("Waiting for another starter (%s)", holder, extra=busy)
            said, said_at = holder, waited

    if not poll(acquired, timeout, _INTERVAL, say=say):
        raise LockTimeoutError(
            f"Another starter ({holder}) has kept the schema locked for more than {timeout:g} s.",
            f"See what it is doing, or set {setting('LOCK_TIMEOUT')} higher. Nothing was changed.",
        )
    if said:
        enter("migrate")


def introduce(connection: Connection) -> None:
    """Show our host and process to waiting starters, as the session's application_name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('application_name', left(%s, 63), true)",
            (f"{own_name()}: {Starter.here()}",),
        )


def _running(connection: Connection, journal: Journal) -> str | None:
    """Return the starter that runs a revision, from the journal; None if it has no such row.

    This runs in the transaction that has asked for the lock.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '1s'")
        try:
            if running := journal.running(connection):
                return str(running[-1])
        except errors.LockNotAvailable:
            return "a session that locks the journal"
    return None


def holder_of(connection: Connection, key: AdvisoryKey) -> str:
    """Return the holder of an advisory lock, by its session's application_name."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDER.format(holder=key.holder_query))
        name, since = cursor.fetchone() or (None, None)
    if name is None:
        return "a session that has just ended"
    begun = f", since {since.astimezone():%H:%M:%S}" if since else ""
    return f"{_INTRODUCTION.sub('', name)}{begun}"
