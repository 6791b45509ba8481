"""The steps of one run, each with its rows in the journal, in a transaction that can be taken back
where live traffic holds it off, and with a note of what can not.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import wraps
from typing import Any

import psycopg2
from alembic.runtime.migration import MigrationStep, RevisionStep

from alembic_boot.environment.recording import RecordStep
from alembic_boot.environment.session import MigrationSession
from alembic_boot.postgres.sqlstate import sqlstate
from alembic_boot.running.backoff import Ladder
from alembic_boot.running.budget import Patience
from alembic_boot.running.early_commits import Remains
from alembic_boot.running.lock import lock_lost
from alembic_boot.running.lock_check import LockInSight
from alembic_boot.running.outside_transaction import Outside
from alembic_boot.running.preparation import (
    carrying,
    leave_transaction,
    make_journal,
    refuse_snapshot,
    refuse_unrecordable,
    refuse_unwritable,
)
from alembic_boot.running.recorder import Recorder
from alembic_boot.running.transaction import RevisionTransaction
from alembic_boot.running.worker import Worker
from alembic_boot.running.yielding import Yielding
from alembic_boot.sql.repetition import again
from alembic_boot.sql.statement import is_atomic
from alembic_boot.state.id_encoding import ENCODINGS_QUERY, unencodable
from alembic_boot.state.id_length import too_long
from alembic_boot.state.journal import Direction
from alembic_boot.state.partial_commits import partial_commits, refusal
from alembic_boot.state.plan import refuse_too_long, refuse_unencodable

_log = logging.getLogger(__name__)

Move = Callable[..., None]

Moves = list[tuple[str, Direction]]


class Steps:
    """What surrounds the revisions of one session; it exists as soon as they begin."""

    def __init__(
        self,
        session: MigrationSession,
        recorder: Recorder,
        worker: Worker,
        ladder: Ladder,
        lock: LockInSight,
    ) -> None:
        self._session = session
        self._recorder = recorder
        self._worker = worker
        self._lock = lock
        self._carried: tuple[str, ...] = ()
        """What env.py has set for one transaction, for each revision's."""
        self._yielding: Yielding | None = None
        """Where revisions can yield to live traffic, and what of them can only by itself."""
        self._outside: Outside | None = None
        self._remains = Remains(self._note_committed)
        session.adopt_transaction()
        self._transaction = RevisionTransaction(session, recorder.ask)
        self._prepare(ladder)
        unfinished = recorder.unfinished()
        self._unfinished = {(it.revision, it.direction) for it in unfinished}
        self._partial_commits = partial_commits(unfinished, recorder.history, recorder.journal)
        self._is_again = False
        """Whether what runs now has failed before."""
        self._is_over = False
        """Whether the revision is: what comes is the version's, in the transaction it moves in."""

    def _prepare(self, ladder: Ladder) -> None:
        """Leave env.py's own transaction behind, or have all revisions run in it."""
        session, journal = self._session, self._recorder.journal
        refuse_snapshot(session)
        if not session.is_one_unit:
            leave_transaction(session)
        make_journal(session, self._recorder)
        refuse_unrecordable(session, self._recorder)
        refuse_unwritable(session, self._recorder)
        if session.is_one_unit:
            _log.warning(
                "What the revisions lock stays locked until the last one is done, and none is "
                "tried again where live traffic holds it off"
            )
            return
        patience = Patience(ladder)
        own_tables = (str(journal.version_table), journal.table)
        observer = self._recorder.connection
        yielding = Yielding(session, patience, observer, own_tables, self._transaction)
        self._yielding = yielding
        self._outside = Outside(session, patience, self._tell, lambda: yielding.watch)
        self._carried = carrying(session)
        session.settle()

    def journalled(self, steps: Iterable[MigrationStep]) -> Iterator[MigrationStep]:
        """Wrap Alembic's steps: rows are written before each, and done with after its commit."""
        transaction = self._transaction
        for step in steps:
            moves = _moves(step)
            label = ", ".join(self._recorder.history.label(revision) for revision, _ in moves)
            self._start(moves, label)
            if self._session.is_one_unit:  # whose one transaction has begun long ago
                transaction.resume_unit()
                self.began()
            stands_on = step.stands_on if isinstance(step, RecordStep) else {}
            self._recorder.begin(moves, self._worker, stands_on)
            step.migration_fn = self._rejoining(step.migration_fn, label)
            yield from self._tried(step, label)
            if not self._session.is_one_unit or transaction.is_unit_over:
                self._recorder.committed()

    def _tried(self, step: MigrationStep, label: str) -> Iterator[MigrationStep]:
        """Give the step to Alembic again as long as it is held off."""
        if self._yielding is None:
            yield step
            return
        for _ in self._yielding.tries(step, label, self._worker.key):
            self._transaction.start()
            self._remains.start()
            self._is_over = self._recorder.is_committing = False
            yield step

    def _start(self, moves: Moves, label: str) -> None:
        self._transaction.start()
        self._remains.start()
        self._is_over = False
        self._is_again = any(move in self._unfinished for move in moves)
        self._refuse_too_long([revision for revision, _ in moves])
        self._refuse_unencodable([revision for revision, _ in moves])
        for partial in self._partial_commits:
            if (partial.revision, partial.direction) not in moves:
                continue
            if not partial.is_changed:  # `alembic upgrade` typed by hand comes here unasked
                raise refusal(partial)
            _log.warning(
                "Migration %s was changed since it had committed a part of itself: %s. It is run "
                "from its start",
                partial.label,
                partial.committed,
            )
        if self._outside is not None:
            self._outside.start(label, is_again=self._is_again)

    def _refuse_too_long(self, revisions: Sequence[str]) -> None:
        """Raise HistoryBrokenError if the version table has no room for a revision.

        `alembic upgrade` typed by hand comes here unasked, and a revision before this one may have
        changed the table.
        """
        history, table = self._recorder.history, self._recorder.journal.version_table
        if too_long(revisions, history, table, is_there=True) is None:
            return
        is_there, room = self._session.ask(table.room_query)
        if it := too_long(revisions, history, replace(table, room=room), is_there=is_there):
            self._session.settle()
            raise refuse_too_long(it, "It did not run.")

    def _refuse_unencodable(self, revisions: Sequence[str]) -> None:
        """Raise HistoryBrokenError if the database has no characters for a revision's id."""
        if ids := [it for it in revisions if not it.isascii()]:
            server, client = self._session.ask(ENCODINGS_QUERY)
            self._session.settle()
            if it := unencodable(ids, server, client):
                raise refuse_unencodable(it, "It did not run.")

    def _rejoining(self, move: Move, label: str) -> Move:
        """Wrap a revision's function: it may leave its transaction; the version moves in one."""
        transaction = self._transaction

        @wraps(move)  # Alembic's log names it
        def run(**arguments: Any) -> None:
            try:
                if self._yielding is not None:
                    self._yielding.prepare()
                move(**arguments)
                if self._yielding is not None:
                    self._yielding.require_whole()
            except Exception:
                self._remains.warn(label)
                with suppress(psycopg2.Error):
                    if transaction.was_committed():
                        transaction.warn()
                raise
            transaction.rejoin(self._yielding.closing() if self._yielding else ())
            self._is_over = True

        return run

    def executing(self, statement: str) -> str:
        """Look before each statement that is its own transaction, mark it, and note what stays."""
        if not self._is_bare:
            if self._yielding is not None:
                self._yielding.executing(statement)
            if not self._is_over:
                self._remains.inside(statement)
            return statement
        self._transaction.left()
        if self._yielding is not None:
            self._yielding.left()
        self._lock.require()
        if not self._is_over:
            statement = again(statement) if self._is_again else statement
            self._remains.alone(statement)
        return self._worker.marked(statement)

    def execute(self, statement: str, execute: Callable[[], object]) -> None:
        """Execute a statement; one that its revision cannot be taken back with, until it is not
        held off any more.
        """
        if self._outside is None or self._yielding is None or self._is_over:
            execute()
        elif self._is_bare:
            try:
                self._outside.run_bare(statement, execute)
            except Exception as error:
                if is_atomic(statement) and _is_servers(error):
                    self._remains.undone(statement)
                raise
        elif self._transaction.is_first:
            self._yielding.execute(execute)
        elif self._yielding.has_own_limit:
            execute()
        else:
            self._outside.run_later(statement, execute)

    def began(self) -> None:
        """Look at a transaction that has begun just now, and set what holds in it."""
        transaction = self._transaction
        columns = list(transaction.began())
        if self._yielding is not None:
            columns += self._yielding.beginning(is_first=transaction.is_first)
        if not self._session.is_autocommit:
            columns += self._carried
        transaction.told(self._lock.require(*columns))

    def rolled_back(self) -> None:
        """Note that SQLAlchemy has rolled the transaction back."""
        self._transaction.rolled_back()
        self._remains.rolled_back()

    def committing(self) -> None:
        """Look before SQLAlchemy commits the transaction, and note what that keeps."""
        if self._yielding is not None and not self._is_over:
            self._yielding.committing()
        self._remains.committing()

    def applied(self) -> None:
        """Write the rows in the transaction that moves the version: the last look before it ends.

        A row that runs no more belongs to somebody who took this process for dead, and none is
        changed when the lock is lost.
        """
        if self._yielding is not None:
            self._yielding.require_whole()
        self._remains.start()
        for statement in self._recorder.applied_statements(self._lock.condition):
            if self._session.tell(statement) != 1:
                raise lock_lost()
        self._recorder.is_committing = True
        self._transaction.commit()

    @property
    def _is_bare(self) -> bool:
        """Whether a statement is a transaction of its own now."""
        return self._session.is_autocommit or self._session.has_left_transaction

    def _tell(self, statement: str) -> int:
        """Run a statement of boot's own that is its own transaction."""
        self._lock.require()
        return self._session.tell(self._worker.marked(statement))

    def _note_committed(self, text: str) -> None:
        if not self._session.connection.invalidated:
            for statement in self._recorder.committed_statements(text):
                self._session.tell(statement)


def _is_servers(error: BaseException | None) -> bool:
    """Whether PostgreSQL said that the statement has failed, and so has not been done."""
    return error is not None and (sqlstate(error) is not None or _is_servers(error.__cause__))


def _moves(step: MigrationStep) -> Moves:
    if isinstance(step, RevisionStep):
        direction = Direction.UPGRADE if step.is_upgrade else Direction.DOWNGRADE
        return [(step.revision.revision, direction)]
    confirmed = step.confirmed if isinstance(step, RecordStep) else ()
    stamped = (*confirmed, *step.to_revisions_no_deps)
    return [(revision, Direction.STAMP) for revision in stamped]
