"""What watches over one run of env.py under the lock: that it works on the right database, that
the lock is still held whenever something is about to change, and that the journal has it all.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from psycopg2 import errors
from sqlalchemy import event

from backend.boot.environment.session import MigrationSession
from backend.boot.errors import MigrationFailedError
from backend.boot.exclusive.lock import SchemaLock, lock_lost
from backend.boot.exclusive.recorder import Backend, Recorder
from backend.boot.postgres.interruption import Interruption
from backend.boot.state.journal import Direction

_CHECK_CLIENT = "set_config('client_connection_check_interval', '1s', {is_local})"
"""Has the server notice in mid-statement, within a second, that its client is gone."""

Steps = Callable[[Any, MigrationContext], Iterable[MigrationStep]]


class Guard:
    """The watch itself, attached to Alembic's context as soon as env.py has configured it."""

    def __init__(self, lock: SchemaLock, recorder: Recorder) -> None:
        self._lock = lock
        self._recorder = recorder
        self._can_check_client = _can_check_client(recorder)
        self._session: MigrationSession
        self._backend: Backend

    def attach(self, context: MigrationContext) -> None:
        """Watch over all that this context does. Raises BootError before anything is changed."""
        self._session = session = MigrationSession(context)
        session.refuse_other_database(self._lock.token.is_held_query)
        self._refuse_snapshot()
        self._make_journal()
        self._backend = session.backend()
        session.settle()
        self._lock.on_loss = Interruption(session.driver_connection).cut
        steps: Any = self._journalled(context._migrations_fn)
        context._migrations_fn = steps
        context.on_version_apply_callbacks += (self._applied,)
        event.listen(session.connection, "begin", lambda _connection: self._check())
        event.listen(session.connection, "before_cursor_execute", self._executing)

    def _refuse_snapshot(self) -> None:
        """A transaction that is open already must be able to see the journal's new rows."""
        if not self._session.is_one_unit:
            return
        [level] = self._session.ask("SHOW transaction_isolation")
        if level != "read committed":
            raise MigrationFailedError(
                f"Alembic's env.py opens a transaction itself, and that one is {level}.",
                "Let Alembic open it (context.begin_transaction()), or make it read committed. "
                "Nothing was changed.",
            )

    def _make_journal(self) -> None:
        """Make the journal with the role that makes the tables, unless there is one.

        Where env.py opened a transaction itself, boot's own role makes it: nobody else would see
        it, or its rows, before that transaction ends.
        """
        session, journal = self._session, self._recorder.journal
        if session.ask(journal.exists_query)[0]:
            return
        if session.is_one_unit:
            [role] = session.ask("SELECT current_user::text")
            for statement in journal.create_statements(role):
                self._recorder.execute(statement)
            return
        for statement in journal.create_statements(self._recorder.role()):
            session.tell(statement)
        session.settle()

    def _journalled(self, steps: Any) -> Steps:
        """Wrap Alembic's steps: rows are written before each, and done with after its commit."""

        def journalled(current: Any, context: MigrationContext) -> Iterator[MigrationStep]:
            if not self._session.is_one_unit:
                # Alembic's look at its version table has begun a transaction, whose snapshot may
                # be older than the rows.
                self._session.connection.commit()
            for step in steps(current, context):
                if self._session.is_one_unit:  # whose one transaction has begun long ago
                    self._check()
                self._recorder.begin(_moves(step), self._backend)
                yield step
                if not self._session.is_one_unit:
                    self._recorder.committed()

        return journalled

    def _executing(self, *_arguments: object) -> None:
        """Look before each statement that is its own transaction."""
        if self._session.is_autocommit:
            self._check()

    def _check(self) -> None:
        """Raise LockLostError unless the lock is held still, as the session itself sees it."""
        backend_pid, is_held = self._session.ask(self._state_query())
        if not is_held:
            raise lock_lost()
        if backend_pid != self._backend[0]:  # a pooler has lent us another one
            self._backend = self._session.backend()
            self._recorder.moved(self._backend)

    def _state_query(self) -> str:
        query = f"SELECT pg_backend_pid(), EXISTS ({self._lock.token.holder_query})"
        if self._can_check_client:
            is_local = "false" if self._session.is_autocommit else "true"
            query += f" FROM {_CHECK_CLIENT.format(is_local=is_local)}"
        return query

    def _applied(self, **_arguments: object) -> None:
        """Write the rows in the transaction that moves the version: the last look before it ends.

        A row that runs no more belongs to somebody who took this process for dead.
        """
        self._check()
        for statement in self._recorder.applied_statements():
            if self._session.tell(statement) != 1:
                raise lock_lost()


def _moves(step: MigrationStep) -> list[tuple[str, Direction]]:
    if isinstance(step, RevisionStep):
        direction = Direction.UPGRADE if step.is_upgrade else Direction.DOWNGRADE
        return [(step.revision.revision, direction)]
    return [(revision, Direction.STAMP) for revision in step.to_revisions_no_deps]


def _can_check_client(recorder: Recorder) -> bool:
    """Whether the server has the setting: since 14, and not on every system."""
    try:
        recorder.execute(f"SELECT {_CHECK_CLIENT.format(is_local='true')}")
    except (errors.UndefinedObject, errors.InvalidParameterValue):
        return False
    return True
