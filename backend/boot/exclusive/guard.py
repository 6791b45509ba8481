"""What watches over one run of env.py under the lock: that it works on the right database, that
the lock is still held whenever something is about to change, and that the journal has it all.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial, wraps
from typing import Any

import psycopg2
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from sqlalchemy import event

from backend.boot.environment.session import MigrationSession
from backend.boot.environment.version_table import literal
from backend.boot.errors import ConfigurationError
from backend.boot.exclusive.lock import SchemaLock, lock_lost
from backend.boot.exclusive.preparation import make_journal, refuse_other_table, refuse_snapshot
from backend.boot.exclusive.recorder import Recorder
from backend.boot.exclusive.transaction import RevisionTransaction
from backend.boot.exclusive.worker import Worker
from backend.boot.postgres.advisory import AdvisoryKey
from backend.boot.postgres.interruption import SET_CLIENT_CHECK, can_check_client, cut
from backend.boot.state.journal import Direction
from backend.boot.traffic.ladder import Ladder
from backend.boot.traffic.preflight import find_obstacles
from backend.boot.traffic.yielding import Move, Yielding

_log = logging.getLogger(__name__)

# What others set in a session that a pooler lends us in turn is not meant for us.
_RESET_LIMIT = """
(SELECT set_config(name, reset_val, true) FROM pg_settings
 WHERE name = 'statement_timeout' AND source = 'session')
