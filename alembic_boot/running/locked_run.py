"""A run on the real database: under the lock, with a journal, and beside live traffic."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import psycopg2
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event

from alembic_boot.environment.session import MigrationSession
from alembic_boot.errors import ConfigurationError, MigrationFailedError
from alembic_boot.history.history import History
from alembic_boot.history.source import commits_itself, has_autocommit_block
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.postgres.interruption import can_check_client, cut
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.running.backoff import Backoff
from alembic_boot.running.budget import Budget
from alembic_boot.running.early_commits import EarlyCommits
from alembic_boot.running.guard import Columns, Guard
from alembic_boot.running.lock import SchemaLock, lock_lost
from alembic_boot.running.lock_check import LockCheck
from alembic_boot.running.loop import Loop, Reporting
from alembic_boot.running.obstacles import find_obstacles
from alembic_boot.running.outside_transaction import OutsideTransaction
from alembic_boot.running.preparation import (
    leave_transaction,
    make_journal,
    refuse_other_table,
    refuse_snapshot,
    refuse_unrecordable,
    refuse_unwritable,
)
from alembic_boot.running.recorder import Recorder
from alembic_boot.running.session_timeouts import SessionTimeouts
from alembic_boot.running.steps import Moves, Rows, Step, Steps
from alembic_boot.running.traffic import Traffic
from alembic_boot.running.transaction import RevisionTransaction
from alembic_boot.running.worker import Worker
from alembic_boot.situation import note_statement
from alembic_boot.sql.pieces import begins_with
from alembic_boot.sql.repetition import again
from alembic_boot.sql.statement import commits, is_atomic
from alembic_boot.state.edits import partial_commits
from alembic_boot.state.journal import Direction
from alembic_boot.state.journal_queries import JOURNAL_TABLE
from alembic_boot.state.refusals import refuse_partial_commit
from alembic_boot.state.unrecordable import ENCODINGS_QUERY, too_long, unencodable

_log = logging.getLogger(__name__)

_UNDEFINED_TABLE = "42P01"
_DROPS_JOURNAL = (
    f"The revision drops {JOURNAL_TABLE}, the table of the migrations' journal: take that line "
    "out, and start again."
)


@dataclass(frozen=True)
class Locked:
    """The lock, the journal and the budget of a run on the real database."""

    lock: SchemaLock
    recorder: Recorder
    traffic_timeout: float
    """Seconds that live traffic may block the run, in all."""

    def run(
        self,
        context: MigrationContext,
        arguments: dict[str, Any],
        steps: Steps,
        reporting: Reporting = nullcontext,
    ) -> None:
        """Run steps, as the loop does."""
        session = MigrationSession(context)
        transaction = RevisionTransaction(session, self.recorder.ask)
        guard = LockedRun(session, transaction, self)
        Loop(session, transaction, guard).run(steps, arguments, reporting)


class LockedRun(Guard):
    """The guard of a run on the real database."""

    def __init__(
        self,
        session: MigrationSession,
        transaction: RevisionTransaction,
        locked: Locked,
    ) -> None:
        super().__init__(session)
        self._transaction = transaction
        self._lock = locked.lock
        self._recorder = locked.recorder
        self._budget = Budget(Backoff(locked.traffic_timeout))
        journal = locked.recorder.journal
        # Lock these before the revision locks other tables, which would stay locked meanwhile.
        self._locking = f"LOCK TABLE {journal.version_table}, {journal.table} IN ROW EXCLUSIVE MODE"
        self._early_commits = EarlyCommits(self._note_committed)
        self._timeouts = SessionTimeouts(session)
        self._worker: Worker
        self._lock_check: LockCheck
        self._traffic: Traffic | None = None
        """None if env.py has opened a transaction for all steps: no step can be tried again."""
        self._outside: OutsideTransaction | None = None
        self._is_again = False
        """Whether this revision has failed before."""
        self._is_over = False
        """Whether the revision's own function has ended: only the version row is left."""
        self._drops_journal = False

    def check(self) -> None:
        """Raise BootError if this is another database, or the lock is not held any more."""
        super().check()
        session = self._session
        self._recorder.close_earlier()
        self._refuse_other_database()
        refuse_other_table(session, self._recorder)
        refuse_snapshot(session)
        for sentence in find_obstacles(self._recorder.connection).sentences():
            _log.warning("%s", sentence)
        self._timeouts.lift()
        self._worker = self._make_worker()
        self._lock_check = LockCheck(
            session,
            self._lock.token,
            self._worker,
            can_check_client=can_check_client(self._recorder.connection),
        )
        self._lock.on_loss = partial(cut, session.driver_connection)
        self._lock_check.require()

    def prepare(self) -> None:
        """Make the journal, and see that the version table and the journal can be written."""
        session, recorder, journal = self._session, self._recorder, self._recorder.journal
        if not session.is_one_unit:
            leave_transaction(session, self._settings)
        make_journal(session, recorder)
        refuse_unrecordable(session, recorder)
        refuse_unwritable(session, recorder)
        unfinished = recorder.unfinished()
        self._unfinished = {(it.revision, it.direction) for it in unfinished}
        self._partial_commits = partial_commits(unfinished, recorder.history, journal)
        if session.is_one_unit:
            _log.warning(
                "The revisions keep their locks until the last one is done, and live traffic that "
                "blocks one of them ends the run"
            )
            return
        watcher, transaction = self._lock.watcher, self._transaction
        traffic = Traffic(session, self._budget, recorder.connection, watcher, transaction)
        self._traffic = traffic
        self._outside = OutsideTransaction(session, self._budget, self._tell, lambda: traffic.watch)
        session.settle()

    def start(self, step: Step, following: Step | None) -> None:
        """Write the journal's row of the step. Raises BootError if the step must not run.

        The row of the next step is written together with this step's version row. So it needs no
        transaction of its own.
        """
        revisions = [revision for revision, _ in step.moves]
        self._is_again = any(move in self._unfinished for move in step.moves)
        self._refuse_too_long(revisions)
        self._refuse_unencodable(revisions)
        for partial_commit in self._partial_commits:
            if (partial_commit.revision, partial_commit.direction) not in step.moves:
                continue
            if not partial_commit.is_changed:  # `alembic upgrade` typed by hand comes here unasked
                raise refuse_partial_commit(partial_commit)
            _log.warning(
                "Migration %s was changed since it had committed a part of itself: %s. It is run "
                "from its start",
                partial_commit.label,
                partial_commit.committed,
            )
        if self._outside is not None:
            self._outside.start(self._label(step), is_again=self._is_again)
        self._recorder.begin(step, self._worker)
        self._recorder.prepare(following if self._may_announce(following) else None)

    @contextmanager
    def trying(self, step: Step) -> Iterator[None]:
        """Watch live traffic while the step runs."""
        self._timeouts.start()
        self._early_commits.start()
        self._is_over = self._recorder.is_committing = self._drops_journal = False
        if self._traffic is None:
            yield
            return
        with self._traffic.trying(self._label(step), self._worker.key):
            yield

    def beginning(self, columns: Columns) -> tuple[Any, ...]:
        """Check the lock, and limit how long the transaction waits for locks."""
        self._timeouts.began()
        if not self._session.is_direct:
            self._session.refuse_astray(has_begun=True)
        limits: Columns = ()
        if self._traffic is not None:
            limits = self._traffic.beginning(is_first=self._transaction.is_first)
        if self._traffic is None or not self._transaction.is_first:
            return self._lock_check.require(*columns, *limits)
        if self._session.carried or self._traffic.has_met_vacuum:  # maybe a role is to be set first
            answers = self._lock_check.require(*columns, *limits)
            self._traffic.ask_vacuum_aside()
            self._session.tell(self._locking)
            return answers
        limiting = [f"SELECT {', '.join(limits)}"] if limits else []
        return self._lock_check.require(*columns, before=(*limiting, self._locking))

    @contextmanager
    def running(self, step: Step) -> Iterator[None]:
        """Log what a failed revision has committed."""
        try:
            yield
            if self._traffic is not None:
                self._traffic.require_whole()
        except Exception:
            self._early_commits.warn(self._label(step))
            with suppress(psycopg2.Error):
                if self._transaction.was_committed():
                    self._transaction.warn()
            raise

    def executing(self, statement: str, *, may_prefix: bool) -> str:
        """Check the lock before a statement that commits itself, and note the statement."""
        session = self._session
        if not session.is_bare:
            if not session.is_direct and commits(statement):
                raise _needs_direct("The revision ends its transaction itself")
            if self._traffic is not None:
                self._traffic.executing(statement, may_prefix=may_prefix)
            if not self._is_over:
                note_statement(statement)
                self._early_commits.inside(statement)
                self._drops_journal |= JOURNAL_TABLE in statement and begins_with(statement, "DROP")
            return statement
        if not session.is_direct:
            raise _needs_direct("The revision leaves its transaction")
        if self._traffic is not None:
            self._traffic.left()
        self._lock_check.require()
        if not self._is_over:
            note_statement(statement)
            statement = again(statement) if self._is_again else statement
            self._early_commits.alone(statement)
        return statement

    def take_prefix(self) -> str:
        """Return SQL that limits how long the statement waits for a lock."""
        return self._traffic.take_prefix() if self._traffic is not None else ""

    def execute(self, statement: str, execute: Callable[[], object], cursor: Any) -> None:
        """Execute a statement. Retry it alone if a rollback of the step cannot undo it."""
        run = partial(self._timeouts.run, statement, execute, cursor)
        if self._outside is None or self._traffic is None or self._is_over:
            run()
        elif self._session.is_bare:
            try:
                self._outside.run_bare(statement, run)
            except Exception as error:
                if is_atomic(statement) and _is_servers(error):
                    self._early_commits.undone(statement)
                raise
        elif self._transaction.is_first:
            self._traffic.execute(run)
        elif self._traffic.has_own_limit:
            run()
        else:
            self._outside.run_later(statement, run)

    def committing(self) -> None:
        """Note what the revision commits itself."""
        if self._traffic is not None and not self._is_over:
            self._traffic.committing()
        self._early_commits.committing()

    def rolled_back(self) -> None:
        """Forget what would have been committed."""
        self._early_commits.rolled_back()

    def ended(self) -> None:
        """Note that only the version row is left."""
        self._is_over = True

    @property
    def may_defer(self) -> bool:
        """True: the journal's row is written on that condition."""
        return True

    def record(self, step: Step, rows: Rows) -> Rows:
        """Move the version, and write the journal's rows in the same transaction.

        Raises LockLostError if the lock is lost, or if another starter has closed our row because
        it took this process for dead. Then nothing is changed.
        """
        if self._traffic is not None:
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
        moved = step.replacement(self._session.context, rows)
        if moved is None:
            return None
        condition = self._lock_check.condition
        if self._transaction.is_deferred:
            condition += f" AND {self._transaction.condition}"
        if self._recorder.move(self._session.ask, *moved, condition):
            return (moved[1],)
        return None

    def _record_one_by_one(self, step: Step, rows: Rows) -> Rows:
        """Have Alembic move its table, then write the journal."""
        transaction = self._transaction
        if transaction.is_deferred and not self._session.ask(f"SELECT {transaction.condition}")[0]:
            self._lock_check.require()
            transaction.confirm()
        after = step.record(self._session.context, rows)
        if not self._recorder.apply(self._session.tell, self._lock_check.condition):
            raise lock_lost()
        return after

    def may_try_again(self, error: Exception) -> bool:
        """Return whether live traffic has blocked the step. Raises at the end of the budget."""
        return self._traffic is not None and self._traffic.has_blocked(error)

    def pause(self) -> None:
        """Leave the tables alone until the next try."""
        self._budget.pause()

    def done(self) -> None:
        """Note that the step is committed."""
        self._recorder.is_committing = False
        if self._traffic is not None:
            self._traffic.succeeded()
        if not self._session.is_one_unit or self._transaction.is_unit_over:
            self._recorder.committed()

    def _may_announce(self, step: Step | None) -> bool:
        """Return whether the row of the next step may be written in advance.

        Not in a transaction of env.py's own: other sessions see its rows only at its end.
        """
        if step is None or self._session.is_one_unit:
            return False
        revisions = [revision for revision, _ in step.moves]
        history, table = self._recorder.history, self._recorder.journal.version_table
        is_refused = any((it.revision, it.direction) in step.moves for it in self._partial_commits)
        is_encodable = all(it.isascii() for it in revisions)
        is_short = too_long(revisions, history, table, is_there=True) is None
        return is_encodable and is_short and not is_refused

    def _label(self, step: Step) -> str:
        return ", ".join(self._recorder.history.label(revision) for revision, _ in step.moves)

    def _refuse_other_database(self) -> None:
        try:
            self._session.refuse_other_database(self._lock.token.is_held_query)
        except ConfigurationError:
            if not self._lock.is_held():  # then no session sees it, in any database
                raise lock_lost() from None
            raise

    def _make_worker(self) -> Worker:
        """Give env.py's session a key of its own, so that other sessions can identify it."""
        worker = Worker(*self._session.backend(), AdvisoryKey.random())
        if self._session.is_direct:
            # The session holds it until it ends. Through a pooler the lock would stay with a
            # foreign server process.
            self._session.ask(f"SELECT pg_advisory_lock({worker.key.number})")
        return worker

    def _refuse_too_long(self, revisions: Sequence[str]) -> None:
        """Raise HistoryBrokenError if the version table has no room for a revision.

        A plan is checked before it begins. `alembic upgrade` typed by hand is not, and a revision
        before this one may have changed the table.
        """
        history, table = self._recorder.history, self._recorder.journal.version_table
        if too_long(revisions, history, table, is_there=True) is None:
            return
        is_there, room = self._session.ask(table.room_query)
        if it := too_long(revisions, history, replace(table, room=room), is_there=is_there):
            self._session.settle()
            raise it.refusal("It did not run.")

    def _refuse_unencodable(self, revisions: Sequence[str]) -> None:
        """Raise HistoryBrokenError if the database has no characters for a revision's id."""
        if ids := [it for it in revisions if not it.isascii()]:
            server, client = self._session.ask(ENCODINGS_QUERY)
            self._session.settle()
            if it := unencodable(ids, server, client):
                raise it.refusal("It did not run.")

    def _tell(self, statement: str) -> int:
        """Run a statement of boot's own that is its own transaction."""
        self._lock_check.require()
        return self._session.tell(statement)

    def _note_committed(self, text: str) -> None:
        if not self._session.connection.invalidated:
            for statement in self._recorder.committed_statements(text):
                self._session.tell(statement)


