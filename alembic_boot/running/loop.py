"""The loop: one step after another, each in a transaction together with its version row.

It takes the place of Alembic's own loop (`MigrationContext.run_migrations`), and does the same.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import zip_longest
from typing import Any

from alembic_boot.environment.listening import listening
from alembic_boot.running.guard import Guard
from alembic_boot.running.preparation import carrying
from alembic_boot.running.steps import Rows, Step, Steps
from alembic_boot.running.transaction import Phase
from alembic_boot.signals import raise_if_stopped

_log = logging.getLogger("alembic.runtime.migration")
"""Alembic's own, so that its lines look as they always do."""

Reporting = Callable[[Step], AbstractContextManager[object]]
"""Reports the start and the commit of a step."""


class Loop:
    """Run the steps of one run of env.py, over the connection that env.py has configured."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._session = guard.session
        self._transaction = guard.transaction
        self._carried: tuple[str, ...] = ()
        """SQL columns that repeat, in each step's transaction, the SET LOCAL settings of env.py."""

    def run(
        self, steps: Steps, arguments: Mapping[str, Any], reporting: Reporting = nullcontext
    ) -> None:
        """Run steps; `arguments` are what env.py has passed to `run_migrations`.

        `reporting` stands around a step and its commit. Raises what a revision raises. Raises
        BootError if the run must not begin or not go on.
        """
        session = self._session
        session.context.impl.start_migrations()
        session.adopt_transaction()
        self._guard.check()
        # `stamp --purge` takes the rows away: a revision that is not there is found before.
        found = steps(()) if session.context.purge else None
        rows = session.version_rows()
        self._guard.prepare()
        self._transaction.adopt_unit()
        self._carried = carrying(session)
        found = steps(rows) if found is None else found
        with self._listening():
            for step, following in zip_longest(found, found[1:]):
                with reporting(step):
                    rows = self._run(step, following, rows, arguments)

    def _run(
        self, step: Step, following: Step | None, rows: Rows, arguments: Mapping[str, Any]
    ) -> Rows:
        """Run a step until it is committed, and return the rows of the version table."""
        self._guard.start(step, following)
        after = None
        while after is None:
            after = self._try(step, rows, arguments)
        self._guard.done()
        return after

    def _try(self, step: Step, rows: Rows, arguments: Mapping[str, Any]) -> Rows | None:
        """Return the new rows of the version table; None if the step may be tried again."""
        transaction = self._transaction
        transaction.start()
        try:
            with self._guard.trying(step), self._session.revision_transaction():
                try:
                    self._began()
                    return self._apply(step, rows, arguments)
                finally:
                    transaction.phase = Phase.ENDING
        except Exception as error:
            if not self._guard.may_try_again(error):
                raise
        return None

    def _apply(self, step: Step, rows: Rows, arguments: Mapping[str, Any]) -> Rows:
        """Run a step and record it, in one transaction if the revision does not leave it."""
        transaction, context = self._transaction, self._session.context
        transaction.phase = Phase.RUNNING
        _log.info("Running %s", step)
        with self._guard.running(step):
            step.run(**arguments)
        transaction.phase = Phase.RECORDING
        # Before env.py's own callbacks: if one of them commits, all that is recorded is committed.
        after = self._guard.record(step, rows)
        for callback in context.on_version_apply_callbacks:
            callback(ctx=context, step=step.info, heads=set(after), run_args=dict(arguments))
        # A revision whose interrupted statement was caught must not be recorded as applied.
        raise_if_stopped()
        transaction.commit()
        return after

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Hear of the transactions and statements of a revision: only SQLAlchemy sees those."""
        connection = self._session.connection
        with (
            listening(
                connection,
                begin=lambda _connection: self._began_itself(),
                commit=lambda _connection: self._guard.committing(),
                rollback=lambda _connection: self._guard.rolled_back(),
            ),
            listening(
                connection.engine,
                do_execute=self._execute,
                do_execute_no_params=self._execute_without,
                do_executemany=self._execute_many,
            ),
        ):
            yield

    def _began_itself(self) -> None:
        """Handle a transaction that the revision has begun, or that `rejoin` has begun."""
        if self._transaction.phase is not Phase.OPENING:
            self._began()

    def _began(self) -> None:
        """Check a transaction that has just begun, and repeat env.py's settings in it."""
        columns = self._transaction.began()
        if not self._session.is_autocommit:
            columns += self._carried
        self._transaction.told(self._guard.beginning(columns))

    def _execute(self, cursor: Any, statement: str, parameters: Any, context: Any) -> bool | None:
        """Have a statement executed; None leaves that to SQLAlchemy."""
        return self._send(cursor, statement, context, parameters)

    def _execute_without(self, cursor: Any, statement: str, context: Any) -> bool | None:
        """Execute a statement with the option `no_parameters`: its percent signs are literal."""
        return self._send(cursor, statement, context)

    def _execute_many(self, _cursor: Any, statement: str, _rows: Any, context: Any) -> None:
        """Leave it to SQLAlchemy: without a transaction, a failure may leave some of the rows."""
        if context.root_connection is self._session.connection:
            self._guard.executing(statement)

    def _send(self, cursor: Any, statement: str, context: Any, *parameters: Any) -> bool | None:
        if context.root_connection is not self._session.connection:
            return None
        # Only psycopg2 sends several statements at once, and not for a cursor of the server's.
        may_prefix = self._session.sends_several and cursor.name is None
        prefix, statement = self._guard.executing(statement, may_prefix=may_prefix)
        run = partial(cursor.execute, prefix + statement, *parameters)
        self._guard.execute(statement, run, cursor)
        return True
