"""Run a revision, and where live traffic holds it off take it back, wait a little, run it again.

It is the revision as a whole that is run again, in a new transaction. A savepoint would give locks
back as well; but a serialization failure needs a new snapshot, and a transaction that is open
during the pauses keeps every vacuum from its work.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from alembic.runtime.migration import MigrationStep
from psycopg2.extensions import connection as Connection

from alembic_boot.environment.heads import Heads
from alembic_boot.environment.session import MigrationSession
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.running import retry_reasons as reasons
from alembic_boot.running.budget import Patience
from alembic_boot.running.lock_timeout import LockLimit
from alembic_boot.running.traffic_watch import Lookout, TrafficWatch
from alembic_boot.signals import raise_if_stopped
from alembic_boot.sql.statement import commits
from alembic_boot.sql.writing import literal

# A worker of autovacuum steps aside for whoever has waited as long as `deadlock_timeout`, which is
# longer than any wait here. To ask in this mode keeps neither readers nor writers in the queue.
_MAY_ASK = "SELECT has_table_privilege(to_regclass({table}), 'UPDATE')"
_ASK = "LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE"


class Transaction(Protocol):
    """The transaction that a revision runs in."""

    @property
    def is_first(self) -> bool:
        """Whether it is the one that the revision began in, and can be taken back with."""

    def is_intact(self) -> bool:
        """Whether all that the revision did is in it."""

    def end(self) -> None:
        """Note that it is ended now, and not by the revision."""


class Yielding:
    """The tries of one run's revisions, each in a transaction of its own.

    `observer` is another session, which is the watch's alone while a revision runs; `own_tables`
    are those, as SQL writes them, that each revision's transaction writes at its end.
    """

    def __init__(
        self,
        session: MigrationSession,
        patience: Patience,
        observer: Connection,
        own_tables: tuple[str, ...],
        transaction: Transaction,
    ) -> None:
        self._session = session
        self._patience = patience
        self._observer = observer
        self._own_tables = ", ".join(own_tables)
        self._transaction = transaction
        self._limit = LockLimit(session)
        self.has_own_limit = self._limit.is_own
        """Whether env.py, or the revision that runs, has set one itself."""
        self._lookout = Lookout()
        self._watch: TrafficWatch | None = None
        self._label = ""
        self._has_met_limit = False
        """Whether our limit has ended a wait in this try, for whoever may have caught that."""
        self._is_held_off = False
        """Whether the try that ended last was, and can be made again."""
        self._vacuumed: str | None = None
        self._take_over(session.context)

    def _take_over(self, context: Any) -> None:
        """Have Alembic go on to the next step, which may be the same, where one was held off."""
        begin = context.begin_transaction

        def begin_transaction(_per_migration: bool = False) -> AbstractContextManager[Any]:
            block: AbstractContextManager[Any] = begin(_per_migration=_per_migration)
            return self._trying(block, self._watch) if _per_migration and self._watch else block

        context.begin_transaction = begin_transaction

    @property
    def watch(self) -> TrafficWatch | None:
        """What watches the revision that runs."""
        return self._watch

    def tries(self, step: MigrationStep, label: str, key: AdvisoryKey) -> Iterator[None]:
        """Give each try of a step, until one is not held off any more and is committed.

        `key` is that by which its session can be told. Where the budget is used up, the step
        itself raises MigrationFailedError.
        """
        heads = Heads(step)
        self._label = label
        while True:
            self.has_own_limit = self._limit.is_own
            self._has_met_limit = self._is_held_off = False
            self._watch = TrafficWatch(self._observer, key, label, self._patience)
            try:
                yield
            finally:
                self._watch = None
            if not self._is_held_off:
                break
            heads.restore()
            self._patience.pause()
        self._patience.succeeded(label)
        self._vacuumed = None

    @contextmanager
    def _trying(self, block: AbstractContextManager[Any], watch: TrafficWatch) -> Iterator[None]:
        """Watch over the block, a transaction, and raise nothing where it can be tried again."""
        watch.may_cancel = self._transaction.is_first and not self._limit.is_own
        try:
            with self._lookout.looking(watch), block:
                try:
                    yield
                finally:
                    self._transaction.end()
        except Exception as error:
            raise_if_stopped()
            phrase = reasons.phrase(
                sqlstate(error), has_cancelled=watch.has_cancelled, is_for_crowd=watch.is_for_crowd
            )
            if phrase is None or not self._transaction.is_intact():
                raise
            self._forget_transaction()
            self._vacuumed = None if self._limit.is_own else watch.vacuumed
            self._patience.failed(self._label, phrase, watch.blockers, error)
            self._is_held_off = True

    def _forget_transaction(self) -> None:
        """Have SQLAlchemy and Alembic let go of one that could not be committed."""
        transaction = self._session.connection.get_transaction()
        if transaction is not None:
            transaction.rollback()
        self._session.context._transaction = None

    def prepare(self) -> None:
        """Have first what would keep all the rest locked if it were waited for later."""
        if self._transaction.is_first:
            self._ask_vacuum_aside()
            self._session.tell(f"LOCK TABLE {self._own_tables} IN ROW EXCLUSIVE MODE")

    def beginning(self, *, is_first: bool) -> tuple[str, ...]:
        """Return, as columns of SQL, what limits how long statements wait for a lock in the
        transaction that has just begun.

        Not in one that is not its revision's first, and so not to be run again; and where env.py
        or its URL says something about that, it is left as it is.
        """
        if not is_first:
            self.left()
            return ()
        return self._limit.beginning(self._patience.limit, self._patience.row_limit)

    def closing(self) -> tuple[str, ...]:
        """Return, as columns of SQL, what limits it when the revision has run to its end."""
        return self._limit.closing()

    def left(self) -> None:
        """Leave a revision alone that has left its first transaction: it cannot be run again."""
        self._limit.leave()
        if self._watch is not None:
            self._watch.may_cancel = False

    def executing(self, statement: str) -> None:
        """Limit the wait of a revision's next statement; where it sets a limit itself, no more.

        Raises CutShortError, as below.
        """
        if commits(statement):
            self.require_whole()
        if "lock_timeout" in statement.lower():
            self.has_own_limit = True
            self.left()
        else:
            self._limit.executing(statement)

    def execute(self, execute: Callable[[], object]) -> None:
        """Execute a statement that is taken back with its revision."""
        started = time.monotonic()
        try:
            execute()
        except Exception as error:
            if sqlstate(error) == reasons.LOCK_NOT_AVAILABLE:
                self._has_met_limit |= self._limit.may_have_ended(time.monotonic() - started)
            raise

    def require_whole(self) -> None:
        """Raise CutShortError where a wait was ended in this try, and the revision went on."""
        if self._has_met_limit or (self._watch is not None and self._watch.has_cancelled):
            raise reasons.CutShortError(self._label)

    def committing(self) -> None:
        """Look before the revision commits something itself. Raises CutShortError, as above."""
        try:
            self.require_whole()
        except reasons.CutShortError:
            # SQLAlchemy takes its transaction for over, and would leave what is in it.
            self._session.connection.connection.rollback()
            raise

    def _ask_vacuum_aside(self) -> None:
        """Wait for a table that was being vacuumed in the way that ends the vacuum."""
        table, session = self._vacuumed, self._session
        if table is None or not session.ask(_MAY_ASK.format(table=literal(table)))[0]:
            return
        self._limit.outwait_vacuum()
        session.tell(_ASK.format(table=table))
        self._limit.tables()
