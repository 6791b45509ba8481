"""Run the steps of a plan: one transaction a revision, a line each, and a stop that is heard."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from alembic.runtime.migration import MigrationContext, MigrationStep

from alembic_boot.environment.failures import no_connection, way_out
from alembic_boot.environment.session import MigrationSession
from alembic_boot.errors import BootError, MigrationFailedError
from alembic_boot.progress import progress_bar
from alembic_boot.running.transaction import TransactionLeftError
from alembic_boot.sql.parser import read
from alembic_boot.state.inspection import Inspection
from alembic_boot.state.plan import Action, Plan
from alembic_boot.state.schema import Schema

_log = logging.getLogger(__name__)

_AUTOCOMMIT = b".autocommit_block("

Watch = Callable[[MigrationContext], None]


def apply(
    schema: Schema,
    plan: Plan,
    watch: Watch = lambda _context: None,
    level: int = logging.INFO,
) -> Inspection:
    """Run the plan and return the state that it led to, read over a fresh connection.

    `watch` is given Alembic's context as soon as env.py has configured it; `level` is that of the
    line for each revision. Raises
    MigrationFailedError: a revision that raises keeps those before it and takes its own changes
    back, unless it made them outside its transaction.
    """
    run = _Run(schema, plan, watch, level)
    try:
        with progress_bar(len(plan.steps)) as run.begin:
            schema.project.run(run.steps, run.note, failed=partial(_failure, schema, run))
    finally:
        # The last statement's tree may be large, and this process may go on to serve.
        read.cache_clear()
    return _verify(schema)


class _Run:
    """The steps as Alembic makes them, with a line of the log after each one's commit."""

    def __init__(self, schema: Schema, plan: Plan, watch: Watch, level: int) -> None:
        self._level = level
        self._schema = schema
        self._plan = plan
        self._watch = watch
        self.begin: Any = None
        self.running: str | None = None
        self.session: MigrationSession | None = None

    @property
    def is_going_up(self) -> bool:
        """Whether the steps are upgrades."""
        return self._plan.action is Action.UPGRADE

    def note(self, context: MigrationContext) -> None:
        """See whether env.py opened a transaction itself: all steps are one unit then."""
        self.session = MigrationSession(context)
        if self.session.is_one_unit:
            self._refuse_autocommit_blocks()
        self._watch(context)

    def _refuse_autocommit_blocks(self) -> None:
        """Raise for what cannot be part of one transaction, before the transaction does."""
        history = self._schema.project.history
        for revision in self._plan.steps:
            path = history.revisions[revision].path
            if path is not None and _AUTOCOMMIT in path.read_bytes():
                raise MigrationFailedError(
                    f"Alembic's env.py opens a transaction itself, and {history.label(revision)} "
                    "has an autocommit_block, which needs to be outside of any.",
                    "Let Alembic open it (context.begin_transaction()). Nothing was changed.",
                )

    def steps(self, current: Any, _context: MigrationContext) -> Iterator[MigrationStep]:
        """Give Alembic the steps; what stands after `yield` runs when the step is committed."""
        going_up = self.is_going_up
        steps = self._schema.project.steps(self._schema.target, current, going_up=going_up)
        verb = "Applied" if going_up else "Reverted"
        if self.session is not None and self.session.is_one_unit:
            self._refuse_autocommit_blocks()  # it may have become one since
            _log.warning("env.py opened a transaction itself: the revisions stand or fall together")
            verb = "Ran"
        for step in steps:
            self.running = step.revision.revision
            title = self._schema.label(self.running)
            self.begin(title)
            started = time.monotonic()
            yield step
            spent = (time.monotonic() - started) * 1000
            _log.log(self._level, "%s %s (%.0f ms)", verb, title, spent)
        self.running = None


def _verify(schema: Schema) -> Inspection:
    """Return the state now. An env.py or a revision can report success and commit nothing."""
    inspection = schema.inspect()
    if inspection.pending or inspection.beyond or inspection.unknown:
        raise MigrationFailedError(
            "The migrations reported success, but the database is at "
            f"{', '.join(inspection.current) or 'base'} instead of {schema.target.name}.",
            "A revision or env.py left its transaction uncommitted, or works on another database.",
        )
    return inspection


def _failure(schema: Schema, run: _Run, error: BaseException) -> BootError:
    if run.session is None and (failure := no_connection(error)):
        return failure
    cause = schema.project.describe(error)
    what = f"Migration {schema.label(run.running)}" if run.running else "Alembic's env.py"
    what_failed = f"{what} failed: {cause}."
    place = "The database cannot be asked where it is now"
    with suppress(BootError):
        inspection = schema.inspect()
        place = f"The database is at {', '.join(inspection.current) or 'base'} now"
        to_do = inspection.pending if run.is_going_up else inspection.beyond
        if run.running and run.running not in to_do:  # only the answer to its COMMIT was lost
            return MigrationFailedError(what_failed, f"{place}: it was committed. Start again.")
    changed = "what the failure's transaction had changed was rolled back"
    if isinstance(error, TransactionLeftError):
        changed = (
            "what the revision ran after it had ended its transaction may be committed: look, and "
            "take it back by hand before you start again"
        )
    return MigrationFailedError(what_failed, f"{place}; {changed}. {way_out(error)}")