def watch_borrowed_session(context: MigrationContext) -> None:
    """Check a pooler's session when env.py begins a transaction, before env.py runs a statement.

    The check raises ConfigurationError if another client has left a role or a search_path.
    """
    session = MigrationSession(context)
    if not session.is_direct:
        refuse = session.refuse_astray
        event.listen(session.connection, "begin", lambda _: refuse(has_begun=True), once=True)
    session.settle()


def refuse_autocommit_blocks(session: MigrationSession, history: History, moves: Moves) -> None:
    """Raise BootError if a revision needs an autocommit block that it cannot have.

    Through a pooler, nothing that such a block needs can be set. In a transaction that env.py has
    begun, Alembic itself refuses a block, unless the revision commits first.
    """
    if session.is_direct and not session.is_one_unit:
        return
    for revision, direction in moves:
        known = history.revisions.get(revision)
        source = known.source() if known and direction is not Direction.STAMP else None
        if source is None or not has_autocommit_block(source, direction):
            continue
        label = history.label(revision)
        if not session.is_direct:
            raise _needs_direct(f"Migration {label} has an autocommit_block")
        if not commits_itself(source, direction):
            raise MigrationFailedError(
                f"Alembic's env.py opens a transaction itself, and {label} has an "
                "autocommit_block, which needs to be outside of any.",
                "Let Alembic open it (context.begin_transaction()): a statement before "
                "context.configure() opens one too, until connection.commit(). Nothing was "
                "changed.",
            )


def _needs_direct(what: str) -> ConfigurationError:
    return ConfigurationError(
        f"{what}, and a pooler is between env.py and the server.",
        "Set MIGRATION_DATABASE_URL to the server itself, and start again.",
    )


def _is_servers(error: BaseException | None) -> bool:
    """Return whether PostgreSQL says that the statement has failed, and so is not done."""
    return error is not None and (sqlstate(error) is not None or _is_servers(error.__cause__))
