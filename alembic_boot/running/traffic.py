"""Live traffic beside a step: roll the step back if other sessions block it, and retry it.

The whole revision runs again, in a new transaction. A savepoint would release locks as well. But a
serialization failure needs a new snapshot, and an open transaction during the pauses would hinder
vacuum.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.running import retry_reasons as reasons
from alembic_boot.running.budget import Budget
from alembic_boot.running.lock_check import LockCheck
from alembic_boot.running.lock_timeout import LockTimeout
from alembic_boot.running.outside_transaction import OutsideTransaction
from alembic_boot.running.recorder import Recorder
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
    """The tries of the steps of one run, within a budget of seconds for all of them.

    The recorder's connection belongs to the watch while a step runs.
    """

    def __init__(
        self,
        transaction: RevisionTransaction,
        recorder: Recorder,
        watcher: Watcher,
        lock_check: LockCheck,
        budget: float,
    ) -> None:
        self._session = session = transaction.session
        self._transaction = transaction
        self._recorder = recorder
        self._watcher = watcher
        self._budget = Budget(budget)
        self._outside = OutsideTransaction(session, self._budget, lock_check)
        self._limit = LockTimeout(session)
        self._is_one_unit = session.is_one_unit
        """Whether env.py has opened a transaction for all steps: no step can be tried again."""
        self._watch: TrafficWatch
        """The watch over the step that runs."""
        self._has_own_limit = False
        """Whether env.py, or the revision that runs, has set a `lock_timeout` itself."""
        self._has_met_limit = False
        """Whether our limit has ended a wait in this try; the revision may have caught that."""
        self._vacuumed: str | None = None

    @contextmanager
    def trying(self, label: str, key: AdvisoryKey) -> Iterator[None]:
        """Watch one try of a step, with its commit. The key identifies its session."""
        self._has_own_limit = self._limit.is_own
        self._has_met_limit = False
        watch = TrafficWatch(self._recorder.connection, key, label, self._budget)
        watch.may_cancel = not self._limit.is_own
        self._watch = self._outside.watch = watch
        with nullcontext() if self._is_one_unit else self._watcher.meanwhile(watch.look):
            yield

    def has_blocked(self, error: Exception) -> bool:
        """Return whether live traffic made the try fail, and it was rolled back completely.

        Then the tables are left alone for a moment first. Raises MigrationFailedError if the budget
        is used up.
        """
        if self._is_one_unit:
            return False
        raise_if_stopped()
        watch = self._watch
        phrase = reasons.phrase(sqlstate(error), has_cancelled=watch.has_cancelled)
        if phrase is None or not self._transaction.is_intact(self._recorder.ask):
            return False
        self._session.forget_transaction()
        self._vacuumed = None if self._limit.is_own else watch.vacuumed
        self._budget.failed(watch.label, phrase, watch.blockers, error)
        return True

    def succeeded(self) -> None:
        """Note that the step is committed."""
        self._budget.succeeded(self._watch.label)
        self._vacuumed = None

    @property
    def may_retry(self) -> bool:
        """True in a transaction whose rollback undoes the step, so that the step can run again."""
        return not self._is_one_unit and self._transaction.is_first

    def beginning(self) -> tuple[str, ...]:
        """Return SQL that limits how long the statements of a new transaction wait for locks.

        A later transaction of a revision is not limited, because it cannot run again. A limit of
        env.py or of its URL stays.
        """
        if not self.may_retry:
            self._leave()
            return ()
        return self._limit.beginning(self._budget.limit, self._budget.row_limit)

    def _leave(self) -> None:
        self._limit.leave()
        self._watch.may_cancel = False

    def executing(self, statement: str, *, may_prefix: bool) -> str:
        """Limit the wait of a revision's next statement, unless the revision sets a limit itself.

        No wait is limited outside of the first transaction: the revision cannot run again. Returns
        SQL to send with the statement. Raises CutShortError, as below.
        """
        if self._transaction.is_bare:
            self._leave()
            return ""
        if commits(statement):
            self.require_whole()
        if may_set_lock_timeout(statement):
            self._has_own_limit = True
            self._leave()
            return ""
        return self._limit.executing(statement, may_prefix=may_prefix)

    def execute(self, statement: str, execute: Callable[[], object], *, is_again: bool) -> None:
        """Execute a statement. Retry it alone if a rollback of the step cannot undo it.

        `is_again` says that a try of the revision has failed before.
        """
        if self.may_retry:
            self._execute_limited(execute)
        elif self._is_one_unit:
            execute()
        elif self._transaction.is_bare:
            self._outside.run_bare(statement, execute, is_again=is_again)
        elif self._has_own_limit:
            execute()
        else:
            self._outside.run_later(statement, execute)

    def _execute_limited(self, execute: Callable[[], object]) -> None:
        started = time.monotonic()
        try:
            execute()
        except Exception as error:
            if sqlstate(error) == reasons.LOCK_NOT_AVAILABLE:
                self._has_met_limit |= self._limit.may_have_ended(time.monotonic() - started)
            raise

    def require_whole(self) -> None:
        """Raise CutShortError if a wait was ended in this try, and the revision went on."""
        if self._has_met_limit or self._watch.has_cancelled:
            raise reasons.CutShortError(self._watch.label)

    def committing(self) -> None:
        """Look before the revision commits something itself. Raises CutShortError, as above."""
        try:
            self.require_whole()
        except reasons.CutShortError:
            # SQLAlchemy counts its transaction as ended, and would not roll it back.
            self._session.connection.connection.rollback()
            raise

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
