"""What watches over one run of env.py under the lock: that it works on the right database, that
the lock is still held whenever something is about to change, and that the journal has it all.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationStep
from sqlalchemy import event

from alembic_boot.environment.session import MigrationSession
from alembic_boot.errors import ConfigurationError
from alembic_boot.postgres.advisory import AdvisoryKey
from alembic_boot.postgres.interruption import can_check_client, cut
from alembic_boot.running.backoff import Ladder
from alembic_boot.running.guarded import Steps
from alembic_boot.running.lock import SchemaLock, lock_lost
from alembic_boot.running.lock_check import LockInSight
from alembic_boot.running.obstacles import find_obstacles
from alembic_boot.running.preparation import refuse_other_table
from alembic_boot.running.recorder import Recorder
from alembic_boot.running.session_timeouts import SessionLimits
from alembic_boot.running.worker import Worker

_log = logging.getLogger(__name__)

AlembicSteps = Callable[[Any, MigrationContext], Iterable[MigrationStep]]


class Guard:
    """The watch itself, attached to Alembic's context as soon as env.py has configured it."""

    def __init__(self, lock: SchemaLock, recorder: Recorder, traffic_timeout: float) -> None:
        """Watch over one run; `traffic_timeout` is how many seconds it may be held off."""
        self._lock = lock
        self._ladder = Ladder(traffic_timeout)
        self._recorder = recorder
        self._session: MigrationSession
        self._limits: SessionLimits
        self._worker: Worker
        self._in_sight: LockInSight
        self._steps: Steps | None = None
        """Once revisions run."""

    def attach(self, context: MigrationContext) -> None:
        """Watch over all that this context does. Raises BootError before anything is changed."""
        self._session = session = MigrationSession(context)
        self._limits = SessionLimits(session)
        self._refuse_other_database()
        refuse_other_table(session, self._recorder)
        self._report_obstacles()
        self._limits.lift()
        self._worker = self._make_worker()
        self._in_sight = LockInSight(
            session,
            self._lock.token,
            self._worker,
            can_check_client=can_check_client(self._recorder.connection),
        )
        session.settle()
        self._lock.on_loss = partial(cut, session.driver_connection)
        steps: Any = self._surrounded(context._migrations_fn)
        context._migrations_fn = steps
        context.on_version_apply_callbacks += (lambda **_: self._tell(Steps.applied),)
        connection = session.connection
        event.listen(connection, "begin", lambda _connection: self._begun())
        event.listen(connection, "commit", lambda _connection: self._tell(Steps.committing))
        event.listen(connection, "rollback", lambda _connection: self._tell(Steps.rolled_back))
        event.listen(connection, "before_cursor_execute", self._executing, retval=True)
        event.listen(connection.engine, "do_execute", self._execute)

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
        if self._session.is_direct:
            # Until it ends. Through a pooler the lock would stay with a process that is not ours.
            self._session.ask(f"SELECT pg_advisory_lock({worker.key.number})")
        return worker

    def _report_obstacles(self) -> None:
        for sentence in find_obstacles(self._recorder.connection).sentences():
            _log.warning("%s", sentence)

    def _surrounded(self, steps: Any) -> AlembicSteps:
        """Wrap Alembic's function for the steps: what surrounds them begins with them."""

        def surrounded(current: Any, context: MigrationContext) -> Iterable[MigrationStep]:
            self._steps = Steps(
                self._session, self._recorder, self._worker, self._ladder, self._in_sight
            )
            for step in self._steps.journalled(steps(current, context)):
                self._limits.start()
                yield step

        return surrounded

    def _executing(
        self, _connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: object
    ) -> tuple[str, Any]:
        if self._steps is not None:
            return self._steps.executing(statement), parameters
        if self._session.is_autocommit or self._session.has_left_transaction:
            self._in_sight.require()
            return self._worker.marked(statement), parameters
        return statement, parameters

    def _execute(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool | None:
        """Have a statement carried out; None leaves that to SQLAlchemy."""
        if self._steps is None or context.root_connection is not self._session.connection:
            return None
        execute = partial(cursor.execute, statement, parameters)
        self._steps.execute(statement, partial(self._limits.run, statement, execute, cursor))
        return True

    def _begun(self) -> None:
        self._limits.began()
        if not self._session.is_direct:
            self._session.refuse_astray(has_begun=True)
        if self._steps is None:
            self._in_sight.require()
        else:
            self._steps.began()

    def _tell(self, what: Callable[[Steps], None]) -> None:
        if self._steps is not None:
            what(self._steps)
