"""A run on the real database: under the lock, with a journal, and beside live traffic."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import psycopg2

from alembic_boot.environment.session import MigrationSession
from alembic_boot.errors import ConfigurationError
from alembic_boot.postgres.interruption import can_check_client, cut, is_waiting
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.running.early_commits import EarlyCommits
from alembic_boot.running.guard import Columns, Guard
from alembic_boot.running.lock import SchemaLock, lock_lost
from alembic_boot.running.lock_check import LockCheck
from alembic_boot.running.lost_answer import LostAnswer
from alembic_boot.running.obstacles import find_obstacles
from alembic_boot.running.preparation import (
    leave_transaction,
    make_journal,
    needs_direct,
    refuse_ids,
    refuse_other_table,
    refuse_snapshot,
    refuse_unrecordable,
    refuse_unwritable,
)
from alembic_boot.running.recorder import Recorder
from alembic_boot.running.session_timeouts import SessionTimeouts
from alembic_boot.running.steps import Rows, Step
from alembic_boot.running.traffic import Traffic
from alembic_boot.running.transaction import Phase
from alembic_boot.situation import note_statement
from alembic_boot.sql.pieces import begins_with
from alembic_boot.sql.repetition import again
from alembic_boot.sql.statement import commits, is_atomic
from alembic_boot.state.edits import is_changed
from alembic_boot.state.journal_queries import JOURNAL_TABLE
from alembic_boot.state.journal_rows import Unfinished
from alembic_boot.state.refusals import refuse_partial_commit
from alembic_boot.state.unrecordable import is_doubtful

_log = logging.getLogger(__name__)

_UNDEFINED_TABLE = "42P01"
_OF_CONNECTIONS = "08"
"""The beginning of the SQLSTATEs that a driver itself gives to a lost connection."""
_DROPS_JOURNAL = (
    f"The revision drops {JOURNAL_TABLE}, the table of the migrations' journal: take that line "
    "out, and start again."
)


class LockedRun(Guard):
    """The guard of a run on the real database: the lock, the journal and the retries."""

    def __init__(
        self, session: MigrationSession, lock: SchemaLock, recorder: Recorder, budget: float
    ) -> None:
        """Guard a session; `budget` is the seconds that live traffic may block the run, in all."""
        super().__init__(session)
        self._lock = lock
        self._recorder = recorder
        self._budget = budget
        journal = recorder.journal
        # Lock these before the revision locks other tables, which would stay locked meanwhile.
        self._locking = f"LOCK TABLE {journal.version_table}, {journal.table} IN ROW EXCLUSIVE MODE"
        self._early_commits = EarlyCommits(self._note_committed)
        self._timeouts = SessionTimeouts(session)
        self._lock_check: LockCheck
        self._traffic: Traffic
        self._is_again = False
        """Whether this revision has failed before."""
        self._drops_journal = False
        self._is_ending_transaction = False
        """Whether the revision commits by SQLAlchemy, and has not done anything since."""

    def check(self) -> None:
        """Raise BootError if this is another database, or the lock is not held any more."""
        super().check()
        session = self.session
        self._recorder.close_earlier()
        self._refuse_other_database()
        refuse_other_table(session, self._recorder)
        refuse_snapshot(session)
        for sentence in find_obstacles(self._recorder.connection).sentences():
            _log.warning("%s", sentence)
        self._timeouts.lift()
        can_check = can_check_client(self._recorder.connection)
        self._lock_check = LockCheck(session, self._lock.token, can_check_client=can_check)
        driver = session.driver_connection
        self._lock.on_loss = partial(cut, driver)
        if session.is_direct:  # behind a pooler, a client may wait until it gets a session at all
            worker, waits = self._lock_check.worker, partial(self._waits, driver)
            self._lock.is_stuck = LostAnswer(self._recorder.use, worker, waits).look
        self._lock_check.require()

    def _waits(self, driver_connection: Any) -> bool:
        """Return whether the session waits for an answer; of asyncpg's, only that to the COMMIT."""
        if (is_at_it := is_waiting(driver_connection)) is not None:
            return is_at_it
        is_ending = self.transaction.phase is Phase.ENDING and not self.session.is_one_unit
        return is_ending and self._recorder.is_committing

    def prepare(self) -> None:
        """Make the journal, and see that the version table and the journal can be written."""
        session, recorder, journal = self.session, self._recorder, self._recorder.journal
        if not session.is_one_unit:
            leave_transaction(session, self._settings)
        make_journal(session, recorder)
        refuse_unrecordable(session, recorder)
        refuse_unwritable(session, recorder)
        unfinished = journal.unfinished(recorder.connection)
        self._unfinished = {(it.revision, it.direction): it for it in unfinished}
        transaction, watcher, check = self.transaction, self._lock.watcher, self._lock_check
        self._traffic = Traffic(transaction, recorder, watcher, check, self._budget)
        if session.is_one_unit:
            _log.warning(
                "The revisions keep their locks until the last one is done, and live traffic that "
                "blocks one of them ends the run"
            )
        session.settle()

    def start(self, step: Step, following: Step | None) -> None:
        """Write the journal's row of the step. Raises BootError if the step must not run.

        The row of the next step is written together with this step's version row. So it needs no
        transaction of its own.
        """
        revisions = [revision for revision, _ in step.moves]
        attempts = self._attempts(step)
        self._is_again = bool(attempts)
        refuse_ids(self.session, self._recorder, revisions)
        history = self._recorder.history
        for attempt in attempts:
            if not attempt.committed:
                continue
            if not is_changed(attempt, history):  # `alembic upgrade` typed by hand is not asked
                raise refuse_partial_commit(attempt, history, self._recorder.journal)
            _log.warning(
                "Migration %s was changed since it had committed a part of itself: %s. It is run "
                "from its start",
                history.label(attempt.revision),
                attempt.committed,
            )
        announced = following if self._may_announce(following) else None
        self._recorder.begin(step, self._lock_check.worker, announced)

    @contextmanager
    def trying(self, step: Step) -> Iterator[None]:
        """Watch live traffic while the step runs."""
        self._timeouts.start()
        self._early_commits.start()
        self._recorder.is_committing = self._recorder.is_in_doubt = False
        self._drops_journal = self._is_ending_transaction = False
        with self._traffic.trying(self._label(step), self._lock_check.worker.key):
            yield

    def beginning(self, columns: Columns) -> tuple[Any, ...]:
        """Check the lock, and limit how long the transaction waits for locks."""
        self._is_ending_transaction = False
        self._timeouts.began()
        if not self.session.is_direct:
            self.session.refuse_astray(has_begun=True)
        limits = self._traffic.beginning()
        if not self._traffic.may_retry:
            return self._lock_check.require(*columns)
        if self.session.carried or self._traffic.has_met_vacuum:  # maybe a role is to be set first
            answers = self._lock_check.require(*columns, *limits)
            self._traffic.ask_vacuum_aside()
            self.session.tell(self._locking)
            return answers
        limiting = [f"SELECT {', '.join(limits)}"] if limits else []
        return self._lock_check.require(*columns, before=(*limiting, self._locking))

    @contextmanager
    def running(self, step: Step) -> Iterator[None]:
        """Log what a failed revision has committed."""
        try:
            yield
            self._traffic.require_whole()
        except Exception:
            if self._is_ending_transaction and self.session.connection.invalidated:
                self._recorder.is_in_doubt = True
            self._early_commits.warn(self._label(step))
            with suppress(psycopg2.Error):
                if self.transaction.was_committed(self._recorder.ask):
                    self.transaction.warn()
            raise

    def executing(self, statement: str, *, may_prefix: bool = False) -> tuple[str, str]:
        """Check the lock before a statement that commits itself; limit and note the statement."""
        super().executing(statement)
        is_bare = self.transaction.is_bare
        if not self.session.is_direct and (is_bare or commits(statement)):
            leaves = "leaves its transaction" if is_bare else "ends its transaction itself"
            raise needs_direct(f"The revision {leaves}")
        prefix = self._traffic.executing(statement, may_prefix=may_prefix)
        if is_bare:
            self._lock_check.require()
        if self.transaction.is_over:
            return prefix, statement
        note_statement(statement)
        if is_bare:
            statement = again(statement) if self._is_again else statement
            self._early_commits.alone(statement)
        else:
            self._early_commits.inside(statement)
            self._drops_journal |= JOURNAL_TABLE in statement and begins_with(statement, "DROP")
        return prefix, statement

    def execute(self, statement: str, execute: Callable[[], object], cursor: Any) -> None:
        """Execute a statement. Retry it alone if a rollback of the step cannot undo it."""
        run = partial(self._timeouts.run, statement, execute, cursor)
        if self.transaction.is_over:
            run()
            return
        is_bare = self.transaction.is_bare
        try:
            self._traffic.execute(statement, run, is_again=self._is_again)
        except Exception as error:
            if _is_servers(error):
                if is_bare and is_atomic(statement):
                    self._early_commits.undone(statement)
            elif self.session.connection.invalidated or self.session.is_lost(error, cursor):
                self._recorder.is_in_doubt = is_bare or commits(statement)
            raise

    def committing(self) -> None:
        """Note what the revision commits itself."""
        if not self.transaction.is_over:
            self._traffic.committing()
            self._is_ending_transaction = True
        self._early_commits.committing()

    def rolled_back(self) -> None:
        """Forget what would have been committed."""
        super().rolled_back()
        self._early_commits.rolled_back()

    def record(self, step: Step, rows: Rows) -> Rows:
        """Move the version, and write the journal's rows in the same transaction.

        Raises LockLostError if the lock is lost, or if another starter has closed our row because
        it took this process for dead. Then nothing is changed.
        """
        self.transaction.rejoin(may_defer=True)  # the journal's row is written on that condition
        self._traffic.require_whole()
        self._early_commits.start()
        try:
            after = self._record_at_once(step, rows) or self._record_one_by_one(step, rows)
        except Exception as error:
            if self._drops_journal and sqlstate(error) == _UNDEFINED_TABLE:
                raised = getattr(error, "orig", None) or error
                raised.add_note(_DROPS_JOURNAL)
            raise
        self._recorder.is_committing = True
        return after

    def _record_at_once(self, step: Step, rows: Rows) -> Rows | None:
        """Record a step of a straight line in one statement; return None for any other step."""
        moved = step.replacement(self.session.context, rows)
        if moved is None:
            return None
        condition = self._lock_check.condition
        if self.transaction.is_deferred:
            condition += f" AND {self.transaction.condition}"
        if self._recorder.move(self.session.ask, *moved, condition):
            return (moved[1],)
        return None

    def _record_one_by_one(self, step: Step, rows: Rows) -> Rows:
        """Have Alembic move its table, then write the journal."""
        transaction = self.transaction
        if transaction.is_deferred and not self.session.ask(f"SELECT {transaction.condition}")[0]:
            self._lock_check.require()
            transaction.confirm()
        after = step.record(self.session.context, rows)
        if not self._recorder.apply(self.session.tell, self._lock_check.condition):
            raise lock_lost()
        return after

    def may_try_again(self, error: Exception) -> bool:
        """Return whether live traffic has blocked the step, after a pause without any lock.

        Raises MigrationFailedError if the budget is used up.
        """
        return self._traffic.has_blocked(error)

    def done(self) -> None:
        """Note that the step is committed."""
        self._traffic.succeeded()
        is_committed = not self.session.is_one_unit or self.transaction.is_unit_over
        self._recorder.is_committing = not is_committed
        if is_committed:
            self._recorder.committed()

    def _may_announce(self, step: Step | None) -> bool:
        """Return whether the row of the next step may be written in advance.

        Not in a transaction of env.py's own: other sessions see its rows only at its end.
        """
        if step is None or self.session.is_one_unit:
            return False
        revisions = [revision for revision, _ in step.moves]
        history, table = self._recorder.history, self._recorder.journal.version_table
        is_refused = any(attempt.committed for attempt in self._attempts(step))
        return not (is_refused or is_doubtful(revisions, history, table))

    def _attempts(self, step: Step) -> list[Unfinished]:
        """Return the last attempts of a step's revisions that failed."""
        return [self._unfinished[move] for move in step.moves if move in self._unfinished]

    def _label(self, step: Step) -> str:
        return ", ".join(self._recorder.history.label(revision) for revision, _ in step.moves)

    def _refuse_other_database(self) -> None:
        try:
            self.session.refuse_other_database(self._lock.token.is_held_query)
        except ConfigurationError:
            if not self._lock.is_held():  # then no session sees it, in any database
                raise lock_lost() from None
            raise

    def _note_committed(self, text: str) -> None:
        if not self.session.connection.invalidated:
            for statement in self._recorder.committed_statements(text):
                self.session.tell(statement)


def _is_servers(error: BaseException | None) -> bool:
    """Return whether PostgreSQL says that the statement has failed, and so is not done."""
    if error is None:
        return False
    state = sqlstate(error)
    is_said = state is not None and not state.startswith(_OF_CONNECTIONS)
    return is_said or _is_servers(error.__cause__)
