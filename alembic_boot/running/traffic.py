"""Live traffic beside a step: roll the step back if other sessions block it, and retry it.

The whole revision runs again, in a new transaction. A savepoint would release locks as well. But a
serialization failure needs a new snapshot, and an open transaction during the pauses would hinder
vacuum.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from psycopg2.extensions import connection as Connection

from alembic_boot.environment.session import MigrationSession
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.running import retry_reasons as reasons
from alembic_boot.running.budget import Budget
from alembic_boot.running.lock_timeout import LockTimeout
from alembic_boot.running.traffic_watch import TrafficWatch
from alembic_boot.running.transaction import RevisionTransaction
from alembic_boot.running.watcher import Watcher
from alembic_boot.signals import raise_if_stopped
from alembic_boot.sql.statement import commits, may_set_lock_timeout
from alembic_boot.sql.writing import literal

# An autovacuum worker cancels itself for a session that has waited for `deadlock_timeout`, which is
# longer than any wait here. This lock mode blocks neither readers nor writers.
_MAY_ASK = "SELECT has_table_privilege(to_regclass({table}), 'UPDATE')"
_ASK = "LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE"


class Traffic:
    """The tries of the steps of one run.

    `observer` is another session; it belongs to the watch while a step runs.
    """

    def __init__(
        self,
        session: MigrationSession,
        budget: Budget,
        observer: Connection,
        watcher: Watcher,
        transaction: RevisionTransaction,
    ) -> None:
        self._session = session
        self._budget = budget
        self._observer = observer
        self._watcher = watcher
        self._transaction = transaction
        self._limit = LockTimeout(session)
        self.has_own_limit = self._limit.is_own
        """Whether env.py, or the revision that runs, has set a `lock_timeout` itself."""
        self._watch: TrafficWatch | None = None
        self._label = ""
        self._has_met_limit = False
        """Whether our limit has ended a wait in this try; the revision may have caught that."""
        self._vacuumed: str | None = None

    @property
    def watch(self) -> TrafficWatch | None:
        """The watch over the step that runs."""
        return self._watch

    @contextmanager
    def trying(self, label: str, key: AdvisoryKey) -> Iterator[None]:
        """Watch one try of a step, with its commit. The key identifies its session."""
        self._label = label
        self.has_own_limit = self._limit.is_own
        self._has_met_limit = False
        self._watch = TrafficWatch(self._observer, key, label, self._budget)
        self._watch.may_cancel = not self._limit.is_own
        with self._watcher.meanwhile(self._watch.look):
            yield

    def has_blocked(self, error: Exception) -> bool:
        """Return whether live traffic made the try fail, and it was rolled back completely.

        Raises MigrationFailedError if the budget is used up.
        """
        watch = self._watch
        assert watch is not None  # noqa: S101 (a try has just failed)
        raise_if_stopped()
        phrase = reasons.phrase(
            sqlstate(error), has_cancelled=watch.has_cancelled, is_for_crowd=watch.is_for_crowd
        )
        if phrase is None or not self._transaction.is_intact():
            return False
        self._session.forget_transaction()
        self._vacuumed = None if self._limit.is_own else watch.vacuumed
        self._budget.failed(self._label, phrase, watch.blockers, error)
        return True

    def succeeded(self) -> None:
        """Note that the step is committed."""
        self._watch = None
        self._budget.succeeded(self._label)
        self._vacuumed = None

    def beginning(self, *, is_first: bool) -> tuple[str, ...]:
        """Return SQL that limits how long the statements of a new transaction wait for locks.

        A later transaction of a revision is not limited, because it cannot run again. A limit of
        env.py or of its URL stays.
        """
        if not is_first:
            self.left()
            return ()
        return self._limit.beginning(self._budget.limit, self._budget.row_limit)

    def left(self) -> None:
        """Stop limiting a revision that has left its first transaction: it cannot run again."""
        self._limit.leave()
        if self._watch is not None:
            self._watch.may_cancel = False

    def executing(self, statement: str, *, may_prefix: bool) -> None:
        """Limit the wait of a revision's next statement, unless the revision sets a limit itself.

        Raises CutShortError, as below.
        """
        if commits(statement):
            self.require_whole()
        if may_set_lock_timeout(statement):
            self.has_own_limit = True
            self.left()
        else:
            self._limit.executing(statement, may_prefix=may_prefix)

    def execute(self, execute: Callable[[], object]) -> None:
        """Execute a statement that is rolled back with its revision."""
        started = time.monotonic()
        try:
            execute()
        except Exception as error:
            if sqlstate(error) == reasons.LOCK_NOT_AVAILABLE:
                self._has_met_limit |= self._limit.may_have_ended(time.monotonic() - started)
            raise

    def require_whole(self) -> None:
        """Raise CutShortError if a wait was ended in this try, and the revision went on."""
        if self._has_met_limit or (self._watch is not None and self._watch.has_cancelled):
            raise reasons.CutShortError(self._label)

    def committing(self) -> None:
        """Look before the revision commits something itself. Raises CutShortError, as above."""
        try:
            self.require_whole()
        except reasons.CutShortError:
            # SQLAlchemy counts its transaction as ended, and would not roll it back.
            self._session.connection.connection.rollback()
            raise

    def take_prefix(self) -> str:
        """Return SQL that limits the next statement, and is sent with it."""
        prefix, self._limit.prefix = self._limit.prefix, ""
        return prefix

    @property
    def has_met_vacuum(self) -> bool:
        """True if autovacuum blocked the previous try."""
        return self._vacuumed is not None

    def ask_vacuum_aside(self) -> None:
        """Wait longer for a table that autovacuum has locked, so that the vacuum cancels itself."""
        table, session = self._vacuumed, self._session
        if table is None or not session.ask(_MAY_ASK.format(table=literal(table)))[0]:
            return
        self._limit.outwait_vacuum()
        session.tell(_ASK.format(table=table))
        self._limit.tables()
