"""What watches over one run of env.py under the lock: the right database, the lock still held
whenever something is about to change, and a row of the journal for each revision.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psycopg2
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from psycopg2 import errors
from psycopg2.extensions import connection as Connection
from sqlalchemy import event

from backend.boot.errors import MigrationFailedError
from backend.boot.masking import mask
from backend.boot.migration.edits import fingerprint
from backend.boot.migration.history import History
from backend.boot.migration.journal import Direction, Journal, Starter, joined
from backend.boot.migration.lock import SchemaLock, lock_lost
from backend.boot.migration.session import MigrationSession
from backend.boot.postgres.interruption import Interruption

_log = logging.getLogger(__name__)

_CHECK_INTERVAL = "1s"
"""How soon the server notices in mid-statement that its client is gone."""

Steps = Callable[[Any, MigrationContext], Iterable[MigrationStep]]


class Guard:
    """The watch itself: attached to Alembic's context as soon as env.py has configured it.

    `connection` is boot's own, in autocommit: what it writes is seen at once by those who wait.
    That a revision was applied is written by env.py's session, in the transaction that also moves
    the version table: both happen or neither does.
    """

    def __init__(
        self,
        lock: SchemaLock,
        journal: Journal,
        connection: Connection,
        history: History,
        app_version: str | None = None,
    ) -> None:
        self._lock = lock
        self._journal = journal
        self._connection = connection
        self._history = history
        self._starter = Starter.here(app_version)
        self._checks_client = _can_check_client(connection)
        self._session: MigrationSession
        self._backend: tuple[int, str | None]
        self._rows: list[int] = []
        self._uncommitted: list[int] = []

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

    def close(self, error: str) -> None:
        """Say in the journal how what is still marked as running has ended."""
        try:
            for row in self._uncommitted:
                self._journal.fail(self._connection, row, mask(error))
        except psycopg2.Error as failure:
            # Where the server is gone, whoever starts next will say it.
            _log.debug("The journal could not be closed: %s", failure)

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
        session = self._session
        if session.ask(self._journal.exists_query)[0]:
            return
        [theirs] = session.ask("SELECT current_user::text")
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT current_user::text")
            [ours] = cursor.fetchone() or [theirs]
            if session.is_one_unit:
                for statement in self._journal.create_statements(theirs):
                    cursor.execute(statement)
                return
        for statement in self._journal.create_statements(ours):
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
                self._begin(step)
                yield step
                if not self._session.is_one_unit:
                    self._uncommitted.clear()

        return journalled

    def _begin(self, step: MigrationStep) -> None:
        if self._session.is_one_unit:  # whose one transaction has begun long ago
            self._check()
        self._rows = [
            self._journal.begin(self._connection, self._row(revision, direction))
            for revision, direction in _moves(step)
        ]
        self._uncommitted += self._rows

    def _row(self, revision: str, direction: Direction) -> dict[str, Any]:
        known = self._history.revisions.get(revision)
        sha256, checksum = fingerprint(known.path if known else None)
        backend_pid, backend_start = self._backend
        return {
            "revision": revision,
            "down_revision": joined(known.parents) if known else None,
            "direction": direction,
            "phase": "expand" if known and known.is_expand else "contract",
            "file_sha256": sha256,
            "checksum": checksum,
            "host": self._starter.host,
            "pid": self._starter.pid,
            "backend_pid": backend_pid,
            "backend_start": backend_start,
            "app_version": self._starter.app_version,
        }

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
            for row in self._rows:
                self._journal.moved(self._connection, row, *self._backend)

    def _state_query(self) -> str:
        columns = ["pg_backend_pid()", f"EXISTS ({self._lock.token.holder_query})"]
        query = "SELECT {}".format(", ".join(columns))
        if self._checks_client:
            is_local = "false" if self._session.is_autocommit else "true"
            query += (
                " FROM set_config('client_connection_check_interval', "
                f"'{_CHECK_INTERVAL}', {is_local})"
            )
        return query

    def _applied(self, **_arguments: object) -> None:
        """Close the rows in the transaction that moves the version: the last look before it ends.

        A row that runs no more belongs to somebody who took this process for dead.
        """
        self._check()
        for row in self._rows:
            if self._session.tell(self._journal.applied_statement(row)) != 1:
                raise lock_lost()


def _moves(step: MigrationStep) -> list[tuple[str, Direction]]:
    if isinstance(step, RevisionStep):
        direction = Direction.UPGRADE if step.is_upgrade else Direction.DOWNGRADE
        return [(step.revision.revision, direction)]
    return [(revision, Direction.STAMP) for revision in step.to_revisions_no_deps]


def _can_check_client(connection: Connection) -> bool:
    """Whether the server has the setting: since 14, and not on every system."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('client_connection_check_interval', '1s', true)")
    except (errors.UndefinedObject, errors.InvalidParameterValue):
        return False
    return True