"""

Steps = Callable[[Any, MigrationContext], Iterable[MigrationStep]]


class Guard:
    """The watch itself, attached to Alembic's context as soon as env.py has configured it."""

    def __init__(self, lock: SchemaLock, recorder: Recorder, traffic_timeout: float) -> None:
        """Watch over one run; `traffic_timeout` is how many seconds it may be held off."""
        self._lock = lock
        self._ladder = Ladder(traffic_timeout)
        self._recorder = recorder
        self._can_check_client = can_check_client(recorder.connection)
        self._session: MigrationSession
        self._worker: Worker
        self._is_direct = True
        """Whether env.py's session has a server process of its own, with no pooler in between."""
        self._transaction: RevisionTransaction | None = None
        """Once revisions run."""
        self._yielding: Yielding | None = None
        """Where they can yield to live traffic, once they run."""
        self._carried: tuple[str, ...] = ()
        """What env.py has set for one transaction, for each revision's."""

    def attach(self, context: MigrationContext) -> None:
        """Watch over all that this context does. Raises BootError before anything is changed."""
        self._session = session = MigrationSession(context)
        self._refuse_other_database()
        refuse_other_table(session, self._recorder)
        self._report_obstacles()
        self._worker = self._make_worker()
        session.settle()
        self._lock.on_loss = partial(cut, session.driver_connection)
        steps: Any = self._journalled(context._migrations_fn)
        context._migrations_fn = steps
        context.on_version_apply_callbacks += (self._applied,)
        event.listen(session.connection, "begin", lambda _connection: self._begun())
        event.listen(session.connection, "rollback", lambda _connection: self._rolled_back())
        event.listen(session.connection, "before_cursor_execute", self._executing, retval=True)

    def _refuse_other_database(self) -> None:
        try:
            self._session.refuse_other_database(self._lock.token.is_held_query)
        except ConfigurationError:
            if not self._lock.is_held():  # nobody sees it then, wherever they are
                raise lock_lost() from None
            raise

    def _make_worker(self) -> Worker:
        """Make env.py's session one that can be told from others."""
        worker = Worker(*self._session.backend(), AdvisoryKey.random())
        self._is_direct = self._session.is_direct
        if self._is_direct:
            # Until it ends. Through a pooler the lock would stay with a process that is not ours.
            self._session.ask(f"SELECT pg_advisory_lock({worker.key.number})")
        return worker

    def _report_obstacles(self) -> None:
        for sentence in find_obstacles(self._recorder.connection).sentences():
            _log.warning("%s", sentence)

    def _begin_steps(self) -> RevisionTransaction:
        """Leave env.py's own transaction behind, or have all revisions run in it."""
        session, journal = self._session, self._recorder.journal
        session.adopt_transaction()
        refuse_snapshot(session)
        make_journal(session, self._recorder)
        if not session.is_one_unit:
            own_tables = (str(journal.version_table), journal.table)
            self._yielding = Yielding(session, self._ladder, self._recorder.connection, own_tables)
            # Alembic's look at its version table has begun a transaction, whose snapshot may be
            # older than the rows. What env.py said in it goes on to hold.
            before = session.settings()
            session.connection.commit()
            after = session.settings()
            session.settle()
            self._carried = tuple(
                f"set_config({literal(name)}, {literal(value)}, true)"
                for name, value in before.items()
                if after.get(name) != value
            )
        else:
            _log.warning(
                "What the revisions lock stays locked until the last one is done, and none is "
                "tried again where live traffic holds it off"
            )
        return RevisionTransaction(session, self._recorder.ask)

    def _journalled(self, steps: Any) -> Steps:
        """Wrap Alembic's steps: rows are written before each, and done with after its commit."""

        def journalled(current: Any, context: MigrationContext) -> Iterator[MigrationStep]:
            self._transaction = transaction = self._begin_steps()
            for step in steps(current, context):
                transaction.start()
                if self._session.is_one_unit:  # whose one transaction has begun long ago
                    transaction.resume_unit()
                    self._begun()
                self._recorder.begin(_moves(step), self._worker)
                move = self._repeated(step, transaction)
                step.migration_fn = self._rejoining(move, transaction)
                yield step
                if not self._session.is_one_unit or transaction.is_unit_over:
                    self._recorder.committed()

        return journalled

    def _repeated(self, step: MigrationStep, transaction: RevisionTransaction) -> Move:
        """Wrap a revision's function: where live traffic holds it off it is taken back and run
        again.
        """
        move: Move = step.migration_fn
        if self._yielding is None:
            return move
        label = ", ".join(self._recorder.history.label(it) for it, _ in _moves(step))
        return self._yielding.repeated(move, label, self._worker.key, transaction)

    def _rejoining(self, move: Move, transaction: RevisionTransaction) -> Move:
        """Wrap a revision's function: it may leave its transaction; the version moves in one."""

        @wraps(move)  # Alembic's log names it
        def run(**arguments: Any) -> None:
            try:
                move(**arguments)
            except Exception:
                with suppress(psycopg2.Error):
                    if transaction.was_committed():
                        transaction.warn()
                raise
            transaction.rejoin()

        return run

    def _executing(
        self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: object
    ) -> tuple[str, Any]:
        """Look before each statement that is its own transaction, and mark it."""
        if self._session.is_autocommit or self._session.has_left_transaction:
            if self._transaction is not None:
                self._transaction.left()
            if self._yielding is not None:
                self._yielding.left()
            self._check()
            return self._worker.marked(statement), parameters
        if self._yielding is not None:
            self._yielding.executing(statement)
        return statement, parameters

    def _check(self) -> None:
        """Raise LockLostError unless the lock is held still, as the session itself sees it."""
        if not self._session.ask(self._state_query())[0]:
            raise lock_lost()

    def _begun(self) -> None:
        self._check()
        if self._transaction is not None:
            self._transaction.began()
            if self._yielding is not None:
                self._yielding.began(is_first=self._transaction.is_first)
            if self._carried and not self._session.is_autocommit:
                self._session.ask(f"SELECT {', '.join(self._carried)}")

    def _rolled_back(self) -> None:
        if self._transaction is not None:
            self._transaction.rolled_back()

    def _state_query(self) -> str:
        """Return the look, which also has the session hold its key as long as its transaction."""
        columns = [
            f"EXISTS ({self._lock.token.holder_query})",
            f"pg_try_advisory_xact_lock({self._worker.key.number})",
        ]
        if not self._is_direct:
            columns.append(_RESET_LIMIT)
        if self._can_check_client:
            is_local = not (self._session.is_autocommit or self._session.has_left_transaction)
            columns.append(SET_CLIENT_CHECK.format(is_local=str(is_local).lower()))
        return f"SELECT {', '.join(columns)}"

    def _applied(self, **_arguments: object) -> None:
        """Write the rows in the transaction that moves the version: the last look before it ends.

        A row that runs no more belongs to somebody who took this process for dead.
        """
        self._check()
        for statement in self._recorder.applied_statements():
            if self._session.tell(statement) != 1:
                raise lock_lost()
        self._recorder.is_committing = True
        if self._transaction is not None:
            self._transaction.commit()


def _moves(step: MigrationStep) -> list[tuple[str, Direction]]:
    if isinstance(step, RevisionStep):
        direction = Direction.UPGRADE if step.is_upgrade else Direction.DOWNGRADE
        return [(step.revision.revision, direction)]
    return [(revision, Direction.STAMP) for revision in step.to_revisions_no_deps]
